//! What came back: failure, delay, complaint, auto-reply, or unclear.
//!
//! `report::read` is the pure reader: bytes in, a report out. Below it, from the
//! outside in: `mime` and `text` take a mail apart, `dsn`, `complaint`, `notice`
//! and `autoreply` read what stands in it, `phrase` and `reason` know the words and
//! codes, `failure` weighs them, `returned` finds what ties a report to a mail.
//!
//! `inbox` stores what comes in, once. `verdict::step` decides what a stored report
//! is worth: `tie` proves which delivery it is about, `rule` says what follows and
//! `follow` does it, `breaker` holds everything back when too much bounces at once,
//! and `review` is where a person decides the rest; `list` and `memory` show it. What
//! a person wrote is read by `person`, and handed on.

pub mod inbox;
pub mod maildir;
pub mod verdict;

pub mod breaker;
pub mod follow;
pub mod list;
pub mod memory;
pub mod refusal;
pub mod review;
pub mod rule;
pub mod tie;

pub mod record;
pub mod report;

pub mod autoreply;
pub mod complaint;
pub mod dsn;
pub mod failure;
pub mod notice;
pub mod person;
pub mod place;
pub mod returned;

pub mod phrase;
pub mod reason;

pub mod address;
pub mod mime;
pub mod text;
