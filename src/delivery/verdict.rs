//! From what a session got to what the ledger, the pace and the breaker are told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::DeliveryId;
use super::backoff;
use super::breaker::Gate;
use super::due::Claim;
use super::guard::Weighed;
use super::ledger::Entry;
use super::pool::{Done, Ready, Running};
use super::state::{Cause, State};
use super::worker::Worker;
use crate::issue::IssueId;
use crate::smtp::scope::{self, Scope};
use crate::smtp::{Answer, Outcome, Stage};
use crate::store::value::Millis;

/// How long a delivery waits that the relay could not take.
const RELAY_WAIT: std::time::Duration = std::time::Duration::from_secs(2);

/// A delivery that was certainly not sent goes back, not before `next_at`.
pub(super) fn back(claim: &Claim, next_at: Millis) -> Entry {
    Entry { next_at, ..unsent(claim.id, claim.generation) }
}

/// A marked delivery whose dot was not written: back at once.
pub(super) fn unsent(id: DeliveryId, generation: i64) -> Entry {
    Entry {
        id,
        generation,
        state: State::Queued,
        cause: None,
        next_at: Millis(0),
        unused: true,
        stage: Stage::Mail.as_str(),
        code: None,
        words: String::new(),
    }
}

/// A delivery whose reply we did not wait for.
pub(super) fn lost(id: DeliveryId, generation: i64) -> Entry {
    Entry {
        id,
        generation,
        state: State::Unknown,
        cause: None,
        next_at: Millis(0),
        unused: false,
        stage: Stage::Dot.as_str(),
        code: None,
        words: "the worker stopped before the reply came".to_owned(),
    }
}

/// A marked delivery that no session had taken.
pub(super) fn held_back(ready: Ready) -> Done {
    let outcome = Outcome { stage: Stage::Mail, answer: Answer::Withheld };
    Done { ready, outcome, begun: Millis(0), again: false }
}

/// What an outcome writes into the ledger.
fn entry(done: &Done, scope: Scope, now: Millis) -> Entry {
    let claim = &done.ready.claim;
    let plain = Entry {
        stage: done.outcome.stage.as_str(),
        code: done.outcome.code(),
        words: done.outcome.words(),
        ..back(claim, Millis(0))
    };
    match scope {
        Scope::Accepted => Entry { state: State::Accepted, unused: false, ..plain },
        Scope::Relay => Entry { next_at: now.after(RELAY_WAIT), ..plain },
        Scope::Issue | Scope::Withheld => plain,
        Scope::Later => match backoff::wait(claim.attempts + 1, chance(claim)) {
            Some(wait) => {
                Entry { state: State::Deferred, next_at: now.after(wait), unused: false, ..plain }
            }
            None => {
                Entry { state: State::Failed, cause: Some(Cause::Expired), unused: false, ..plain }
            }
        },
        Scope::Never => {
            Entry { state: State::Failed, cause: Some(Cause::Permanent), unused: false, ..plain }
        }
        Scope::Unknown => Entry { state: State::Unknown, unused: false, ..plain },
    }
}

/// Spreads retries: between 0 and 1, different for each delivery and try, and the
/// same whenever it is asked.
fn chance(claim: &Claim) -> f64 {
    let mixed =
        (claim.id.0 as u64).wrapping_add(claim.attempts as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as f64 / (1_u64 << 24) as f64
}

impl Worker {
    /// Judges what sessions did: for the ledger, the pace and the breaker.
    pub(super) fn judge(&mut self, done: Vec<Done>, now: Millis) {
        for one in done {
            let (id, line) = (one.ready.claim.id, &mut self.lines[one.ready.line]);
            if self.held.remove(&id).is_some() {
                line.held -= 1;
            }
            let said = scope::judge(&one.outcome);
            let scope = line.stubborn.weigh(id, one.outcome.stage, said, now);
            *line.outcomes.entry(scope).or_default() += 1;
            // What is one reader's own says nothing about the relay.
            if scope == said {
                self.learn(&one, scope, now);
            }
            let issue = one.ready.issue.id;
            let never = scope == Scope::Never;
            let weighed = self.suspects.weigh(issue, entry(&one, scope, now), never);
            self.keep(issue, weighed);
        }
    }

    /// Nothing is on the wire any more: refusals that were held back are decided.
    /// Answers whether there were any.
    pub(super) fn decide(&mut self) -> bool {
        let decided = self.suspects.settle();
        let any = !decided.is_empty();
        for (issue, weighed) in decided {
            self.keep(issue, weighed);
        }
        any
    }

    fn keep(&mut self, issue: IssueId, weighed: Weighed) {
        match weighed {
            Weighed::Record(entries) => self.unrecorded.extend(entries),
            Weighed::Stop(entries) => {
                let words = entries.last().map_or("", |entry| &entry.words);
                let why = format!(
                    "every mail is refused in the same words, so nobody was failed: {words}. If the relay is right, resume sends on"
                );
                self.refused.insert(issue, why);
                for sending in self.issues.iter().filter(|one| one.running.id == issue) {
                    sending.running.halted.store(true, Ordering::SeqCst);
                }
                self.unrecorded.extend(entries);
            }
        }
    }

    fn learn(&mut self, done: &Done, scope: Scope, now: Millis) {
        let line = &mut self.lines[done.ready.line];
        let before = line.breaker.gate(now);
        if let Answer::Reply(reply) = &done.outcome.answer
            && scope != Scope::Relay
        {
            line.pace.heard(&done.ready.claim.domain, scope::slows(reply), now);
        }
        match scope {
            Scope::Accepted | Scope::Never => {
                line.breaker.good(done.begun, now);
                if line.breaker.gate(now) == Gate::Closed {
                    line.trouble = None;
                }
            }
            Scope::Later => {
                line.breaker.later(done.begun, now);
                if line.breaker.gate(now) != before {
                    line.trouble = Some(done.outcome.words());
                }
            }
            Scope::Relay => {
                line.trouble = Some(done.outcome.words());
                if !done.again {
                    line.breaker.bad(done.begun, now);
                }
            }
            Scope::Issue => {
                let words = done.outcome.words();
                self.refuse(&done.ready.issue, done.ready.line, &words, now);
                return;
            }
            Scope::Unknown => {
                line.trouble = Some(done.outcome.words());
                if !done.again {
                    line.breaker.bad(done.begun, now);
                }
                tracing::warn!(delivery = done.ready.claim.id.0, "delivery.unknown");
            }
            Scope::Withheld => {}
        }
        line.note_breaker(before, now);
    }

    /// A transport refuses an issue, whoever reads it. The next one of its route is
    /// tried; when all refuse, the issue stops and nobody failed.
    fn refuse(&mut self, issue: &Running, at: usize, words: &str, now: Millis) {
        let transport = self.lines[at].name.as_str();
        if !self.refusals.stands(issue.id, at, now) {
            tracing::warn!(issue = issue.id.0, transport, why = words, "delivery.issue.refused");
        }
        self.refusals.note(issue.id, at, words.to_owned(), now);
        let Some(all) = self.refusals.of_all(issue.id, &issue.route, now) else { return };
        let said = all.iter().map(|(at, words)| format!("{}: {words}", self.lines[*at].name));
        self.refused.insert(issue.id, said.collect::<Vec<_>>().join("; "));
        // Nothing more is marked for it; the look knows it as paused from now on.
        issue.halted.store(true, Ordering::SeqCst);
    }

    /// A session could not be opened. A log-in that is refused for good is a refusal
    /// of every issue that goes by this transport: no mail of it can before somebody
    /// looked.
    pub(super) fn unopened(
        &mut self,
        at: usize,
        (outcome, begun): &(Outcome, Millis),
        now: Millis,
    ) {
        let words = outcome.words();
        let stage = outcome.stage.as_str();
        let transport = self.lines[at].name.as_str();
        tracing::warn!(transport, stage, why = words, "delivery.relay.failed");
        if scope::judge(outcome) == Scope::Issue {
            let running = self.issues.iter().map(|sending| Arc::clone(&sending.running));
            let by_this = running.filter(|issue| issue.route.contains(&at));
            for issue in by_this.collect::<Vec<_>>() {
                self.refuse(&issue, at, &words, now);
            }
        }
        let line = &mut self.lines[at];
        let before = line.breaker.gate(now);
        line.trouble = Some(words);
        line.breaker.bad(*begun, now);
        line.note_breaker(before, now);
    }
}
