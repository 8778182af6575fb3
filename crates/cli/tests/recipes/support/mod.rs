//! What the recipes share: programs and files, commands with a time limit, and the [`Daemon`] to get rid of.

mod daemon;
mod limited;
mod scratch;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) use daemon::Daemon;
pub(crate) use limited::{Ended, Limited, poll};
pub(crate) use scratch::Scratch;

/// Prints why a test has nothing to run here, and leaves it.
macro_rules! skip {
    ($($why:tt)*) => {{
        println!("skipped: {}", format_args!($($why)*));
        return;
    }};
}
pub(crate) use skip;

/// The program under test.
pub(crate) fn pidns() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_pidns"))
}

/// The directory of the files that `docs/recipes.md` shows.
pub(crate) fn recipes() -> PathBuf {
    docs().join("recipes")
}

/// The directory of the documentation.
pub(crate) fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").canonicalize().expect("docs are here")
}

/// A file that `docs/recipes.md` shows.
pub(crate) fn file(name: &str) -> PathBuf {
    let path = recipes().join(name);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

/// Its text.
pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).expect("a recipe is readable text")
}

/// A command that finds `pidns` first of all in its PATH, and no settings of pidns or cargo around the test.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", path());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("PIDNS_") || text.starts_with("CARGO") || text.starts_with("NEXTEST") {
            command.env_remove(&name);
        }
    }
    if let Some(home) = env::var_os("CARGO_HOME") {
        command.env("CARGO_HOME", home);
    }
    command
}

/// Where a program is, among the daemons' directories too.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&path()).map(|directory| directory.join(program)).find(|path| path.is_file())
}

fn path() -> OsString {
    let own = pidns().parent().expect("it is in a directory").to_owned();
    let before = env::var_os("PATH").unwrap_or_default();
    let after = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    env::join_paths([own].into_iter().chain(env::split_paths(&before)).chain(after))
        .expect("the parts of a PATH make a PATH")
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
