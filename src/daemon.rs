//! The only loops.

pub mod log;
pub mod pulse;
