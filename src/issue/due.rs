//! What the clock does with issues: composes when a schedule is due, begins what is
//! queued. Each function is one step with the time as an argument; the daemon loops.

use anyhow::Context as _;
use jiff::Timestamp;

use super::freeze::{self, Chance, Material};
use super::preflight::{self, Finding};
use super::state::State;
use super::{Error, Issue, IssueId, archive, draft, link};
use crate::letter::address::Office;
use crate::newsletter::definition::{Approval, Late, WhenDue};
use crate::newsletter::{self, Damaged, Newsletter};
use crate::schedule::Moment;
use crate::store::Store;
use crate::store::value::Millis;

/// What became of one newsletter's moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Composed {
    /// There is a draft, and it waits for an editor.
    Waits(IssueId),
    /// There is an issue, and it goes out.
    Queued(IssueId),
    /// There is a draft, and something blocks it.
    Blocked(IssueId, Vec<Finding>),
    /// Nothing new.
    Nothing,
    /// Its time passed while nothing ran, and the newsletter leaves such issues out.
    Skipped,
    /// Another process had this moment.
    Taken,
}

/// What became of one queued issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is frozen; its readers can be written into the ledger.
    Frozen(IssueId),
    /// It is paused and says why: its time passed while nothing ran, or its mail cannot
    /// be made. An editor is asked.
    Asked(IssueId),
    /// Its time passed while nothing ran, and it does not go out.
    Skipped(IssueId),
    /// Another process had it, or an editor took it back just now.
    Taken(IssueId),
}

/// What one look at the schedules did.
#[derive(Debug, Default)]
pub struct Looked {
    /// What became of each newsletter's moment.
    pub composed: Vec<(Newsletter, Composed)>,
    /// Newsletters that are due and cannot be read.
    pub damaged: Vec<Damaged>,
}

/// Composes for every newsletter whose moment has come. Of several missed moments the
/// last one counts.
///
/// # Errors
/// The database failed; moments that were done stay done.
pub async fn compose(store: &Store, office: &Office, now: Timestamp) -> anyhow::Result<Looked> {
    let newsletter::Found { newsletters, damaged } = newsletter::due(store, now).await?;
    let mut looked = Looked { composed: Vec::new(), damaged };
    for newsletter in newsletters {
        let outcome = compose_one(store, office, &newsletter, now).await?;
        looked.composed.push((newsletter, outcome));
    }
    Ok(looked)
}

async fn compose_one(
    store: &Store,
    office: &Office,
    newsletter: &Newsletter,
    now: Timestamp,
) -> anyhow::Result<Composed> {
    let Some((fired, next)) = moments(newsletter, now) else { return Ok(Composed::Taken) };
    let policies = &newsletter.definition.policies;
    let late = is_late(fired.at, policies.late_after_minutes.get(), now);
    let mut tx = store.begin().await?;
    if !newsletter::advance(&mut tx, newsletter, &fired, next).await? {
        return Ok(Composed::Taken);
    }
    if late && policies.late == Late::Skip {
        tx.commit().await?;
        return Ok(Composed::Skipped);
    }
    let slot = fired.local.to_string();
    let made = draft::compose(&mut tx, newsletter, Some(&slot), now).await?;
    tx.commit().await?;
    let Some(id) = made.issue else { return Ok(Composed::Nothing) };
    let at_once = match policies.when_due {
        WhenDue::Queue => !late || policies.late == Late::Send,
        WhenDue::Draft => false,
    } && policies.approval == Approval::None;
    if !at_once {
        return Ok(Composed::Waits(id));
    }
    let issue = super::get(store, id).await?.ok_or(Error::None(id))?;
    let findings = findings(store, &issue, newsletter, office, now).await?;
    if preflight::blocked(&findings) {
        return Ok(Composed::Blocked(id, findings));
    }
    let mut tx = store.begin().await?;
    super::queue(&mut tx, id, queue_time(newsletter, now, None), &slot, now).await?;
    tx.commit().await?;
    Ok(Composed::Queued(id))
}

/// The last moment that was due, and the first that is not.
fn moments(newsletter: &Newsletter, now: Timestamp) -> Option<(Moment, Option<Millis>)> {
    let schedule = newsletter.definition.schedule()?;
    let before = newsletter.next_at?.before(std::time::Duration::from_millis(1)).timestamp();
    let fired = schedule.latest(before, now)?;
    Some((fired, schedule.next(now).map(|next| next.at.into())))
}

fn is_late(at: Timestamp, after_minutes: u32, now: Timestamp) -> bool {
    now.duration_since(at) > jiff::SignedDuration::from_mins(i64::from(after_minutes))
}

/// When an issue that is queued now may begin: not within the time to undo, and not
/// before the moment somebody asked for.
pub fn queue_time(newsletter: &Newsletter, now: Timestamp, at: Option<Timestamp>) -> Millis {
    let undo = u64::from(newsletter.definition.policies.undo_minutes.get());
    let undone = Millis::from(now).after(std::time::Duration::from_secs(60 * undo));
    at.map_or(undone, |at| undone.max(at.into()))
}

/// What preflight says of a stored issue; links count as they were found last.
///
/// # Errors
/// The database failed.
pub async fn findings(
    store: &Store,
    issue: &Issue,
    newsletter: &Newsletter,
    office: &Office,
    now: Timestamp,
) -> anyhow::Result<Vec<Finding>> {
    let pieces = archive::pieces(store, issue.id.0).await?;
    let shown = super::shown_before(store, issue.id).await?;
    let definition = &newsletter.definition;
    let pictures = &freeze::enclosed(store, definition, &pieces).await?;
    let material = Material { issue, definition, pieces: &pieces, office, pictures };
    let titles = link::titles(store, &material).await?;
    let mut findings = preflight::check(&material, &shown, &titles, now);
    if issue.frozen_at.is_none() {
        findings.extend(draft::newer(store, issue.id).await?.iter().map(|one| {
            let what = "a newer revision exists; the issue shows the one it was composed of";
            let remedy = format!("take it: rundbrief issue edit {} --refresh", issue.id);
            Finding::look(&one.record.title, what, &remedy)
        }));
    }
    findings.extend(link::believed(store, &material, now).await?);
    Ok(findings)
}

/// Begins every queued issue whose time has come. `chance` gives fresh randomness.
///
/// # Errors
/// The database failed, or a letter cannot be made; issues that began stay begun.
pub async fn begin(
    store: &Store,
    office: &Office,
    now: Timestamp,
    chance: &mut (dyn FnMut() -> Chance + Send),
) -> anyhow::Result<Vec<Begun>> {
    let mut done = Vec::new();
    for issue in super::in_state(store, State::Queued).await? {
        if issue.send_at.is_some_and(|at| at > Millis::from(now)) {
            continue;
        }
        let chance = chance();
        let id = issue.id;
        done.push(match begin_one(store, office, &issue, now, chance).await {
            Ok(begun) => begun,
            Err(error) => match error.downcast::<Error>() {
                // Somebody else's step came first; the next look sees what it is now.
                Ok(Error::State { .. }) => Begun::Taken(id),
                Ok(other) => return Err(other.into()),
                Err(error) => return Err(error),
            },
        });
    }
    Ok(done)
}

async fn begin_one(
    store: &Store,
    office: &Office,
    issue: &Issue,
    now: Timestamp,
    chance: Chance,
) -> anyhow::Result<Begun> {
    let newsletter = match newsletter::get(store, issue.newsletter_id).await {
        Ok(newsletter) => newsletter,
        // It must not keep other issues from beginning.
        Err(error) if error.is::<Damaged>() => {
            return ask(store, issue.id, &error.to_string(), now).await;
        }
        Err(error) => return Err(error),
    };
    let policies = &newsletter.definition.policies;
    let due = issue.send_at.unwrap_or(issue.updated_at).timestamp();
    if is_late(due, policies.late_after_minutes.get(), now) {
        let mut tx = store.begin().await?;
        let begun = match policies.late {
            Late::Send => None,
            Late::Ask => {
                let local = due.to_zoned(newsletter.definition.time_zone.zone());
                let why = format!(
                    "its time, {}, passed while nothing ran; resume sends it now",
                    local.strftime("%Y-%m-%d %H:%M")
                );
                super::pause(&mut tx, issue.id, &why, now).await?;
                Some(Begun::Asked(issue.id))
            }
            Late::Skip => {
                super::cancel(&mut tx, issue.id, now).await?;
                Some(Begun::Skipped(issue.id))
            }
        };
        if let Some(begun) = begun {
            tx.commit().await?;
            return Ok(begun);
        }
    }
    let pieces = archive::pieces(store, issue.id.0).await?;
    let definition = &newsletter.definition;
    let pictures = &freeze::enclosed(store, definition, &pieces).await?;
    let material = Material { issue, definition, pieces: &pieces, office, pictures };
    let made = approved(&material).and_then(|approved| {
        anyhow::ensure!(
            approved,
            "it is not what was approved: its newsletter, brand or office changed since, or nobody approved it; look at it with `rundbrief issue preview {id}`, then `issue approve {id}` and `issue resume {id}`",
            id = issue.id
        );
        material.letter(now, chance).context("its mail cannot be made")
    });
    let letter = match made {
        Ok(letter) => letter,
        // It must not keep other issues from beginning.
        Err(error) => return ask(store, issue.id, &format!("{error:#}"), now).await,
    };
    let mut tx = store.begin().await?;
    freeze::store(&mut tx, issue, &letter, now).await?;
    tx.commit().await?;
    tracing::info!(issue = issue.id.0, bytes = letter.fixed_bytes(), "issue.frozen");
    Ok(Begun::Frozen(issue.id))
}

/// Whether the mail is the one that was approved: what changed after it was queued voids
/// the approval as much as what changed before. Once approved it is held to that, also
/// where its newsletter does not want it any more.
fn approved(material: &Material<'_>) -> anyhow::Result<bool> {
    match &material.issue.approved_hash {
        None => Ok(material.definition.policies.approval == Approval::None),
        Some(hash) => Ok(*hash == material.hash()?),
    }
}

/// Pauses an issue that cannot begin, and says why.
async fn ask(store: &Store, id: IssueId, why: &str, now: Timestamp) -> anyhow::Result<Begun> {
    tracing::error!(issue = id.0, "issue.unfit: {why}");
    let mut tx = store.begin().await?;
    super::pause(&mut tx, id, why, now).await?;
    tx.commit().await?;
    Ok(Begun::Asked(id))
}
