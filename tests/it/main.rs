//! One binary for all tests that need more than a function.

fn main() {}
