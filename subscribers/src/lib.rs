//! The rules of the list, pure: who is on it, how they came, how they leave.
//!
//! Knows no database, no network and no clock: times and keys are arguments.

pub mod address;
pub mod person;
pub mod standing;

pub mod consent;
pub mod suppression;

pub mod export;
pub mod import;
pub mod key;
pub mod token;
