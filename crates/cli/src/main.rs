//! The `pidns` command.
#![forbid(unsafe_code)]

fn main() {}
