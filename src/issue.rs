//! One edition of a newsletter: a state machine.

pub mod archive;
