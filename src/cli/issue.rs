//! `rundbrief issue`: editions of a newsletter, from draft to report.

use std::process::ExitCode;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::exit::{Code, Fault};
use super::newsletter::clock;
use super::subscriber::{self, newsletter_named};
use super::{
    Context, Open, issue_check, issue_edit, issue_missing, issue_place, issue_preview,
    issue_report, issue_show, issue_unknown,
};
use crate::audit;
use crate::delivery::{guard, sums};
use crate::issue::freeze::{self, Chance, Material};
use crate::issue::state::Step;
use crate::issue::{self, Issue, IssueId, archive, draft, due, preflight};
use crate::letter::address::Office;
use crate::letter::enclosure::Enclosure;
use crate::newsletter::definition::Approval;
use crate::newsletter::{self, Newsletter, NewsletterId};
use crate::store::Store;

/// Issues that are read from the database at a time.
const PAGE: i64 = 200;

/// What can be done with one.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a draft of what is new
    Compose {
        /// The newsletter's short name
        newsletter: String,
    },
    /// List issues, newest first
    List {
        /// Of this newsletter only
        #[arg(long, value_name = "NAME")]
        newsletter: Option<String>,
    },
    /// Show one: its articles and where it is
    Show(Named),
    /// Change a draft
    Edit(issue_edit::Arguments),
    /// Put a quote, a button, a divider or a heading into a draft
    Place(issue_place::Arguments),
    /// Write the mail as one reader gets it, and the pages of its articles
    Preview(issue_preview::Arguments),
    /// Say what blocks it and what to look at
    Preflight(issue_check::Arguments),
    /// Say who gets it, who does not and why, and when it ends
    Forecast(Named),
    /// Send one copy to an address, outside the ledger
    Test(issue_preview::Test),
    /// Approve exactly this mail
    Approve(Named),
    /// Let it go out
    Queue {
        /// Its number, or newsletter/number
        issue: String,
        /// Not before this moment: 2026-12-03T07:00 on the newsletter's clock, or with an offset
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// Take a queued issue back before its first mail
    Undo(Named),
    /// Stop it for now
    Pause(Named),
    /// Let it go on
    Resume(Named),
    /// Take back what is not on the wire, for good
    Cancel(Named),
    /// Say what became of every mail
    Report(Named),
    /// List mails of which nobody can know whether they arrived; send them again, or leave them
    Unknown(issue_unknown::Arguments),
    /// List who did not get it, and why
    Missing(Named),
    /// Send it to those who did not get it
    Resend(issue_missing::Resend),
}

/// Which issue.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// Its number, or newsletter/number
    pub(super) issue: String,
}

/// Runs the command.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    let open = context.open().await?;
    match command {
        Command::Compose { newsletter } => compose(context, &open, &newsletter).await?,
        Command::List { newsletter } => list(context, &open, newsletter.as_deref()).await?,
        Command::Show(named) => {
            let issue = issue_named(&open.store, &named.issue).await?;
            issue_show::run(context, &open, &issue).await?;
        }
        Command::Edit(arguments) => issue_edit::run(context, &open, arguments).await?,
        Command::Place(arguments) => issue_place::run(context, &open, arguments).await?,
        Command::Preview(arguments) => issue_preview::run(context, &open, arguments).await?,
        Command::Preflight(arguments) => return issue_check::run(context, &open, arguments).await,
        Command::Forecast(named) => issue_check::forecast(context, &open, &named.issue).await?,
        Command::Test(arguments) => issue_preview::test(context, &open, arguments).await?,
        Command::Approve(named) => approve(context, &open, &named).await?,
        Command::Queue { issue, at } => {
            return queue(context, &open, &issue, at.as_deref()).await;
        }
        Command::Undo(named) => step(context, &open, &named, Step::Undo).await?,
        Command::Pause(named) => step(context, &open, &named, Step::Pause).await?,
        Command::Resume(named) => step(context, &open, &named, Step::Resume).await?,
        Command::Cancel(named) => step(context, &open, &named, Step::Cancel).await?,
        Command::Report(named) => issue_report::run(context, &open, &named).await?,
        Command::Unknown(arguments) => issue_unknown::run(context, &open, arguments).await?,
        Command::Missing(named) => issue_missing::list(context, &open, &named).await?,
        Command::Resend(arguments) => issue_missing::resend(context, &open, arguments).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The issue of this name.
pub(super) async fn issue_named(store: &Store, name: &str) -> anyhow::Result<Issue> {
    let found = issue::find(store, name).await?;
    found.ok_or_else(|| {
        let message = format!("there is no issue {name:?}. `rundbrief issue list` shows them");
        Fault::new(Code::Data, message).into()
    })
}

/// Fresh randomness for a letter.
pub(super) fn chance() -> anyhow::Result<Chance> {
    let mut octets = [0; 32];
    aws_lc_rs::rand::fill(&mut octets).context("the system gave no randomness")?;
    Ok(Chance::of(octets))
}

/// What can be done about a refusal of the state machine is in its message.
pub(super) fn refused(error: issue::Error) -> anyhow::Error {
    match error {
        issue::Error::State { .. } | issue::Error::None(_) => {
            Fault::new(Code::Data, error.to_string()).into()
        }
        issue::Error::Database(error) => error.into(),
    }
}

/// Writes down who did what, in the transaction that does it.
pub(super) async fn note(
    tx: &mut crate::store::Tx,
    act: &str,
    issue: IssueId,
    detail: &Value,
) -> sqlx::Result<()> {
    let actor = subscriber::actor();
    let act = audit::Act { actor: &actor, act, noun: "issue", id: Some(issue.0), detail };
    audit::record(tx, act, subscriber::now()).await
}

async fn compose(context: &Context, open: &Open, name: &str) -> anyhow::Result<()> {
    let newsletter = newsletter_named(&open.store, name).await?;
    let now = subscriber::now().timestamp();
    let mut tx = open.store.begin().await?;
    let made = draft::compose(&mut tx, &newsletter, None, now).await?;
    if let Some(id) = made.issue {
        note(&mut tx, "compose", id, &json!({})).await?;
    }
    tx.commit().await?;
    for one in &made.left_out {
        context.output.remark(format_args!("left out: {:?}, {}", one.title, one.why));
    }
    let Some(id) = made.issue else {
        let least = newsletter.definition.rules.at_least.get();
        let why = if least > 1 {
            format!("fewer than {least} new articles")
        } else {
            "nothing new".to_owned()
        };
        context.output.result(
            &json!({ "newsletter": newsletter.definition.slug.as_str(), "issue": null, "why": why }),
            format_args!("{why}: no issue"),
        );
        return Ok(());
    };
    let issue = issue_named(&open.store, &id.to_string()).await?;
    context.output.result(
        &object(&issue),
        format_args!("issue {id} ({}/{}): {}", issue.newsletter, issue.number, issue.subject),
    );
    Ok(())
}

async fn list(context: &Context, open: &Open, name: Option<&str>) -> anyhow::Result<()> {
    let newsletter = match name {
        Some(name) => newsletter_named(&open.store, name).await?.id,
        None => NewsletterId(0),
    };
    let mut below = IssueId(i64::MAX);
    loop {
        let page = issue::list(&open.store, newsletter, below, PAGE).await?;
        for one in &page {
            context.output.result(
                &object(one),
                format_args!(
                    "{:>6}  {:<24} {:<10} {}",
                    one.id,
                    format!("{}/{}", one.newsletter, one.number),
                    one.state,
                    one.subject
                ),
            );
        }
        match page.last() {
            Some(last) if page.len() as i64 == PAGE => below = last.id,
            Some(_) => return Ok(()),
            None if below == IssueId(i64::MAX) => {
                context.output.remark("no issues yet: rundbrief issue compose NEWSLETTER");
                return Ok(());
            }
            None => return Ok(()),
        }
    }
}

/// An issue as lists print it.
pub(super) fn object(issue: &Issue) -> Value {
    json!({
        "issue": issue.id,
        "newsletter": issue.newsletter,
        "number": issue.number,
        "state": issue.state,
        "subject": issue.subject,
        "preheader": issue.preheader,
        "send_at": issue.send_at.map(|at| at.to_string()),
        "paused_why": issue.paused_why,
        "approved_by": issue.approved_by,
        "total": issue.total,
        "created_at": issue.created_at.to_string(),
        "frozen_at": issue.frozen_at.map(|at| at.to_string()),
        "finished_at": issue.finished_at.map(|at| at.to_string()),
    })
}

/// An issue with everything that its letter is made of.
pub(super) struct Desk {
    pub(super) issue: Issue,
    pub(super) newsletter: Newsletter,
    pub(super) pieces: Vec<archive::Piece>,
    pub(super) office: Office,
    pub(super) pictures: Vec<Enclosure>,
}

impl Desk {
    pub(super) async fn open(open: &Open, name: &str) -> anyhow::Result<Desk> {
        let issue = issue_named(&open.store, name).await?;
        let newsletter = newsletter::get(&open.store, issue.newsletter_id).await?;
        let pieces = archive::pieces(&open.store, issue.id.0).await?;
        let pictures = freeze::enclosed(&open.store, &newsletter.definition, &pieces).await?;
        Ok(Desk { issue, newsletter, pieces, office: Office::of(&open.config)?, pictures })
    }

    pub(super) fn material(&self) -> Material<'_> {
        Material {
            issue: &self.issue,
            definition: &self.newsletter.definition,
            pieces: &self.pieces,
            office: &self.office,
            pictures: &self.pictures,
        }
    }
}

async fn approve(context: &Context, open: &Open, named: &Named) -> anyhow::Result<()> {
    let desk = Desk::open(open, &named.issue).await?;
    let id = desk.issue.id;
    let hash = desk.material().hash()?;
    let by = subscriber::actor();
    let mut tx = open.store.begin().await?;
    let now = subscriber::now().timestamp();
    issue::approve(&mut tx, id, &hash, &by, now).await.map_err(refused)?;
    let hex: String = hash.iter().map(|octet| format!("{octet:02x}")).collect();
    note(&mut tx, "approve", id, &json!({ "hash": hex })).await?;
    tx.commit().await?;
    context.output.result(
        &json!({ "issue": id, "approved_by": by, "hash": hex }),
        format_args!("issue {id}: approved by {by}, exactly as it is now ({})", &hex[..12]),
    );
    Ok(())
}

async fn queue(
    context: &Context,
    open: &Open,
    name: &str,
    at: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(open, name).await?;
    let (issue, newsletter) = (&desk.issue, &desk.newsletter);
    let now = subscriber::now().timestamp();
    let zone = newsletter.definition.time_zone.zone();
    let at = at.map(|text| moment(text, &zone)).transpose()?;
    if issue.state == issue::state::State::Draft {
        approved(&desk)?;
        let findings = due::findings(&open.store, issue, newsletter, &desk.office, now).await?;
        issue_check::print_blocking(context, &findings);
        if preflight::blocked(&findings) {
            let message = format!("issue {}: preflight blocks it; nothing was queued", issue.id);
            return Err(Fault::new(Code::Data, message).into());
        }
    }
    let request = format!("command line {}", at.map_or("now".to_owned(), |at| at.to_string()));
    let send_at = due::queue_time(newsletter, now, at);
    let mut tx = open.store.begin().await?;
    issue::queue(&mut tx, issue.id, send_at, &request, now).await.map_err(refused)?;
    note(&mut tx, "queue", issue.id, &json!({ "send_at": send_at.to_string() })).await?;
    tx.commit().await?;
    let queued = issue_named(&open.store, &issue.id.to_string()).await?;
    let begins = queued.send_at.unwrap_or(send_at).timestamp();
    context.output.result(
        &object(&queued),
        format_args!(
            "issue {} is queued; its first mail goes out {} at the earliest. Until then: rundbrief issue undo {}",
            issue.id,
            clock(begins, &zone),
            issue.id
        ),
    );
    Ok(ExitCode::SUCCESS)
}

/// Four eyes, where the newsletter wants them: somebody else, and exactly this mail.
fn approved(desk: &Desk) -> anyhow::Result<()> {
    let issue = &desk.issue;
    if desk.newsletter.definition.policies.approval == Approval::None {
        return Ok(());
    }
    let refuse = |why: &str| {
        let message = format!("issue {}: {why}", issue.id);
        Err(Fault::new(Code::NoPermission, message).into())
    };
    let Some(hash) = &issue.approved_hash else {
        return refuse("nobody approved it yet: rundbrief issue approve");
    };
    if *hash != desk.material().hash()? {
        return refuse("it was changed after it was approved; it needs approval again");
    }
    if issue.approved_by.as_deref() == Some(&subscriber::actor()) {
        return refuse("who approved it cannot let it go as well; four eyes are asked for");
    }
    Ok(())
}

/// A moment with an offset, or on the clock of the zone.
fn moment(text: &str, zone: &jiff::tz::TimeZone) -> anyhow::Result<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local = text.parse::<jiff::civil::DateTime>().ok();
    let at = local
        .filter(|_| text.len() > 10)
        .and_then(|local| zone.to_ambiguous_timestamp(local).compatible().ok());
    at.ok_or_else(|| {
        let message = format!(
            "--at {text:?} is no moment; write 2026-12-03T07:00 (the newsletter's clock) or 2026-12-03T07:00:00+01:00"
        );
        Fault::new(Code::Usage, message).into()
    })
}

/// Cancels what was not sent of a cancelled issue, a chunk at a time; a worker does the
/// rest, should this process end in between.
async fn take_back(open: &Open, issue: IssueId) -> anyhow::Result<u64> {
    let mut taken_back = 0;
    loop {
        let mut tx = open.store.begin().await?;
        let some = issue::take_back(&mut tx, issue, subscriber::now()).await?;
        tx.commit().await?;
        if some == 0 {
            return Ok(taken_back);
        }
        taken_back += some;
    }
}

async fn step(context: &Context, open: &Open, named: &Named, step: Step) -> anyhow::Result<()> {
    let before = issue_named(&open.store, &named.issue).await?;
    let id = before.id;
    let now = subscriber::now().timestamp();
    if step == Step::Resume && before.paused_from == Some(issue::state::State::Queued) {
        approved(&Desk::open(open, &named.issue).await?)?;
    }
    let mut tx = open.store.begin().await?;
    let mut overruled = false;
    let done = match step {
        Step::Undo => issue::undo(&mut tx, id, now).await,
        Step::Pause => {
            let why = format!("by {}", subscriber::actor());
            issue::pause(&mut tx, id, &why, now).await
        }
        Step::Resume => {
            let resumed = issue::resume(&mut tx, id, now).await;
            overruled = resumed.is_ok() && guard::overrule(&mut tx, id).await?;
            resumed
        }
        Step::Cancel => issue::cancel(&mut tx, id, now).await,
        Step::Queue | Step::Freeze | Step::Start | Step::Finish | Step::Reopen => {
            unreachable!("the command line has no such command")
        }
    };
    done.map_err(refused)?;
    let paused_why = before.paused_why.filter(|_| overruled);
    note(&mut tx, step.participle(), id, &json!({ "overruled": paused_why })).await?;
    tx.commit().await?;
    let taken_back = if step == Step::Cancel { Some(take_back(open, id).await?) } else { None };
    let issue = issue_named(&open.store, &id.to_string()).await?;
    let sums = sums::of(&open.store, id).await?;
    let mut record = object(&issue);
    let handed_over = sums.accepted + sums.unknown;
    record["handed_over"] = json!(handed_over);
    record["on_the_wire"] = json!(sums.sending);
    record["taken_back"] = json!(taken_back);
    if let Some(why) = &paused_why {
        context.output.remark(format_args!("overruled: {why}"));
    }
    context.output.result(
        &record,
        format_args!(
            "issue {id} is {}; {handed_over} of {} mails were handed over already{}",
            issue.state,
            sums.total,
            match sums.sending {
                0 => String::new(),
                sending => format!(", at most {sending} more are on the wire"),
            }
        ),
    );
    Ok(())
}
