//! From what a session got to what the ledger, the pace and the breaker are told.

use serde::{Deserialize, Serialize};

use super::DeliveryId;
use super::backoff;
use super::ledger::{Claim, Entry};
use super::pace::{Breaker, Pace};
use super::pool::{Done, Ready};
use super::state::{Cause, State};
use super::worker::Worker;
use crate::smtp::scope::{self, Scope};
use crate::smtp::{Answer, Outcome, Stage};
use crate::store::value::Millis;

/// How long a delivery waits that the relay could not take.
const RELAY_WAIT: std::time::Duration = std::time::Duration::from_secs(2);

/// A delivery that was certainly not sent goes back, not before `next_at`.
pub(super) fn back(claim: &Claim, next_at: Millis) -> Entry {
    Entry {
        id: claim.id,
        generation: claim.generation,
        state: State::Queued,
        cause: None,
        next_at,
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
    Done { ready, outcome }
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
            self.held.remove(&one.ready.claim.id);
            let scope = scope::judge(&one.outcome);
            self.learn(&one, scope, now);
            self.unrecorded.push(entry(&one, scope, now));
        }
    }

    fn learn(&mut self, done: &Done, scope: Scope, now: Millis) {
        if let Answer::Reply(reply) = &done.outcome.answer
            && scope != Scope::Accepted
            && scope != Scope::Relay
            && scope::slows(reply)
        {
            self.pace.slow(&done.ready.claim.domain, now);
        }
        match scope {
            Scope::Accepted | Scope::Never => {
                self.breaker.good();
                self.trouble = None;
            }
            Scope::Later => self.breaker.later(now),
            Scope::Relay => {
                self.trouble = Some(done.outcome.words());
                self.breaker.bad(now);
            }
            Scope::Issue => {
                self.refused.insert(done.ready.issue.id, done.outcome.words());
            }
            Scope::Unknown => {
                self.trouble = Some(done.outcome.words());
                self.breaker.bad(now);
                tracing::warn!(delivery = done.ready.claim.id.0, "delivery.unknown");
            }
            Scope::Withheld => {}
        }
    }

    /// A session could not be opened. A log-in that is refused for good stops every
    /// issue: no mail can go out before somebody looked.
    pub(super) fn unopened(&mut self, outcome: &Outcome, now: Millis) {
        let words = outcome.words();
        let stage = outcome.stage.as_str();
        tracing::warn!(stage, why = words, "delivery.relay.failed");
        if scope::judge(outcome) == Scope::Issue {
            for issue in self.sending() {
                self.refused.insert(issue, words.clone());
            }
        }
        self.trouble = Some(words);
        self.breaker.bad(now);
    }
}

/// What is stored of a transport, so that a restart does not burst.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    pace: Pace,
    breaker: Breaker,
}

/// The stored form.
pub(super) fn stored(pace: &Pace, breaker: &Breaker) -> String {
    let stored = Stored { pace: pace.clone(), breaker: breaker.clone() };
    serde_json::to_string(&stored).expect("numbers and names can always be written")
}

/// Reads the stored form under today's limits; what cannot be read is forgotten.
/// An open breaker is tried again at once: somebody restarted us.
pub(super) fn resume(
    state: Option<&str>,
    rate: Option<f64>,
    domain_rate: Option<f64>,
    now: Millis,
) -> (Pace, Breaker) {
    let fresh = Pace::new(rate, domain_rate, now);
    match state.and_then(|state| serde_json::from_str::<Stored>(state).ok()) {
        Some(stored) => (fresh.resume(stored.pace), Breaker::default()),
        None => (fresh, Breaker::default()),
    }
}
