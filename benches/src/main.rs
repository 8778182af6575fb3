//! Measures what pidns costs, one suite per argument, one `name: value unit` per line.

mod core;

use std::process::ExitCode;

/// Counts every byte, for the suites that report memory.
#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let suite = args.next();
    let only = args.next().unwrap_or_default();
    match suite.as_deref() {
        Some("core") => core::run(&ALLOCATOR, &only),
        _ => {
            eprintln!("usage: pidns-benches core [PART]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
