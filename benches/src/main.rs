//! Measurements. `cargo xtask bench NAME` builds what they need and runs them.
//!
//! Every figure is a line `name: value unit`. What is compared is measured in turns in one run, and its medians are
//! told: the machine's mood is then the same for all.
#![forbid(unsafe_code)]

mod core;
mod launch;
mod measure;
mod ptrace;
mod tools;

use std::env;

/// Counts every byte, for the suites that report memory.
#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["core", rest @ ..] => core::run(&ALLOCATOR, rest.first().copied().unwrap_or_default()),
        ["launch", rest @ ..] => launch::run(rest),
        ["ptrace", rest @ ..] => ptrace::run(rest),
        _ => anyhow::bail!("usage: pidns-benches core|launch|ptrace"),
    }
}
