//! What came back: failure, delay, complaint, auto-reply, or unclear.
//!
//! `report::read` is the pure reader: bytes in, a report out. Below it, from the
//! outside in: `mime` and `text` take a mail apart, `dsn`, `complaint`, `notice`
//! and `autoreply` read what stands in it, `phrase` and `reason` know the words and
//! codes, `failure` weighs them, `returned` finds what ties a report to a mail.

pub mod inbox;
pub mod record;
pub mod report;

pub mod autoreply;
pub mod complaint;
pub mod dsn;
pub mod failure;
pub mod notice;
pub mod place;
pub mod returned;

pub mod phrase;
pub mod reason;

pub mod address;
pub mod mime;
pub mod text;
