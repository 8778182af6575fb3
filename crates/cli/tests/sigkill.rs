//! SIGKILL of everybody who takes part, at any moment: nothing is left.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::process::Stdio;

use pidns_testkit::{Lines, Mark, eventually, proc, user};
use support::sigkill::{STAY, killed_at_any_moment};
use support::{kill, run};

/// How often the supervisor is killed.
const ROUNDS: u64 = 200;

#[test]
fn of_the_supervisor_with_an_init() {
    killed_at_any_moment(ROUNDS, &["--engine", "kernel"]);
}

#[test]
fn of_the_supervisor_of_a_command_that_is_number_1() {
    killed_at_any_moment(ROUNDS, &["--engine", "kernel", "--as-init"]);
}

#[test]
fn of_the_supervisor_with_grace_a_report_and_a_limit() {
    let options = ["--engine", "kernel", "--grace", "1h", "--leaks", "fail", "--timeout", "5ms"];
    killed_at_any_moment(ROUNDS, &options);
}

/// Kills whoever `whom` chooses among those who have the mark, once all are there.
#[track_caller]
fn killed(options: &[&str], whom: impl Fn(&proc::Seen) -> bool) -> Option<i32> {
    let mark = Mark::new();
    let (key, value) = mark.env();
    let mut command = run([]);
    command.args(options).args(["--", "sh", "-c", STAY]).env(key, value);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = Lines::new(child.stdout.take().unwrap());
    lines.until("ready");
    // The supervisor, number 1 or the guard, the command, and three more.
    let all = mark.wait_for(6);
    let target = all.iter().find(|seen| seen.pid != child.id() && whom(seen)).expect("it is there");
    // Number 1 waits for its vfork to return, and tells of the start, before it waits for what comes.
    eventually("it is where it stays", || proc::state(target.pid) == Some('S'));
    kill("9", &target.pid.to_string());
    let code = child.wait().unwrap().code();
    mark.assert_gone();
    assert!(all.iter().all(|seen| !seen.is_there()));
    code
}

fn number(seen: &proc::Seen) -> Option<u32> {
    let own = proc::numbers(std::process::id()).len();
    proc::numbers(seen.pid).get(own).copied()
}

/// Kills the supervisor after a signal `before` to somebody else.
#[track_caller]
fn supervisor_killed(options: &[&str], before: &str, whom: impl Fn(&proc::Seen) -> bool) {
    let mark = Mark::new();
    let (key, value) = mark.env();
    let mut command = run([]);
    command.args(options).args(["--", "sh", "-c", STAY]).env(key, value);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    Lines::new(child.stdout.take().unwrap()).until("ready");
    let all = mark.wait_for(6);
    let target = all.iter().find(|seen| seen.pid != child.id() && whom(seen)).expect("it is there");
    kill(before, &format!("{}; kill -9 {}", target.pid, child.id()));
    child.wait().unwrap();
    mark.wait_gone();
}

#[test]
fn of_the_supervisor_while_number_1_is_stopped() {
    for mode in [&["--engine", "kernel"][..], &["--engine", "kernel", "--as-init"]] {
        supervisor_killed(mode, "STOP", |seen| number(seen) == Some(1));
    }
}

#[test]
fn of_the_supervisor_and_the_guard_together() {
    let as_init = ["--engine", "kernel", "--as-init"];
    supervisor_killed(&as_init, "KILL", |seen| number(seen).is_none());
}

#[test]
fn of_number_1() {
    assert_eq!(killed(&["--engine", "kernel"], |seen| number(seen) == Some(1)), Some(137));
    let as_init = ["--engine", "kernel", "--as-init"];
    assert_eq!(killed(&as_init, |seen| number(seen) == Some(1)), Some(137));
}

#[test]
fn of_the_command() {
    assert_eq!(killed(&["--engine", "kernel"], |seen| number(seen) == Some(2)), Some(137));
}

#[test]
fn of_the_guard() {
    let as_init = ["--engine", "kernel", "--as-init"];
    assert_eq!(killed(&as_init, |seen| number(seen).is_none()), Some(137));
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[support::BUILT.as_ref()]);
}
