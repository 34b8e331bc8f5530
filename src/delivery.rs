//! One issue to one subscriber: the ledger and those who write it.
//!
//! A delivery's states and steps are in [`state`], pure. [`expand`] writes the
//! rows of a frozen issue, [`ledger`] claims, marks and records them in groups,
//! [`settle`] cares for what a dead worker left, with the [`journal`]'s help ([`replay`]).
//! [`worker`] does one round of it all and never loops, but for the [`sight`] beside
//! it of what must not be sent any more; a [`line`](mod@line) is a
//! transport at work, [`pool`] holds the sessions, [`verdict`] says what their
//! outcomes mean, [`pace`] how fast it may go, [`breaker`] whether at all, [`stubborn`]
//! whom alone the relay does not take. [`choice`] takes what is [`due`] next.
//! [`clocks`] sets right what a clock dated that ran ahead. [`guard`] pauses an issue that
//! must not go on, [`refusal`] knows which transports do not want it, [`wave`] lets a long
//! list begin with a few mails. [`missing`], [`unknown`] and [`again`] are for whom it did
//! not reach.
//!
//! # The bound
//! Nobody is lost. Doubled are, with the same Message-ID, at most the mails whose dot
//! was written and whose reply nothing proves any more:
//! * a process that is killed: one for each session (with CHUNKING, its window), since
//!   a reply is in the journal before the session goes on;
//! * a machine that loses power: the transport's `unsynced_replies` for each session (or
//!   its window, if that is larger), since a session waits for the disk before it goes
//!   further. A thread syncs all sessions' replies together and without pause, so that
//!   behind a relay that answers more slowly than the disk it is one or two.
//!
//! The journal is allocated beforehand, so this also holds while the database is down,
//! locked or full. It does not hold for
//! * a worker on PostgreSQL that stays away for longer than a reply may take and evidence
//!   is waited for (`WIRE_LIVES` and `EVIDENCE` in [`settle`], 25 minutes together): by
//!   then the others have sent again what it had marked, up to a window for each
//!   transport, though its own journal may hold replies to all of it;
//! * a relay that takes mails and never says so: it gets each up to `LOSSES` times.

pub mod again;
pub mod backoff;
pub mod breaker;
pub mod choice;
pub mod clocks;
pub mod drain;
pub mod due;
pub mod expand;
pub mod guard;
pub mod journal;
pub mod ledger;
mod licence;
pub mod line;
pub mod missing;
pub mod pace;
pub mod pool;
mod probe;
pub mod queue;
pub mod reasons;
mod record;
pub mod refusal;
pub mod replay;
pub mod settle;
pub mod sight;
pub mod silent;
pub mod state;
pub mod stubborn;
pub mod sums;
pub mod transport;
pub mod unknown;
pub mod upkeep;
pub mod verdict;
pub mod watch;
pub mod wave;
pub mod worker;

use crate::key;

key! {
    /// The key of a delivery.
    DeliveryId
}

key! {
    /// The key of a worker: one process that delivers.
    WorkerId
}
