//! What the tests of `pidns run` share.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod sigkill;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pidns_testkit::{Terminal, user};

/// Where cargo has put the program under test.
pub(crate) const BUILT: &str = env!("CARGO_BIN_EXE_pidns");

/// The program under test, where we can reach it.
pub(crate) fn path() -> PathBuf {
    user::program(BUILT)
}

/// `pidns` without arguments, and without what the caller's environment says of it.
pub(crate) fn pidns() -> Command {
    clean(Command::new(path()))
}

/// A shell that finds `pidns` by PATH.
pub(crate) fn shell(script: &str) -> Command {
    let mut command = clean(Command::new("sh"));
    command.args(["-c", script]);
    command
}

/// A PATH in which the program under test comes first, and no directory is that we may not look into: execvp(3) says
/// `EACCES` then.
pub(crate) fn search() -> OsString {
    let before = std::env::var_os("PATH").unwrap_or_default();
    let own = path().parent().map(Path::to_owned);
    let all = own.into_iter().chain(std::env::split_paths(&before));
    std::env::join_paths(all.filter(|directory| std::fs::read_dir(directory).is_ok()))
        .expect("the parts of a PATH make a PATH")
}

fn clean(mut command: Command) -> Command {
    command.env_remove("PIDNS_ENGINE").env_remove("PIDNS_LEAKS").env("PATH", search());
    command
}

/// `pidns run` with these arguments.
pub(crate) fn run<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = pidns();
    command.arg("run").args(arguments);
    command
}

/// Sends a signal, by its name or number, to a process or, with a minus, to a group. Every shell can do it; not every
/// machine has a kill(1).
#[track_caller]
pub(crate) fn kill(signal: &str, target: &str) {
    let script = format!("kill -{signal} {target}");
    let status = Command::new("sh").args(["-c", &script]).status().expect("there is a shell");
    assert!(status.success(), "{script}");
}

/// How the kernel's namespaces are had: the options for it.
pub(crate) const MODES: [&[&str]; 2] =
    [&["--engine", "kernel"], &["--engine", "kernel", "--as-init"]];

/// The exit code, and what was written to standard output and standard error.
pub(crate) fn ended(command: &mut Command) -> (i32, String, String) {
    let output = command.output().expect("it can be started");
    (code(&output), text(&output.stdout), text(&output.stderr))
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// At a shell's prompt, starts a command below `run`, a start of a line, and presses ^C three times, of which it hears once
/// each. It ends by ^\ with a status of its own, and the prompt is back.
#[track_caller]
pub(crate) fn interrupt_reaches_the_command_once(terminal: &mut Terminal, run: &str) {
    terminal.enter(&format!(
        "{run} sh -c 'trap \"echo -INT-\" INT; trap \"exit 5\" QUIT; echo -up-; while :; do sleep 0.02; done'"
    ));
    terminal.expect("-up-");
    for _ in 0..3 {
        terminal.press("\x03");
        let before = terminal.expect("-INT-");
        assert!(!before.contains("-INT-"), "{before}");
    }
    terminal.press("\x1c");
    let rest = terminal.expect("ready$ ");
    assert!(!rest.contains("-INT-"), "more than once: {rest}");
    terminal.enter("echo status $?");
    terminal.expect("status 5");
    terminal.expect("ready$ ");
}
