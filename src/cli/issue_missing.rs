//! `rundbrief issue missing` and `resend`: who did not get an issue, why, and the
//! issue once more for those who can still have it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rundbrief_templates::language::Language;
use serde_json::json;

use super::exit::{Code, Fault};
use super::issue::{Named, issue_named, note, refused};
use super::{Context, Open, subscriber};
use crate::delivery::missing::{self, Why};
use crate::delivery::{DeliveryId, again, sums};
use crate::issue::{Issue, state};
use crate::subscriber::SubscriptionId;

/// To whom.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("whom").required(true).multiple(true))]
pub struct Resend {
    /// Its number, or newsletter/number
    issue: String,
    /// Those whose mail expired, was left as unknown, or was skipped while they were away
    #[arg(long, group = "whom")]
    missing: bool,
    /// Those who joined, or came back from a pause, after it was frozen
    #[arg(long, group = "whom")]
    since_joined: bool,
}

/// Lists who did not get an issue, a page at a time.
///
/// # Errors
/// There is no such issue, or the database failed.
pub(super) async fn list(context: &Context, open: &Open, named: &Named) -> anyhow::Result<()> {
    let issue = issue_named(&open.store, &named.issue).await?;
    was_frozen(&issue)?;
    let mut counts: BTreeMap<&str, (u64, bool)> = BTreeMap::new();
    let mut after = DeliveryId(0);
    loop {
        let page = missing::page(&open.store, issue.id, after, missing::PAGE).await?;
        for one in &page {
            let (why, again) = (one.why(&issue), one.can_be_sent_again());
            let counted = counts.entry(why.as_str()).or_insert((0, again));
            *counted = (counted.0 + 1, counted.1 || again);
            context.output.result(
                &json!({
                    "delivery": one.id, "address": one.address, "why": why.as_str(),
                    "in_words": why.say(Language::English), "state": one.state, "cause": one.cause,
                    "code": one.code, "words": one.words, "since": one.since.to_string(),
                    "resend": again,
                }),
                line(one.address.as_deref(), why, &one.words),
            );
        }
        let Some(last) = page.last() else { break };
        after = last.id;
    }
    let joined = list_joined(context, open, &issue).await?;
    if joined > 0 {
        counts.insert(Why::Joined.as_str(), (joined, true));
    }
    say_end(context, open, &issue, &counts).await
}

async fn list_joined(context: &Context, open: &Open, issue: &Issue) -> anyhow::Result<u64> {
    let mut count = 0;
    let mut after = SubscriptionId(0);
    loop {
        let page = missing::joined(&open.store, issue.id, issue.newsletter_id, after).await?;
        for one in &page {
            context.output.result(
                &json!({
                    "delivery": null, "address": one.address, "why": Why::Joined.as_str(),
                    "in_words": Why::Joined.say(Language::English),
                    "since": one.since.to_string(), "resend": true,
                }),
                line(Some(&one.address), Why::Joined, ""),
            );
        }
        count += page.len() as u64;
        let Some(last) = page.last() else { return Ok(count) };
        after = last.id;
    }
}

fn line(address: Option<&str>, why: Why, words: &str) -> String {
    let (who, why) = (address.unwrap_or("(erased)"), why.say(Language::English));
    if words.is_empty() { format!("{who}  {why}") } else { format!("{who}  {why}: {words}") }
}

async fn say_end(
    context: &Context,
    open: &Open,
    issue: &Issue,
    counts: &BTreeMap<&str, (u64, bool)>,
) -> anyhow::Result<()> {
    let sums = sums::of(&open.store, issue.id).await?;
    let waiting = sums.queued + sums.claimed + sums.sending;
    if waiting > 0 {
        context.output.remark(format_args!("{waiting} mails wait their turn; they are not listed"));
    }
    if counts.is_empty() && waiting == 0 {
        context.output.remark(format_args!("issue {}: everybody got it", issue.id));
    }
    for (why, (count, again)) in counts {
        let hint = match (*again, *why == Why::Joined.as_str()) {
            (true, true) => format!("; rundbrief issue resend {} --since-joined", issue.id),
            (true, false) => format!("; rundbrief issue resend {} --missing", issue.id),
            (false, _) => String::new(),
        };
        context.output.remark(format_args!("{count:>9}  {why}{hint}"));
    }
    Ok(())
}

/// Queues an issue for those who did not get it.
///
/// # Errors
/// The issue was never sent, or was cancelled.
pub(super) async fn resend(
    context: &Context,
    open: &Open,
    arguments: Resend,
) -> anyhow::Result<()> {
    let issue = issue_named(&open.store, &arguments.issue).await?;
    was_frozen(&issue)?;
    let now = subscriber::now().timestamp();
    let (mut missing, mut joined) = (0, 0);
    if arguments.missing {
        missing = queue_all(context, open, &issue, Whom::Missing, now).await?;
    }
    if arguments.since_joined {
        joined = queue_all(context, open, &issue, Whom::Joined, now).await?;
    }
    let id = issue.id;
    let mut tx = open.store.begin().await?;
    note(&mut tx, "resend", id, &json!({ "missing": missing, "since_joined": joined })).await?;
    tx.commit().await?;
    let total = sums::of(&open.store, id).await?.total;
    let paused = if issue.state == state::State::Paused {
        format!(". It is paused: rundbrief issue resume {id}")
    } else {
        String::new()
    };
    context.output.result(
        &json!({ "issue": id, "missing": missing, "since_joined": joined, "total": total }),
        format_args!(
            "issue {id}: {missing} queued once more, {joined} who joined since; {total} readers in all{paused}"
        ),
    );
    Ok(())
}

/// Whose turn it is.
#[derive(Clone, Copy)]
enum Whom {
    Missing,
    Joined,
}

/// Queues the issue for all of these, a chunk at a time; how many they were.
async fn queue_all(
    context: &Context,
    open: &Open,
    issue: &Issue,
    whom: Whom,
    now: Timestamp,
) -> anyhow::Result<u64> {
    let (mut queued, mut after) = (0, 0);
    loop {
        let step = match whom {
            Whom::Missing => again::missing(&open.store, issue, after, now).await,
            Whom::Joined => again::joined(&open.store, issue, after, now).await,
        };
        let step = step.map_err(refused)?;
        queued += step.queued;
        let Some(next) = step.next else { return Ok(queued) };
        after = next;
        say_progress(context, queued);
    }
}

fn say_progress(context: &Context, queued: u64) {
    if context.output.is_terminal() && queued > 0 {
        context.output.remark(format_args!("{queued} queued"));
    }
}

/// Before that, nobody is missing it.
fn was_frozen(issue: &Issue) -> anyhow::Result<()> {
    match issue.state {
        state::State::Draft | state::State::Queued | state::State::Expanding => {
            let message = format!("issue {} is {}: it has not gone out yet", issue.id, issue.state);
            Err(Fault::new(Code::Data, message).into())
        }
        state::State::Sending
        | state::State::Paused
        | state::State::Finished
        | state::State::Cancelled => Ok(()),
    }
}
