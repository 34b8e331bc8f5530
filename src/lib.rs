//! Rundbrief turns articles into newsletters and gets every single mail to its
//! reader, or knows why not.
//!
//! # From above
//! A scheduled worker takes article records, composes an issue of a newsletter,
//! renders it as HTML and plain text, delivers it to each subscriber by SMTP, and
//! keeps a ledger of what became of every mail, up to the bounce that comes back
//! two days later. One binary does it all, on SQLite alone or on PostgreSQL with
//! as many workers as needed.
//!
//! Two crates stand beside this one and know no database, no network and no clock:
//! `rundbrief-templates` (every mail as a pure function) and `rundbrief-subscribers`
//! (the list's rules: addresses, standings, tokens, suppression).
//!
//! # The code, in reading order
//! * [`article`] is the record; [`source`] reads feeds, pages, folders and texts into
//!   it, fetches them, and cleans their HTML once, at the door.
//! * [`newsletter`] is a publication and its rules; [`schedule`] says when it is due;
//!   [`issue`] composes an edition from what is new and is a state machine.
//! * [`letter`] renders an issue once, freezes it with *slots* and, where a newsletter
//!   wants that, its pictures, and splices each reader's own data in; [`subscriber`]
//!   holds those readers.
//! * [`delivery`] is the ledger and the workers that write it; [`smtp`] speaks to
//!   relays and receives what comes back; [`bounce`] reads that; [`errand`] sends the
//!   small mails that follow from it.
//! * [`store`] hides which database it is; [`config`] is `rundbrief.toml`.
//! * The doors: [`daemon`] (the loops), [`cli`] (one file per command), [`web`] (one
//!   file per noun), [`metrics`], [`doctor`], [`demo`].
//!
//! Dependencies point one way: doors, then delivery and bounce, then letter and
//! issue, then article and subscriber, then store, then the two crates.
//!
//! # Invariants
//! 1. One row per issue and reader. The database refuses a second copy.
//! 2. What may have been sent is never called unsent: *sending* becomes *unknown*,
//!    not *queued*, when its worker dies. The sums equal the frozen total, always:
//!    the database keeps them in the transaction that moves a delivery.
//! 3. A reply is in the journal, synced, before it counts; the journal is replayed
//!    before anything is claimed.
//! 4. Foreign HTML is sanitised once, when it comes in; unescaped markup enters a
//!    page in one file of each crate.
//! 5. The domain knows no web, command line or markup; time and chance are arguments;
//!    only [`daemon`] loops. A worker's sessions and its look at what was paused run
//!    beside it and end with it.
//! 6. An address or a token is never logged, and a link that somebody merely looks at
//!    changes nothing.
//! 7. There is one HTTP client, and it checks the address it connects to.
//! 8. Every rule here that a machine can keep is kept by `tests/it/tidy.rs`.
//!
//! # A week
//! *Monday, 8:00.* The schedule's loop finds a newsletter due. Its sources were fetched
//! through the night; `issue::compose` picks what is new into sections and an issue is
//! queued, or waits as a draft for somebody to look at. Undo is possible for two
//! minutes; then the letter is rendered, signed shape and all, and frozen, and its
//! readers are written into the ledger in chunks until the count agrees.
//!
//! *Monday, 8:03.* Workers claim rows, mark them, splice, send. A server says *later*:
//! the row waits its turn. Somebody trips over the power cord: after the restart the
//! journal proves which mails arrived, those with the last dot in flight are *unknown*,
//! the rest goes on where it was.
//!
//! *Wednesday.* A report comes back to `bounce+TOKEN@…`. The token names the delivery
//! and proves that it is ours; the reader's standing follows the newsletter's rule.
//! What nobody can read waits for a person. The report page's numbers still add up.

pub mod config;
pub mod store;

pub mod audit;

pub mod article;
pub mod source;

pub mod issue;
pub mod newsletter;
pub mod schedule;

pub mod letter;
pub mod subscriber;

pub mod bounce;
pub mod delivery;
pub mod errand;
pub mod intake;
pub mod smtp;
pub mod webhook;

pub mod cli;
pub mod daemon;
pub mod demo;
pub mod doctor;
pub mod metrics;
pub mod web;
