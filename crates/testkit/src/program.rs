//! Programs that tests make and then execute.
//!
//! Another process writes them. A file that this one has open for writing is, for a moment, open in whatever child another
//! thread makes just then too, and what is open for writing cannot be executed (`ETXTBSY`).

use std::path::Path;
use std::process::Command;

/// Makes a copy of a program.
///
/// # Panics
/// If it cannot be made.
#[track_caller]
pub fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-p").args([from, to]).status();
    assert!(copied.is_ok_and(|status| status.success()), "{from:?} is not copied to {to:?}");
}

/// Makes a file with this text that everybody may execute.
///
/// # Panics
/// If it cannot be made.
#[track_caller]
pub fn write(path: &Path, text: &str) {
    let script = "printf %s \"$2\" >\"$1\" && chmod 755 \"$1\"";
    let written = Command::new("sh").args(["-c", script, "sh"]).arg(path).arg(text).status();
    assert!(written.is_ok_and(|status| status.success()), "{path:?} is not written");
}
