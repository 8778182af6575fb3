//! What the tests of seeing and steering share: the program, places made by other tools, and bounded waits.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The program under test.
pub(crate) const PIDNS: &str = env!("CARGO_BIN_EXE_pidns");

/// A command of the program under test, without what the caller's environment says of it.
pub(crate) fn pidns(args: &[&str]) -> Command {
    let mut command = Command::new(PIDNS);
    command.args(args).env_remove("PIDNS_ENGINE").env_remove("PIDNS_LEAKS").stdin(Stdio::null());
    command
}

/// Runs `command` to its end.
pub(crate) fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Standard output, as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error, as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard output, as JSON.
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {} {}", stdout(output), stderr(output)))
}

/// True if the program `name` is found by PATH; prints that the test is skipped if not.
pub(crate) fn have(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(name).is_file());
    if !found {
        println!("skipped: no {name} here");
    }
    found
}

/// True if the caller is root.
pub(crate) fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}

/// Runs the shell script in a new user namespace where it is root, with `options` of unshare(1) besides. `None`, and a
/// word about it, where this machine does not allow that.
pub(crate) fn as_other_root(options: &[&str], script: &str) -> Option<Output> {
    if !have("unshare") {
        return None;
    }
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user"]).args(options);
        command.args(["sh", "-c", script]).env("PIDNS", PIDNS).env_remove("PIDNS_ENGINE");
        output(&mut command)
    };
    if !unshare("true").status.success() {
        println!("skipped: unshare --user {options:?} does not work here");
        return None;
    }
    Some(unshare(script))
}

/// Waits until `condition` holds, for at most ten seconds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "not after ten seconds: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// True if there is a process with this number, zombies not counted.
pub(crate) fn lives(pid: u32) -> bool {
    std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}
