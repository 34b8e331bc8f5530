//! Every mail as a pure function from plain structs.
//!
//! A mail is `{ subject, text, html }`. The text is written from the same
//! records as the HTML, never stripped from it, and the HTML carries its own
//! inline styles. Nothing here reads a file, a clock or the network; times are
//! arguments. What a reader alone may have (their name, their links) is not in
//! here either: it stands as a [`slot::Slot`] that the letter fills.
//!
//! In reading order: what goes in ([`issue`], [`publication`], [`brand`],
//! [`language`]), what comes out ([`mail`], [`slot`]), the mails of the service
//! ([`service`]), and made-up content for tests and previews ([`samples`]).

pub mod issue;
pub mod publication;

pub mod brand;
pub mod language;
pub mod words;

pub mod mail;
pub mod slot;

pub mod service;

pub mod date;
pub mod flow;
pub mod samples;

mod block;
mod clean;
mod look;
mod raw;
mod sheet;
