//! `rundbrief send`: one issue, in the foreground, until nothing is left to do now.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde::Serialize;

use super::exit::{Code, Fault};
use super::{Context, Open};
use crate::daemon::signals::Signals;
use crate::delivery::line::PUT_OFF;
use crate::delivery::sums::{self, Sums};
use crate::delivery::worker::{Round, Worker};
use crate::delivery::{transport, wave};
use crate::issue::freeze::Chance;
use crate::issue::state::State;
use crate::issue::{self, Issue, due};
use crate::letter::address::Office;
use crate::store::lock::Lock;
use crate::store::value::Millis;

/// How often the progress is said.
const SAY: Duration = Duration::from_secs(2);
/// How often it is looked whether a first wave is over, or somebody wants to stop.
const LOOK: Duration = Duration::from_millis(500);
/// How long replies that are due are waited for when told to stop.
const DRAIN: Duration = Duration::from_secs(60);
/// How long to wait before the database is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// Failures of the database in a row that end the command; the daemon would go on.
const FAILURES: u32 = 5;

/// How.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The issue: its key, or NEWSLETTER/NUMBER
    issue: String,
}

/// What is printed at the end.
#[derive(Serialize)]
struct Report {
    issue: i64,
    state: State,
    #[serde(flatten)]
    sums: Sums,
}

/// Runs the command.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn run(context: &Context, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let open = context.open().await?;
    let _lock = Lock::take(&open.config.directory)?;
    let issue = begin(&open, &arguments.issue).await?;
    let setup = transport::setup(&open.config, &open.key, clock)?;
    let (mut worker, found) =
        Worker::start(open.store.clone(), &open.config.directory, setup).await?;
    worker.only(issue.id);
    if found.proven + found.back + found.unknown > 0 {
        context.output.remark(format!(
            "the last process left something: {} proven by its journal, {} back in the queue, {} unknown",
            found.proven, found.back, found.unknown
        ));
    }
    let ended = deliver(context, &open, &mut worker, &issue).await;
    let left = worker.drain(DRAIN).await;
    let blocked = ended?;
    let left = left.context("stopping")?;
    let now = issue::get(&open.store, issue.id).await?.unwrap_or(issue);
    let sums = sums::of(&open.store, now.id).await?;
    say_end(context, &now, &sums, left);
    open.store.close().await;
    match blocked.or_else(|| stopped(&now)) {
        Some(why) => Err(Fault::new(Code::TemporaryFailure, why).into()),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Why a guard or a relay stopped the issue, if one did.
fn stopped(issue: &Issue) -> Option<String> {
    let why = issue.paused_why.as_ref().filter(|_| issue.state == State::Paused)?;
    let id = issue.id;
    Some(format!("issue {id} was paused: {why}. To go on: rundbrief issue resume {id}"))
}

/// The issue, frozen if its time has come.
async fn begin(open: &Open, name: &str) -> anyhow::Result<Issue> {
    let missing =
        || Fault::new(Code::NoInput, format!("no issue {name}. See rundbrief issue list"));
    let issue = issue::find(&open.store, name).await?.ok_or_else(missing)?;
    if issue.state == State::Queued {
        let office = Office::of(&open.config)?;
        let mut chance = || Chance { slots: random(), marks: random() };
        due::begin(&open.store, &office, timestamp(), &mut chance).await?;
    }
    let issue = issue::get(&open.store, issue.id).await?.ok_or_else(missing)?;
    let refuse = |why: String| Err(Fault::new(Code::Data, why).into());
    match issue.state {
        State::Expanding | State::Sending | State::Finished => Ok(issue),
        State::Draft => {
            refuse(format!("issue {name} is a draft. Queue it first: rundbrief issue queue {name}"))
        }
        State::Queued => {
            let at = issue.send_at.map_or_else(String::new, |at| format!(" It begins at {at}."));
            let text = format!("issue {name} can still be taken back.{at}");
            Err(Fault::new(Code::TemporaryFailure, text).into())
        }
        State::Paused => {
            let why = issue.paused_why.as_deref().unwrap_or("no reason was given");
            refuse(format!(
                "issue {name} is paused: {why}. To go on: rundbrief issue resume {name}"
            ))
        }
        State::Cancelled => refuse(format!("issue {name} was cancelled")),
    }
}

/// Rounds until nothing is left to do now. Answers why it cannot go on, if so.
async fn deliver(
    context: &Context,
    open: &Open,
    worker: &mut Worker,
    issue: &Issue,
) -> anyhow::Result<Option<String>> {
    let mut stop = Signals::take().context("signals cannot be listened for")?;
    let mut progress = Progress::new(context);
    let mut failures = 0;
    loop {
        // Between rounds, never in one: a transaction that is left in the middle
        // may have been committed.
        if stop.came().await {
            context.output.remark("stopping: waiting for replies that are due");
            return Ok(None);
        }
        let round = match worker.round().await {
            Ok(round) => round,
            Err(error) if error.is::<crate::delivery::journal::Error>() => return Err(error),
            Err(error) => {
                failures += 1;
                if failures == FAILURES {
                    return Err(error);
                }
                context.output.remark(format!("{error:#}; trying again"));
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        failures = 0;
        match round {
            Round::Busy => progress.say(context, open, issue).await?,
            Round::Idle(next) => {
                let now = clock();
                if let Some(until) = wave::waits(&open.store, issue.id, now).await? {
                    progress.wave(context, until);
                } else if next.is_none_or(|next| next > now.after(PUT_OFF)) {
                    return Ok(None);
                }
                tokio::time::sleep(LOOK).await;
            }
            Round::Blocked(until) => {
                let why = worker.trouble();
                let why = why.as_deref().unwrap_or("no session can be opened");
                return Ok(Some(format!(
                    "the relay does not work: {why}. Nobody was failed; it is asked again after {until}"
                )));
            }
        }
    }
}

/// A bar on a terminal, plain lines elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    said: Instant,
    /// The end of a first wave that was said.
    wave: Option<Millis>,
}

impl Progress {
    fn new(context: &Context) -> Progress {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {msg}");
        let bar = context.output.is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar
        });
        Progress { bar, said: Instant::now(), wave: None }
    }

    fn wave(&mut self, context: &Context, until: Millis) {
        if self.wave.replace(until) != Some(until) {
            context.output.remark(format!("the first wave is out; the rest follows after {until}"));
        }
    }

    async fn say(&mut self, context: &Context, open: &Open, issue: &Issue) -> anyhow::Result<()> {
        if self.said.elapsed() < SAY {
            return Ok(());
        }
        self.said = Instant::now();
        let sums = sums::of(&open.store, issue.id).await?;
        let done = sums.total - sums.open();
        match &self.bar {
            Some(bar) => {
                bar.set_length(sums.total.unsigned_abs());
                bar.set_position(done.unsigned_abs());
            }
            None => context.output.remark(format!("{done} of {} done", sums.total)),
        }
        Ok(())
    }
}

fn say_end(context: &Context, issue: &Issue, sums: &Sums, left: usize) {
    if left > 0 {
        context.output.remark(format!("{left} mails were on the wire without a reply: unknown"));
    }
    for line in waiting(sums, issue.state) {
        context.output.remark(line);
    }
    if !sums.add_up() {
        context.output.remark("the sums do not add up: this is a mistake in the program");
    }
    let text = format!(
        "issue {}: {}. {} of {} accepted, {} failed, {} deferred, {} queued, {} unknown, {} cancelled",
        issue.id,
        issue.state,
        sums.accepted,
        sums.total,
        sums.failed,
        sums.deferred,
        sums.queued,
        sums.unknown,
        sums.cancelled
    );
    context.output.result(&Report { issue: issue.id.0, state: issue.state, sums: *sums }, text);
}

/// What is still to be done, and why: only what a receiver put off waits for its time.
fn waiting(sums: &Sums, state: State) -> Vec<String> {
    let mut lines = Vec::new();
    if sums.deferred > 0 {
        lines.push(format!(
            "{} wait for a later try, as receivers asked for. `rundbrief run` sends them at their time; so does this command, run again then",
            sums.deferred
        ));
    }
    if sums.queued > 0 && state == State::Sending {
        lines.push(format!(
            "{} were not sent yet and stay queued. `rundbrief run` sends them; so does this command, run again",
            sums.queued
        ));
    }
    lines
}

fn random() -> u128 {
    let mut octets = [0; 16];
    aws_lc_rs::rand::fill(&mut octets).expect("the system has random bytes");
    u128::from_ne_bytes(octets)
}

#[expect(clippy::disallowed_methods, reason = "a command reads the clock")]
fn timestamp() -> Timestamp {
    Timestamp::now()
}

fn clock() -> Millis {
    timestamp().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_receivers_ask_for_a_later_try() {
        let said = |queued, deferred, state| {
            let sums = Sums { queued, deferred, ..Sums::default() };
            waiting(&sums, state).join("\n")
        };
        assert!(said(7, 0, State::Sending).starts_with("7 were not sent yet and stay queued"));
        assert!(said(0, 2, State::Sending).starts_with("2 wait for a later try, as receivers"));
        assert_eq!(said(7, 2, State::Sending).lines().count(), 2);
        assert_eq!(said(7, 0, State::Paused), "", "that it is paused is said, and why");
        assert_eq!(said(0, 0, State::Finished), "");
    }
}
