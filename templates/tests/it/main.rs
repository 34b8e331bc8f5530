//! Every sample in every brand and language, held to what mail clients,
//! screen readers and the law ask for, as far as that can be checked without
//! them. `tests/mails/judge` asks the clients themselves.

mod contrast;
mod document;
mod escape;
mod page;
mod plain;
mod service;
mod shorten;
mod slots;
mod snapshot;
