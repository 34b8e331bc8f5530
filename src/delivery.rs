//! One issue to one subscriber: the ledger and those who write it.

pub mod journal;
pub mod state;
