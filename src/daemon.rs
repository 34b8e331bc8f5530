//! The only loops.

pub mod pulse;
