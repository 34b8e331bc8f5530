//! The only loops.
