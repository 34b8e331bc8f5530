//! The rundbrief binary: parse, open, dispatch.

fn main() {}
