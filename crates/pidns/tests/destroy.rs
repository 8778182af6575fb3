//! Ends that others bring about: the caller, a time limit, SIGKILL from anywhere.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::time::{Duration, Instant};

use pidns::{Signal, Stdio};
use pidns_testkit::{Lines, Mark, again, eventually, proc, user};
use rustix::process::{Pid, Signal as Kill, kill_process};
use support::{Mode, Running, both};

/// Three that would stay: one in a session of its own, an orphan, one that is stopped; and number 1 or the guard, and
/// the command.
const STAY: &str = "setsid sleep 300 & (sleep 300 &); sleep 300 & kill -STOP $!";
const STAYING: usize = 5;

#[test]
fn dropping_destroys() {
    both(|mode| {
        let running = Running::start(mode, STAY);
        let all = running.everybody(STAYING);
        let Running { child, mark, .. } = running;
        drop(child);
        assert!(all.iter().all(|seen| !seen.is_there()));
        mark.assert_gone();
    });
}

#[test]
fn kill_destroys_once_and_for_all() {
    both(|mode| {
        let mut running = Running::start(mode, STAY);
        let all = running.everybody(STAYING);
        running.child.kill().unwrap();
        running.child.kill().unwrap();
        assert_eq!(running.child.wait().unwrap().signal(), Some(Signal::KILL));
        running.assert_gone(&all);
        running.child.kill().unwrap();
    });
}

#[test]
fn a_number_1_that_is_stopped_can_be_destroyed() {
    both(|mode| {
        let mut running = Running::start(mode, STAY);
        let all = running.everybody(STAYING);
        kill(running.child.init_pid(), Kill::STOP);
        running.child.kill().unwrap();
        assert_eq!(running.child.wait().unwrap().signal(), Some(Signal::KILL));
        running.assert_gone(&all);
    });
}

/// The guard of `running`: the marked one that is in our namespace.
fn guard(running: &Running) -> u32 {
    let own = proc::numbers(std::process::id()).len();
    let outside = |seen: &&proc::Seen| proc::numbers(seen.pid).len() == own;
    running.mark.processes().iter().find(outside).unwrap().pid
}

fn kill(pid: u32, signal: Kill) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

#[test]
fn without_its_guard_a_number_1_is_not_left_alone() {
    let mut running = Running::start(Mode::AsInit, STAY);
    let all = running.everybody(STAYING);
    // So that the command does not end by itself.
    let _stdin = running.child.stdin.take();
    kill(guard(&running), Kill::KILL);
    assert_eq!(running.child.wait().unwrap().signal(), Some(Signal::KILL));
    running.assert_gone(&all);
}

#[test]
fn a_guard_that_is_stopped_holds_nothing_up() {
    let mut running = Running::start(Mode::AsInit, STAY);
    let all = running.everybody(STAYING);
    kill(guard(&running), Kill::STOP);
    running.end();
    assert_eq!(running.child.wait().unwrap().code(), Some(1));
    running.assert_gone(&all);
}

#[test]
fn a_command_that_kills_its_whole_group_leaves_nothing() {
    const NAME: &str = "a_command_that_kills_its_whole_group_leaves_nothing";
    if let Some(role) = again::role() {
        // The group is the caller's: what is outside of the namespace is hit too.
        rustix::process::setsid().unwrap();
        let mode = if role == "init" { Mode::Init } else { Mode::AsInit };
        let script = "setsid sleep 300 & setsid sh -c 'sleep 300; :' & kill -9 0; exec sleep 300";
        let status = mode.shell(script).status();
        panic!("not killed: {status:?}");
    }
    for role in ["init", "as-init"] {
        let mark = Mark::new();
        let (key, value) = mark.env();
        let mut caller = again::command(NAME, role).env(key, value).spawn().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&caller.wait().unwrap()), Some(9));
        mark.wait_gone();
    }
}

#[test]
fn without_grace_a_time_limit_kills() {
    both(|mode| {
        let mut command =
            mode.shell(&format!("trap 'exit 7' TERM; {STAY}; while :; do sleep 300; done"));
        let mark = Mark::new();
        let (key, value) = mark.env();
        command.env(key, value).timeout(Duration::from_millis(300));
        let start = Instant::now();
        let mut child = command.spawn().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::KILL));
        mark.assert_gone();
        assert!(start.elapsed() >= Duration::from_millis(300));
        assert!(child.report().timed_out);
    });
}

#[test]
fn with_grace_a_command_that_is_out_of_time_is_asked_first() {
    both(|mode| {
        for (signal, name) in [(Signal::TERM, "TERM"), (Signal::new(34).unwrap(), "34")] {
            let script = format!("trap 'exit 7' {name}; while :; do sleep 0.01; done");
            let mut command = mode.shell(&script);
            command
                .signal(signal)
                .timeout(Duration::from_millis(100))
                .grace(Duration::from_secs(60));
            let mut child = command.spawn().unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(7));
            assert!(child.report().timed_out);
        }
    });
}

#[test]
fn one_that_does_not_end_by_itself_is_killed_after_the_grace() {
    both(|mode| {
        let mut command =
            mode.shell(&format!("trap '' TERM; {STAY}; while :; do sleep 0.01; done"));
        let mark = Mark::new();
        let (key, value) = mark.env();
        command
            .env(key, value)
            .timeout(Duration::from_millis(50))
            .grace(Duration::from_millis(200));
        let start = Instant::now();
        let mut child = command.spawn().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::KILL));
        mark.assert_gone();
        assert!(start.elapsed() >= Duration::from_millis(250));
    });
}

#[test]
fn one_that_is_stopped_takes_the_signal_too() {
    both(|mode| {
        let mut command =
            mode.shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
        command
            .stdout(Stdio::piped())
            .timeout(Duration::from_secs(1))
            .grace(Duration::from_secs(60));
        let mut child = command.spawn().unwrap();
        Lines::new(child.stdout.take().unwrap()).until("ready");
        child.signal(Signal::STOP).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(7));
    });
}

#[test]
fn a_time_limit_holds_although_nobody_waits() {
    both(|mode| {
        let mark = Mark::new();
        let (key, value) = mark.env();
        let mut command = mode.shell("sleep 300; :");
        let mut child =
            command.env(key, value).timeout(Duration::from_millis(200)).spawn().unwrap();
        eventually("all killed", || mark.processes().is_empty());
        assert!(child.wait().unwrap().signal().is_some());
        assert!(child.report().timed_out);
    });
}

#[test]
fn a_time_limit_holds_although_nobody_reads_what_happens() {
    both(|mode| {
        let mark = Mark::new();
        let (key, value) = mark.env();
        let mut command = mode.shell("sleep 300; :");
        let mut child = command.env(key, value).timeout(Duration::from_secs(2)).spawn().unwrap();
        // More news than a socket holds.
        for _ in 0..300 {
            child.signal(Signal::STOP).unwrap();
            child.signal(Signal::CONT).unwrap();
            std::thread::yield_now();
        }
        // Number 1 may wait, to tell how the command ended; nobody else lives on.
        let init = child.init_pid();
        eventually("all killed", || mark.processes().iter().all(|seen| seen.pid == init));
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::KILL));
        assert!(child.report().timed_out);
    });
}

#[test]
fn one_that_is_not_out_of_time_is_not_hurt() {
    both(|mode| {
        let mut child = mode.shell("exit 3").timeout(Duration::from_secs(600)).spawn().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(3));
        assert!(!child.report().timed_out);
    });
}

#[test]
fn end_does_as_a_time_limit_does() {
    both(|mode| {
        let script = "trap 'exit 7' USR1; echo ready; while :; do sleep 0.01; done";
        let mut command = mode.shell(script);
        command
            .stdout(Stdio::piped())
            .signal("USR1".parse().unwrap())
            .grace(Duration::from_secs(60));
        let mut child = command.spawn().unwrap();
        Lines::new(child.stdout.take().unwrap()).until("ready");
        child.end().unwrap();
        child.end().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(7));
        assert!(!child.report().timed_out);

        let mut child = mode.command("sleep").arg("300").spawn().unwrap();
        child.end().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::KILL), "without grace");
    });
}

#[test]
fn leftovers_have_their_grace() {
    let polite = "(trap 'echo polite; exit' TERM; echo ready; while :; do sleep 0.01; done) &";
    let mut command = Mode::Init.shell(&format!("{polite} read x"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).grace(Duration::from_secs(60));
    let mut child = command.spawn().unwrap();
    let mut lines = Lines::new(child.stdout.take().unwrap());
    lines.until("ready");
    let start = Instant::now();
    child.wait().unwrap();
    assert_eq!(lines.rest(), ["polite"]);
    assert!(start.elapsed() < Duration::from_secs(50), "as long as they need, not longer");
}

#[test]
fn leftovers_that_take_no_hint_are_killed_after_the_grace() {
    let rude = "(trap '' TERM; exec sleep 300) & setsid sleep 300 & kill -STOP $!; sleep 300 &";
    let mut running = Running::start_command({
        let mut command = Mode::Init.shell(&format!("{rude} echo ready; read end"));
        command.grace(Duration::from_millis(200));
        command
    });
    let all = running.everybody(5);
    running.end();
    let start = Instant::now();
    assert_eq!(running.child.wait().unwrap().code(), Some(1));
    running.assert_gone(&all);
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[test]
fn signals_reach_the_command_only() {
    both(|mode| {
        let script = "(trap 'echo wrong' USR1; while :; do sleep 0.01; done) & \
            trap 'echo right; exit 5' USR1; echo ready; while :; do sleep 0.01; done";
        let mut child = mode.shell(script).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = Lines::new(child.stdout.take().unwrap());
        lines.until("ready");
        child.signal("USR1".parse().unwrap()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(5));
        assert_eq!(lines.rest(), ["right"]);
        child.signal(Signal::TERM).unwrap();
    });
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[]);
}
