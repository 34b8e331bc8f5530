//! `rundbrief issue unknown`: mails of which nobody can know whether they arrived.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::exit::{Code, Fault};
use super::issue::{issue_named, note, refused};
use super::{Context, Open, subscriber};
use crate::delivery::DeliveryId;
use crate::delivery::state::{Cause, State};
use crate::delivery::unknown::{self, Choice, Unknown};
use crate::issue::{Issue, state};

/// Deliveries that one transaction settles.
const PAGE: i64 = 1_000;

/// Which, and what to do with them.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Its number, or newsletter/number
    issue: String,
    /// Send them once more, with the same Message-ID
    #[arg(long, conflicts_with = "leave")]
    send_again: bool,
    /// Do not send them again
    #[arg(long)]
    leave: bool,
    /// Only these readers; where none is named, all whose mail is still unknown
    addresses: Vec<String>,
}

/// Lists, or decides.
///
/// # Errors
/// An address is not among them, the issue was cancelled, or the database failed.
pub(super) async fn run(
    context: &Context,
    open: &Open,
    arguments: Arguments,
) -> anyhow::Result<()> {
    let issue = issue_named(&open.store, &arguments.issue).await?;
    let choice = match (arguments.send_again, arguments.leave) {
        (true, _) => Some(Choice::SendAgain),
        (false, true) => Some(Choice::Leave),
        (false, false) => None,
    };
    if choice == Some(Choice::SendAgain) && issue.state == state::State::Cancelled {
        let message = format!("issue {} was cancelled, so nothing of it is sent again", issue.id);
        return Err(Fault::new(Code::Data, message).into());
    }
    let mut wanted: HashSet<String> =
        arguments.addresses.iter().map(|address| address.to_lowercase()).collect();
    let all = wanted.is_empty();
    let (mut found, mut moved) = (0_usize, 0_u64);
    let mut after = DeliveryId(0);
    loop {
        let page = unknown::page(&open.store, issue.id, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        let mut chosen = Vec::new();
        for one in page {
            let address = one.address.as_deref().unwrap_or_default().to_lowercase();
            // What was left, or is poison, is for somebody who names it.
            let in_bulk = choice != Some(Choice::SendAgain) || one.state == State::Unknown;
            if wanted.remove(&address) || all && in_bulk {
                chosen.push(one);
            }
        }
        found += chosen.len();
        match choice {
            None => {
                for one in &chosen {
                    context.output.result(&object(one), line(one));
                }
            }
            Some(choice) => moved += settle(open, &issue, choice, &chosen).await?,
        }
    }
    if let Some(stranger) = wanted.iter().min() {
        let message = format!("issue {}: the mail to {stranger} is not unknown", issue.id);
        return Err(Fault::new(Code::Data, message).into());
    }
    say(context, &issue, choice, found, moved);
    Ok(())
}

async fn settle(
    open: &Open,
    issue: &Issue,
    choice: Choice,
    chosen: &[Unknown],
) -> anyhow::Result<u64> {
    let tries: Vec<_> = chosen.iter().map(|one| (one.id, one.generation)).collect();
    let now = subscriber::now().timestamp();
    let mut tx = open.store.begin().await?;
    let moved = unknown::settle(&mut tx, issue.id, choice, &tries, now).await.map_err(refused)?;
    if moved > 0 {
        note(&mut tx, act(choice), issue.id, &json!({ "deliveries": moved })).await?;
    }
    tx.commit().await?;
    Ok(moved)
}

fn act(choice: Choice) -> &'static str {
    match choice {
        Choice::SendAgain => "send unknown again",
        Choice::Leave => "leave unknown",
    }
}

fn say(context: &Context, issue: &Issue, choice: Option<Choice>, found: usize, moved: u64) {
    let id = issue.id;
    match choice {
        None if found == 0 => {
            context.output.remark(format_args!("issue {id}: nothing is unknown"));
        }
        None if issue.state == state::State::Cancelled => context
            .output
            .remark(format_args!("{found} mails; the issue was cancelled, so none is sent again")),
        None => context.output.remark(format_args!(
            "{found} mails; --send-again sends them once more, --leave leaves them"
        )),
        Some(choice) => {
            let done = match choice {
                Choice::SendAgain => "queued once more",
                Choice::Leave => "left as they are",
            };
            let paused = match issue.state {
                state::State::Paused if choice == Choice::SendAgain => {
                    format!(". The issue is paused: rundbrief issue resume {id}")
                }
                state::State::Draft
                | state::State::Queued
                | state::State::Expanding
                | state::State::Sending
                | state::State::Paused
                | state::State::Finished
                | state::State::Cancelled => String::new(),
            };
            context.output.result(
                &json!({ "issue": id, "act": act(choice), "deliveries": moved }),
                format_args!("issue {id}: {moved} mails {done}{paused}"),
            );
        }
    }
}

/// One of them as it is printed.
pub(super) fn object(one: &Unknown) -> Value {
    json!({
        "delivery": one.id,
        "address": one.address,
        "state": one.state,
        "cause": one.cause,
        "attempts": one.attempts,
        "since": one.since.to_string(),
        "worker": one.worker,
        "host": one.host,
        "words": one.words,
    })
}

/// The same for people.
pub(super) fn line(one: &Unknown) -> String {
    let who = one.address.as_deref().unwrap_or("(erased)");
    let worker = match (&one.worker, &one.host) {
        (Some(worker), Some(host)) => format!("worker {worker} on {host}"),
        (Some(worker), None) => format!("worker {worker}"),
        (None, _) => "no worker has it".to_owned(),
    };
    let left = match (one.state, one.cause) {
        (State::Failed, Some(Cause::Poison)) => ", poison",
        (State::Failed, _) => ", left",
        _ => "",
    };
    format!("{who}  since {}{left}, {worker}: {}", one.since, one.words)
}
