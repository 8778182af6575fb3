//! Programs that tests make and then execute.
//!
//! Another process writes them. A file that this one has open for writing is, for a moment, open in whatever child another
//! thread makes just then too, and what is open for writing cannot be executed (`ETXTBSY`).

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Makes a copy of a program.
///
/// # Panics
/// If it cannot be made.
#[track_caller]
pub fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-p").args([from, to]).status();
    assert!(copied.is_ok_and(|status| status.success()), "{from:?} is not copied to {to:?}");
}

/// Makes a file of this content and mode.
///
/// # Panics
/// If it cannot be made.
#[track_caller]
pub fn write(path: &Path, content: impl AsRef<[u8]>, mode: u32) {
    let script = format!("cat >\"$0\" && chmod {mode:o} \"$0\"");
    let mut shell = Command::new("sh");
    let mut child =
        shell.args(["-c", &script]).arg(path).stdin(Stdio::piped()).spawn().expect("sh is there");
    let sent = child.stdin.take().expect("it is piped").write_all(content.as_ref());
    let written = child.wait();
    assert!(
        sent.is_ok() && written.is_ok_and(|status| status.success()),
        "{path:?} is not written"
    );
}
