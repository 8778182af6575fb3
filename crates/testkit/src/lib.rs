//! What the process tests share.
//!
//! * [`Mark`] finds the processes that a test has started, wherever they are, and ends them if the test fails.
//! * [`again`] runs a test in a process of its own; [`user`] does so without privilege.
//! * `place` has those where the kernel gives no PID namespaces.
//! * [`eventually`] and [`Lines`] wait for what has to come, and not for ever.
//! * [`Terminal`] is a person at a terminal.
//! * [`find`] looks for programs that a machine may lack.
#![forbid(unsafe_code)]

pub mod again;
mod lines;
mod mark;
#[cfg(target_arch = "x86_64")]
pub mod place;
pub mod proc;
pub mod program;
mod terminal;
pub mod user;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

pub use lines::Lines;
pub use mark::Mark;
pub use terminal::{Command as TerminalCommand, Terminal};

/// How long anything may take before a test fails. Nothing takes that long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Says that a test is skipped, and why.
#[macro_export]
macro_rules! skipped {
    ($($why:tt)*) => { eprintln!("skipped: {}", format_args!($($why)*)) };
}

/// Waits until `condition` holds.
///
/// # Panics
/// If it never does.
#[track_caller]
pub fn eventually(what: &str, condition: impl FnMut() -> bool) {
    within(PATIENCE, what, condition);
}

/// Waits until `condition` holds, for at most `limit`.
///
/// # Panics
/// If it does not by then.
#[track_caller]
pub fn within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "never: {what}");
        // Between two looks, so as not to take the time of what is looked at.
        thread::sleep(Duration::from_millis(1));
    }
}

/// The program `name`, if it is found by PATH; says that the test is skipped if not.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&path).map(|directory| directory.join(name));
    let found = candidates.find(|file| file.is_file());
    if found.is_none() {
        skipped!("no {name} on this machine");
    }
    found
}
