//! Root and others.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::{again, program, skipped};

/// A user without any privilege, and its group.
pub const NOBODY: u32 = 65534;

/// Where a test program started by [`again_as_nobody`] finds the programs that it tests.
const PROGRAMS: &str = "PIDNS_TEST_PROGRAMS";

/// Says whether we are root; says that the test is skipped if not.
pub fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skipped!("needs root");
    }
    root
}

/// Runs all tests of this test program but `this` again, as a user without privilege. `programs` are what they need;
/// they find them by [`program()`].
///
/// # Panics
/// If one fails.
#[track_caller]
pub fn again_as_nobody(this: &str, programs: &[&Path]) {
    if is_root() {
        again(this, programs, as_nobody);
    }
}

/// The same with the command that `place` makes of this test program.
///
/// # Panics
/// If one fails.
#[track_caller]
pub fn again(this: &str, programs: &[&Path], place: impl FnOnce(&Path) -> Command) {
    let program = std::env::current_exe().expect("a process has a program");
    let directory = Reachable::new();
    let program = directory.copy(&program);
    for program in programs {
        directory.copy(program);
    }
    let mut command = place(&program);
    command
        .args(["--skip", this, "--nocapture"])
        .env(PROGRAMS, directory.directory())
        .env("RUST_TEST_THREADS", "2")
        .current_dir("/");
    let mut output = command.output();
    // A child of another thread may still have the copy open to be written to.
    while output.as_ref().is_err_and(|error| error.kind() == ErrorKind::ExecutableFileBusy) {
        thread::yield_now();
        output = command.output();
    }
    again::check(&output.expect("it can be started"));
}

/// `program`, to be run as a user without privilege.
pub fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.uid(NOBODY).gid(NOBODY);
    command
}

/// `program`, to be run without privilege: as somebody else if we are root.
pub fn unprivileged(program: &Path) -> Command {
    if rustix::process::geteuid().is_root() { as_nobody(program) } else { Command::new(program) }
}

/// Where `program` is for the user that we are.
pub fn program(program: &str) -> PathBuf {
    let path = Path::new(program);
    match std::env::var_os(PROGRAMS) {
        Some(directory) => Path::new(&directory).join(path.file_name().unwrap_or_default()),
        None => path.to_owned(),
    }
}

/// A directory that everybody can reach, for as long as it is needed.
#[derive(Debug)]
pub struct Reachable(PathBuf);

impl Reachable {
    /// A new one, empty.
    ///
    /// # Panics
    /// If there is no room for temporary files.
    #[expect(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pidns-test-{}-{next}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).expect("temporary files can be made");
        let everybody = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&directory, everybody).expect("the directory is ours");
        Self(directory)
    }

    fn directory(&self) -> &Path {
        &self.0
    }

    /// A copy of a program: the way to the original may be closed to others.
    ///
    /// # Panics
    /// If it cannot be copied.
    pub fn copy(&self, original: &Path) -> PathBuf {
        let copy = self.0.join(original.file_name().expect("a program has a name"));
        program::copy(original, &copy);
        copy
    }
}

impl Drop for Reachable {
    fn drop(&mut self) {
        // Whoever is to blame for a failure has been told.
        let _ = fs::remove_dir_all(&self.0);
    }
}
