//! What a stored report is worth: new rows become applied, noted, forged, stale,
//! untied, or wait for review. One step is one transaction: a crash repeats it.

use rundbrief_subscribers::standing::{Event, Reason as By};
use rundbrief_subscribers::token::Key;
use serde_json::json;
use sqlx::types::Json;

use super::breaker::Breaker;
use super::inbox::{BounceId, Intake};
use super::record::Record;
use super::refusal;
use super::review::{self, Learned};
use super::rule::{self, Effect, Memory, Policy, Weight};
use super::tie::{self, Tie, Tied};
use crate::store::value::Millis;
use crate::store::{Kind, Store, Tx};
use crate::subscriber::standing::{self, Cause};
use crate::subscriber::{SubscriberId, SubscriptionId};
use crate::webhook::event;
use crate::{on, row, words};

/// Reports that one step decides about.
const AT_ONCE: i64 = 200;

words! {
    /// What became of a report.
    Verdict {
        /// Stored, not looked at yet.
        New = "new",
        /// Something followed from it.
        Applied = "applied",
        /// Understood; nothing follows.
        Noted = "noted",
        /// A person has to look.
        Review = "review",
        /// It carries a token that is not ours.
        Forged = "forged",
        /// It is about a mail that is too old.
        Stale = "stale",
        /// It carries no token: nobody knows which mail it is about.
        Untied = "untied",
        /// A person decided.
        Decided = "decided",
    }
}

/// What one step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Reports decided about.
    pub read: u64,
    /// Of these, something followed from.
    pub applied: u64,
    /// Of these, wait for a person.
    pub review: u64,
}

row! {
    /// A new report.
    Fresh {
        /// Its key.
        id: BounceId,
        /// How it came.
        intake: Intake,
        /// What it says.
        report: Json<Record>,
        /// As it came.
        raw: Option<Vec<u8>>,
        /// When it came.
        received_at: Millis,
    }
}

/// Decides about the oldest new reports; call it until it has read none.
///
/// # Errors
/// The database failed; nothing was decided then.
pub async fn step(store: &Store, key: &Key, now: Millis) -> anyhow::Result<Done> {
    let mut tx = store.begin().await?;
    refusal::collect(&mut tx).await?;
    let rows = fresh(&mut tx).await?;
    if rows.is_empty() {
        return Ok(Done::default());
    }
    let learned = review::learned(&mut tx).await?;
    // Tied first, all of them: the breaker has to see the whole of them.
    let mut ties = Vec::with_capacity(rows.len());
    for row in &rows {
        let tie = match row.intake {
            // Tied by the ledger itself.
            Intake::Refusal => tie::of_bounce(&mut tx, row.id).await?.map_or(Tie::None, Tie::To),
            Intake::File
            | Intake::Maildir
            | Intake::Mbox
            | Intake::Imap
            | Intake::Pop3
            | Intake::Lmtp
            | Intake::Smtp
            | Intake::Webhook => tie::find(&mut tx, key, &row.report.0, row.received_at).await?,
        };
        if let Tie::To(tied) | Tie::Stale(tied) = &tie {
            name_delivery(&mut tx, row.id, tied).await?;
        }
        ties.push(tie);
    }
    let mut done = Done::default();
    let mut breaker = Breaker::default();
    for (row, tie) in rows.iter().zip(ties) {
        let (verdict, why) = decide(&mut tx, row, tie, &learned, &mut breaker, now).await?;
        record(&mut tx, row.id, verdict, &why).await?;
        done.read += 1;
        done.applied += u64::from(verdict == Verdict::Applied);
        done.review += u64::from(verdict == Verdict::Review);
    }
    tx.commit().await?;
    tracing::info!(
        read = done.read,
        applied = done.applied,
        review = done.review,
        "bounces decided"
    );
    Ok(done)
}

async fn fresh(tx: &mut Tx) -> sqlx::Result<Vec<Fresh>> {
    let text = match tx.kind() {
        Kind::Sqlite => {
            "select id, intake, report, raw, received_at from bounce where verdict = 'new' order by id limit $1"
        }
        Kind::Postgres => {
            "select id, intake, report, raw, received_at from bounce where verdict = 'new' order by id limit $1
             for update skip locked"
        }
    };
    on!(*tx, |c| sqlx::query_as(text).bind(AT_ONCE).fetch_all(c).await)
}

async fn name_delivery(tx: &mut Tx, id: BounceId, tied: &Tied) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query("update bounce set delivery_id = $2 where id = $1")
        .bind(id)
        .bind(tied.delivery)
        .execute(c)
        .await
        .map(drop))
}

async fn record(tx: &mut Tx, id: BounceId, verdict: Verdict, why: &str) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query("update bounce set verdict = $2, why = $3 where id = $1")
        .bind(id)
        .bind(verdict)
        .bind(why)
        .execute(c)
        .await
        .map(drop))
}

type Decision = (Verdict, String);

async fn decide(
    tx: &mut Tx,
    row: &Fresh,
    tie: Tie,
    learned: &Learned,
    breaker: &mut Breaker,
    now: Millis,
) -> anyhow::Result<Decision> {
    let mut report = row.report.0.clone();
    if report.kind == "unclear"
        && let Some(raw) = &row.raw
        && let Some(taught) = learned.read(raw)
    {
        report = taught;
    }
    let tied = match tie {
        Tie::To(tied) => tied,
        Tie::None => return Ok(without_token(&report)),
        Tie::Forged => return Ok((Verdict::Forged, "its token is not ours".to_owned())),
        Tie::Stale(_) => {
            return Ok((Verdict::Stale, "its mail is older than 14 days".to_owned()));
        }
        Tie::Erased => {
            return Ok((Verdict::Noted, "the reader's data was erased".to_owned()));
        }
    };
    match report.kind.as_str() {
        "failure" | "complaint" => about(tx, row, &report, &tied, breaker, now).await,
        "delay" => {
            evidence(tx, &tied, "delayed", row.received_at).await?;
            Ok((Verdict::Noted, "still tried".to_owned()))
        }
        "autoreply" => Ok((Verdict::Noted, "an automatic reply".to_owned())),
        "challenge" => {
            Ok((Verdict::Review, "the receiver wants the sender to confirm the mail".to_owned()))
        }
        "other" if left(&report) => {
            Ok((Verdict::Review, "a person left by the provider's link".to_owned()))
        }
        "other" => Ok(review::of_person(row.raw.as_deref().unwrap_or_default())),
        _ => Ok((Verdict::Review, "not understood".to_owned())),
    }
}

fn without_token(report: &Record) -> Decision {
    match report.kind.as_str() {
        "unclear" => (Verdict::Review, "not understood, and no token of ours in it".to_owned()),
        "complaint" => (Verdict::Review, "a complaint without a token of ours".to_owned()),
        "other" if left(report) => {
            (Verdict::Review, "a person left by the provider's link, no token of ours".to_owned())
        }
        "failure" | "delay" => (Verdict::Untied, "no token of ours in it".to_owned()),
        _ => (Verdict::Noted, "no bounce, and no token of ours in it".to_owned()),
    }
}

/// Whether a provider says that its own link for leaving was used.
fn left(report: &Record) -> bool {
    report.feedback.as_deref() == Some(event::UNSUBSCRIBE)
}

/// A failure or complaint about a delivery of ours.
async fn about(
    tx: &mut Tx,
    row: &Fresh,
    report: &Record,
    tied: &Tied,
    breaker: &mut Breaker,
    now: Millis,
) -> anyhow::Result<Decision> {
    let Some(subscriber) = tied.subscriber else {
        return Ok((Verdict::Noted, "the reader's data was erased".to_owned()));
    };
    let complaint = report.kind == "complaint";
    let counted =
        tied.evidence.as_deref().is_some_and(|e| e == "complained" || e == "bounced" && !complaint);
    // Twice in one batch: what the first wrote is not in what was read before.
    let counted = counted
        || !evidence(tx, tied, if complaint { "complained" } else { "bounced" }, row.received_at)
            .await?;
    // A refusal was marked when it was collected.
    if counted && row.intake != Intake::Refusal {
        return Ok((Verdict::Noted, "counted before".to_owned()));
    }
    let weight = rule::weigh(report, &address(tx, subscriber).await?);
    if matches!(weight, Weight::Hard(_) | Weight::Soft(_))
        && let Some(why) = breaker.holds(tx, &tied.domain, now).await?
    {
        return Ok((Verdict::Review, why));
    }
    apply(tx, row.id, report, tied, subscriber, weight, row.received_at).await
}

/// Lets happen what follows from a report about a reader.
///
/// # Errors
/// The database failed.
pub async fn apply(
    tx: &mut Tx,
    id: BounceId,
    report: &Record,
    tied: &Tied,
    subscriber: SubscriberId,
    weight: Weight,
    at: Millis,
) -> anyhow::Result<Decision> {
    if let Weight::Ours(reason) = weight {
        tracing::warn!(
            issue = tied.issue.0,
            domain = tied.domain,
            reason = reason.as_str(),
            "a receiver refuses us"
        );
        return Ok((Verdict::Noted, format!("ours: {reason}")));
    }
    let Some((subscription, memory)) = memory(tx, tied, subscriber).await? else {
        return Ok((Verdict::Noted, "no longer on the list".to_owned()));
    };
    let effect = rule::effect(weight, memory, Policy::default(), at);
    let (event, by) = match effect {
        Effect::Nothing => return Ok((Verdict::Noted, "nothing follows".to_owned())),
        Effect::Remember(memory) => {
            remember(tx, subscription, memory).await?;
            return Ok((Verdict::Applied, "remembered".to_owned()));
        }
        Effect::GiveUp(memory) => {
            remember(tx, subscription, memory).await?;
            (Event::Bounced, By::Bounce)
        }
        Effect::Complain => (Event::Complained, By::Complaint),
        Effect::Leave => (Event::Left, By::OneClick),
    };
    let evidence = evidence_of(id, report, tied);
    let cause = Cause { reason: by, evidence: &evidence, at };
    if event == Event::Left {
        let wording = "asked to leave by a mail";
        let left = standing::leave(tx, subscriber, tied.newsletter, wording, cause).await?;
        let (verdict, why) = match left {
            Some(change) => (Verdict::Applied, format!("{} became {}", change.was, change.became)),
            None => (Verdict::Noted, "no longer on the list".to_owned()),
        };
        return Ok((verdict, why));
    }
    match standing::change(tx, subscriber, tied.newsletter, event, cause).await {
        Ok(change) if change.was == change.became => {
            Ok((Verdict::Noted, format!("was {} already", change.was)))
        }
        Ok(change) => Ok((Verdict::Applied, format!("{} became {}", change.was, change.became))),
        Err(standing::Error::Missing) => Ok((Verdict::Noted, "no longer on the list".to_owned())),
        Err(standing::Error::Refused(refused)) => Ok((Verdict::Noted, refused.to_string())),
        Err(standing::Error::Database(error)) => Err(error.into()),
    }
}

/// What shows why a standing changed; never an address.
fn evidence_of(id: BounceId, report: &Record, tied: &Tied) -> serde_json::Value {
    let first = report.recipients.first();
    json!({
        "bounce": id,
        "delivery": tied.delivery,
        "issue": tied.issue,
        "kind": report.kind,
        "reason": first.map(|r| r.reason.as_str()),
        "status": first.and_then(|r| r.status.as_deref()),
        "feedback": report.feedback,
    })
}

/// Writes into the ledger what is known of a delivery; false when that or something
/// weightier stood there. A report proves that a mail of unknown fate arrived.
async fn evidence(tx: &mut Tx, tied: &Tied, word: &str, at: Millis) -> sqlx::Result<bool> {
    let changed = on!(*tx, |c| sqlx::query(
        "update delivery
         set evidence = $2,
             evidence_at = $3,
             state = case when state = 'unknown' then 'accepted' else state end,
             worker_id = case when state = 'unknown' then null else worker_id end,
             changed_at = case when state = 'unknown' then $3 else changed_at end
         where id = $1
           and (evidence is null
                or evidence in ('delayed', 'delivered') and $2 <> 'delayed'
                or evidence = 'bounced' and $2 = 'complained')"
    )
    .bind(tied.delivery)
    .bind(word)
    .bind(at)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

async fn address(tx: &mut Tx, subscriber: SubscriberId) -> sqlx::Result<String> {
    let row: Option<(String,)> =
        on!(*tx, |c| sqlx::query_as("select address_normal from subscriber where id = $1")
            .bind(subscriber)
            .fetch_optional(c)
            .await)?;
    Ok(row.map(|(address,)| address).unwrap_or_default())
}

row! {
    /// What a subscription remembers.
    Remembered {
        /// Its key.
        id: SubscriptionId,
        /// The score.
        bounce_score: f64,
        /// Of when.
        bounce_scored_at: Option<Millis>,
        /// The last hard bounce.
        last_hard_at: Option<Millis>,
    }
}

async fn memory(
    tx: &mut Tx,
    tied: &Tied,
    subscriber: SubscriberId,
) -> sqlx::Result<Option<(SubscriptionId, Memory)>> {
    let row: Option<Remembered> = on!(*tx, |c| sqlx::query_as(
        "select id, bounce_score, bounce_scored_at, last_hard_at
         from subscription
         where subscriber_id = $1 and newsletter_id = $2"
    )
    .bind(subscriber)
    .bind(tied.newsletter)
    .fetch_optional(c)
    .await)?;
    Ok(row.map(|row| {
        let memory = Memory {
            score: row.bounce_score,
            scored_at: row.bounce_scored_at,
            hard_at: row.last_hard_at,
        };
        (row.id, memory)
    }))
}

async fn remember(tx: &mut Tx, subscription: SubscriptionId, memory: Memory) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query(
        "update subscription
         set bounce_score = $2, bounce_scored_at = $3, last_hard_at = $4
         where id = $1"
    )
    .bind(subscription)
    .bind(memory.score)
    .bind(memory.scored_at)
    .bind(memory.hard_at)
    .execute(c)
    .await
    .map(drop))
}

/// Forgets a subscription's bounces.
///
/// # Errors
/// The database failed.
pub async fn forget(tx: &mut Tx, subscription: SubscriptionId) -> sqlx::Result<()> {
    remember(tx, subscription, Memory::default()).await
}
