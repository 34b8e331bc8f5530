//! The states of one delivery and the steps between them. Pure, and the only
//! place where they are written down: the ledger's statements are compared with
//! it row by row, and a test walks every interleaving of a small world over it.

use crate::words;

words! {
    /// Where a delivery stands.
    State {
        /// To be sent, now or at its time.
        Queued = "queued",
        /// A worker has it; nothing was written to a relay.
        Claimed = "claimed",
        /// Its mail may be on the wire. Durable before the first byte.
        Sending = "sending",
        /// The relay took it.
        Accepted = "accepted",
        /// The reader's server asked to come back later.
        Deferred = "deferred",
        /// It will not be sent again.
        Failed = "failed",
        /// The final dot may have been written and nobody heard the reply.
        Unknown = "unknown",
        /// Taken back before it was sent.
        Cancelled = "cancelled",
    }
}

words! {
    /// Why a delivery failed.
    Cause {
        /// The receiver refused for good.
        Permanent = "permanent",
        /// Deferred for too long.
        Expired = "expired",
        /// Workers died on it again and again.
        Poison = "poison",
        /// Nobody can know, and the newsletter says: rather not twice.
        Unknown = "unknown",
    }
}

/// So many workers may die on a delivery before it counts as poison.
pub const DEATHS: i64 = 3;

/// What the ledger keeps of a delivery, as far as steps depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Row {
    /// Where it stands.
    pub state: State,
    /// Grows with every claim; who holds an older one has lost it.
    pub generation: i64,
    /// Tries that reached a relay, or may have.
    pub attempts: i64,
    /// Workers that died while it was on the wire.
    pub deaths: i64,
    /// Who holds it, while it is claimed, sending or unknown.
    pub worker: Option<i64>,
    /// Why it failed.
    pub cause: Option<Cause>,
}

impl Row {
    /// A delivery as freezing writes it.
    pub fn queued() -> Row {
        Row {
            state: State::Queued,
            generation: 0,
            attempts: 0,
            deaths: 0,
            worker: None,
            cause: None,
        }
    }
}

/// Who acts on a delivery and which claim they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The worker.
    pub worker: i64,
    /// The generation its claim got.
    pub generation: i64,
}

/// How an unknown delivery is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Settlement {
    /// Journal, bounce or webhook prove that the relay took it.
    Proven,
    /// No evidence; the policy says send again (same Message-ID).
    Resend,
    /// No evidence; the policy or an editor says leave it.
    Leave,
}

/// One thing that can happen to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A worker takes it, when it is due.
    Claim(i64),
    /// The worker is about to write it to a relay.
    Mark(Holder),
    /// Both at once, for a session that is open: nobody sees it claimed.
    Begin(i64),
    /// The worker gives it back; it was certainly not sent.
    GiveBack(Holder),
    /// The relay took it.
    Accept(Holder),
    /// The receiver asked for later.
    Defer(Holder),
    /// The receiver refused for good.
    Refuse(Holder),
    /// The dot was written and no reply came.
    Lose(Holder),
    /// Its worker is dead, and its journal proves that no final dot was written.
    NeverWritten,
    /// Its worker is dead.
    Reap,
    /// What becomes of an unknown one.
    Settle(Settlement),
    /// The receiver asked for later, and has for a day.
    GiveUp(Holder),
    /// It is deferred, and a newer issue begins.
    Expire,
    /// An editor sends it again: it expired, nobody could know, or its reader was away.
    Again,
    /// The issue was cancelled, or the reader left.
    Cancel,
}

/// Takes a step; none means refused: the row is not what the step expects, and stays.
pub fn apply(row: &Row, step: Step) -> Option<Row> {
    let held = |by: Holder, states: &[State]| {
        row.worker == Some(by.worker)
            && row.generation == by.generation
            && states.contains(&row.state)
    };
    let free = |state| Row { state, worker: None, ..row.clone() };
    match step {
        Step::Claim(worker) => matches!(row.state, State::Queued | State::Deferred).then(|| Row {
            state: State::Claimed,
            generation: row.generation + 1,
            worker: Some(worker),
            ..row.clone()
        }),
        Step::Mark(by) => held(by, &[State::Claimed]).then(|| Row {
            state: State::Sending,
            attempts: row.attempts + 1,
            ..row.clone()
        }),
        Step::Begin(worker) => {
            let claimed = apply(row, Step::Claim(worker))?;
            apply(&claimed, Step::Mark(Holder { worker, generation: claimed.generation }))
        }
        Step::GiveBack(by) => held(by, &[State::Claimed, State::Sending]).then(|| {
            let used = i64::from(row.state == State::Sending);
            Row { attempts: row.attempts - used, ..free(State::Queued) }
        }),
        Step::Accept(by) => held(by, &[State::Sending]).then(|| free(State::Accepted)),
        Step::Defer(by) => held(by, &[State::Sending]).then(|| free(State::Deferred)),
        Step::Refuse(by) => held(by, &[State::Sending])
            .then(|| Row { cause: Some(Cause::Permanent), ..free(State::Failed) }),
        // The worker stays named: its journal may still prove something.
        Step::Lose(by) => {
            held(by, &[State::Sending]).then(|| Row { state: State::Unknown, ..row.clone() })
        }
        Step::NeverWritten => (row.state == State::Sending)
            .then(|| Row { attempts: row.attempts - 1, ..free(State::Queued) }),
        Step::Reap => reap(row),
        Step::Settle(how) => (row.state == State::Unknown).then(|| match how {
            Settlement::Proven => free(State::Accepted),
            Settlement::Resend => free(State::Queued),
            Settlement::Leave => Row { cause: Some(Cause::Unknown), ..free(State::Failed) },
        }),
        Step::GiveUp(by) => held(by, &[State::Sending])
            .then(|| Row { cause: Some(Cause::Expired), ..free(State::Failed) }),
        Step::Expire => (row.state == State::Deferred)
            .then(|| Row { cause: Some(Cause::Expired), ..free(State::Failed) }),
        Step::Cancel => matches!(row.state, State::Queued | State::Claimed | State::Deferred)
            .then(|| free(State::Cancelled)),
        Step::Again => {
            let ended = match row.state {
                State::Cancelled => true,
                State::Failed => row.cause.is_some_and(|cause| cause != Cause::Permanent),
                State::Queued
                | State::Claimed
                | State::Sending
                | State::Accepted
                | State::Deferred
                | State::Unknown => false,
            };
            ended.then(|| Row { attempts: 0, deaths: 0, cause: None, ..free(State::Queued) })
        }
    }
}

/// Claimed goes back to the queue, no attempt used; sending becomes unknown, never
/// queued straight away; the third dead worker makes it poison.
fn reap(row: &Row) -> Option<Row> {
    match row.state {
        State::Claimed => Some(Row { state: State::Queued, worker: None, ..row.clone() }),
        State::Sending => {
            let deaths = row.deaths + 1;
            Some(if deaths >= DEATHS {
                Row {
                    state: State::Failed,
                    cause: Some(Cause::Poison),
                    worker: None,
                    deaths,
                    ..row.clone()
                }
            } else {
                Row { state: State::Unknown, deaths, ..row.clone() }
            })
        }
        State::Queued
        | State::Accepted
        | State::Deferred
        | State::Failed
        | State::Unknown
        | State::Cancelled => None,
    }
}
