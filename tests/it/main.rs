//! One binary for all tests that need more than a function.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod app;
mod archive;
mod article_cli;
mod bounce;
mod bounce_reading;
mod circle;
mod collect;
mod compose;
mod delivery;
mod delivery_model;
mod delivery_process;
mod delivery_states;
mod delivery_workers;
mod deploy;
mod dkim;
mod doctor;
mod dovecot;
mod due;
mod feed;
mod fetch;
mod house;
mod inbox;
mod issue;
mod issue_cli;
mod letter;
mod link;
mod mailbox;
mod maildir;
mod picture;
mod postfix;
mod postgres;
mod preflight;
mod reader;
mod reading;
mod relay;
mod returned;
mod site;
mod smtp;
mod store;
mod subscriber;
mod subscriber_cli;
mod tidy;
mod webhook;
mod webhook_door;
