//! Running a test again, in a process of its own.
//!
//! A test that needs a caller with something special (limits, ignored signals, a death of its own) runs itself again,
//! plays a [`role`] there, and looks at what came of it.

use std::process::{Command, Output};

/// The environment variable that says which role is to be played.
const ROLE: &str = "PIDNS_TEST_ROLE";

/// The role that this process is to play, if any.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// This test program, running only the test `name`, in `role`. What it prints can be seen.
pub fn command(name: &str, role: &str) -> Command {
    let program = std::env::current_exe().expect("a process has a program");
    let mut command = Command::new(program);
    command.args(arguments(name)).env(ROLE, role);
    command
}

/// As [`command`], after the shell script `setup` has been run by `wrapper`, such as `unshare --mount`.
pub fn wrapped(wrapper: &[&str], setup: &str, name: &str, role: &str) -> Command {
    let program = std::env::current_exe().expect("a process has a program");
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).args(["sh", "-ec", &format!("{setup}\nexec \"$@\""), "sh"]);
    command.arg(program).args(arguments(name)).env(ROLE, role);
    command
}

/// The arguments that make this test program run the test `name` only.
pub fn arguments(name: &str) -> [&str; 4] {
    ["--exact", "--nocapture", "--test-threads=1", name]
}

/// The variable that makes it play `role`.
pub fn variable(role: &str) -> (&'static str, &str) {
    (ROLE, role)
}

/// Plays a role to its end.
///
/// # Panics
/// If it does not end well.
#[track_caller]
pub fn run(command: &mut Command) {
    let output = command.output().expect("it can be started");
    check(&output);
}

/// Passes on what a role has printed.
///
/// # Panics
/// If it did not end well, or did not run at all.
#[track_caller]
pub fn check(output: &Output) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    assert!(!stdout.contains("running 0 tests"), "there is no such test\n{stdout}");
    eprint!("{stderr}");
}
