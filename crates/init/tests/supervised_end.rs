//! The image as number 1 of a namespace: how the command and what it leaves behind come to their end.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::io::{Read, Write};

use pidns_init::protocol::{EventKind, RequestKind};
use support::job::{self, Job};
use support::{children, eventually};

/// Long enough for a shell to begin, in milliseconds.
const SOON: u64 = 1500;

/// Writes a line, then waits; SIGTERM makes it write another and exit with 3. The line comes from the child, which is a
/// program of its own by then: a shell's child that is not yet may lose a signal that the shell has a trap for.
const OBEDIENT: &str = "trap 'echo bye; exit 3' TERM; sh -c 'echo ready; exec sleep 1000' & wait";

/// Writes a line, then waits and does not care for SIGTERM.
const STUBBORN: &str = "trap '' TERM; echo ready; sleep 1000";

/// Runs `leftover` in the background, in a session of its own, and exits with 4 as soon as it has written its first
/// line.
fn leaving(leftover: &str) -> job::Setup {
    let mut setup =
        job::command(&["sh", "-c", r#"setsid sh -c "$0" & read line; exit 4"#, leftover]);
    setup.stdio = [None, None, None];
    setup
}

/// A job whose leftover has written its first line before the command ends; what it writes can be read.
fn start_leaving(mut setup: job::Setup) -> Option<(Job, std::fs::File)> {
    let mut input = setup.pipe(0);
    let mut output = setup.pipe(1);
    let job = setup.start()?;
    output.read_exact(&mut [0; 6]).unwrap();
    input.write_all(b"\n").unwrap();
    job.expect(EventKind::Started);
    Some((job, output))
}

fn rest_of(mut output: std::fs::File) -> String {
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    text
}

/// A running command that has written its first line.
fn start_ready(mut setup: job::Setup) -> Option<(Job, std::fs::File)> {
    let mut output = setup.pipe(1);
    let job = setup.start()?;
    output.read_exact(&mut [0; 6]).unwrap();
    job.expect(EventKind::Started);
    Some((job, output))
}

#[test]
fn a_command_in_time_knows_nothing_of_the_limit() {
    let Some(mut job) = job::shell("exit 5").timeout(60_000).grace(60_000).start() else { return };
    job.expect(EventKind::Started);
    assert_eq!(job.expect(EventKind::Exited).value, 5);
    assert_eq!(job.wait().code(), Some(5));
}

#[test]
fn out_of_time_without_grace_is_killed_with_all_others() {
    let Some((mut job, output)) = start_ready(job::shell(STUBBORN).timeout(SOON)) else { return };
    job.expect(EventKind::TimedOut);
    assert_eq!(job.expect(EventKind::Signaled).value, libc::SIGKILL);
    assert_eq!(job.wait().code(), Some(128 + libc::SIGKILL));
    assert_eq!(rest_of(output), "");
}

#[test]
fn out_of_time_with_grace_may_end_by_itself() {
    let Some((mut job, output)) = start_ready(job::shell(OBEDIENT).timeout(SOON).grace(60_000))
    else {
        return;
    };
    job.expect(EventKind::TimedOut);
    assert_eq!(job.expect(EventKind::Exited).value, 3);
    assert_eq!(job.wait().code(), Some(3));
    assert_eq!(rest_of(output), "bye\n");
}

#[test]
fn out_of_time_and_of_grace_is_killed() {
    let Some((mut job, output)) = start_ready(job::shell(STUBBORN).timeout(SOON).grace(50)) else {
        return;
    };
    job.expect(EventKind::TimedOut);
    assert_eq!(job.expect(EventKind::Signaled).value, libc::SIGKILL);
    job.wait();
    assert_eq!(rest_of(output), "");
}

#[test]
fn out_of_time_gets_the_signal_that_was_asked_for() {
    let setup = job::command(&["sleep", "1000"]).timeout(20).grace(60_000);
    let Some(mut job) = setup.with(|config| config.signal = libc::SIGUSR2 as u32).start() else {
        return;
    };
    job.expect(EventKind::Started);
    job.expect(EventKind::TimedOut);
    assert_eq!(job.expect(EventKind::Signaled).value, libc::SIGUSR2);
    job.wait();
}

#[test]
fn a_stopped_command_out_of_time_can_take_its_signal() {
    let Some(mut job) = job::command(&["sleep", "1000"]).timeout(SOON).grace(60_000).start() else {
        return;
    };
    job.expect(EventKind::Started);
    job.request(RequestKind::Signal, libc::SIGSTOP);
    job.expect(EventKind::Stopped);
    job.expect(EventKind::TimedOut);
    assert_eq!(job.expect_end(EventKind::Signaled).value, libc::SIGTERM);
    job.wait();
}

#[test]
fn a_stopped_command_out_of_time_can_be_killed() {
    let Some(mut job) = job::command(&["sleep", "1000"]).timeout(SOON).start() else { return };
    job.expect(EventKind::Started);
    job.request(RequestKind::Signal, libc::SIGSTOP);
    job.expect(EventKind::Stopped);
    job.expect(EventKind::TimedOut);
    assert_eq!(job.expect_end(EventKind::Signaled).value, libc::SIGKILL);
    job.wait();
}

#[test]
fn the_longest_times_are_as_good_as_none() {
    let setup = job::command(&["cat"])
        .with(|config| (config.timeout_ns, config.grace_ns) = (u64::MAX, u64::MAX));
    let Some(mut job) = setup.start() else { return };
    job.expect(EventKind::Started);
    assert_eq!(job.expect(EventKind::Exited).value, 0);
    job.wait();
}

#[test]
fn asked_to_end_without_grace_is_killed() {
    let Some((mut job, _output)) = start_ready(job::shell(OBEDIENT)) else { return };
    job.request(RequestKind::End, 0);
    assert_eq!(job.expect(EventKind::Signaled).value, libc::SIGKILL);
    job.wait();
}

#[test]
fn asked_to_end_with_grace_may_end_by_itself() {
    let Some((mut job, output)) = start_ready(job::shell(OBEDIENT).grace(60_000)) else { return };
    job.request(RequestKind::End, 0);
    assert_eq!(job.expect(EventKind::Exited).value, 3);
    job.wait();
    assert_eq!(rest_of(output), "bye\n");
}

#[test]
fn asked_twice_to_end_has_its_grace_all_the_same() {
    // A child of the shell that is not yet `sleep` may lose a TERM to the handler that it is about to forget: KILL it.
    let script = "trap 'echo asked; read line; kill -9 $!; exit 3' TERM; echo ready; while :; do sleep 1000 & wait; done";
    let mut setup = job::command(&["sh", "-c", script]).grace(60_000);
    let mut input = setup.pipe(0);
    let Some((mut job, mut output)) = start_ready(setup) else { return };
    job.request(RequestKind::End, 0);
    output.read_exact(&mut [0; 6]).unwrap();
    job.request(RequestKind::End, 0);
    job.request(RequestKind::Signal, 0);
    input.write_all(b"\n").unwrap();
    assert_eq!(job.expect(EventKind::Exited).value, 3);
    job.wait();
}

#[test]
fn asked_to_end_after_its_time_is_killed_without_being_out_of_time() {
    let Some((mut job, _output)) = start_ready(job::shell(STUBBORN).timeout(60_000).grace(50))
    else {
        return;
    };
    job.request(RequestKind::End, 0);
    assert_eq!(job.expect(EventKind::Signaled).value, libc::SIGKILL);
    job.wait();
}

#[test]
fn what_is_left_without_grace_is_destroyed() {
    let Some((mut job, output)) = start_leaving(leaving(OBEDIENT)) else { return };
    assert_eq!(job.expect(EventKind::Exited).value, 4);
    assert_eq!(job.wait().code(), Some(4));
    assert_eq!(rest_of(output), "");
}

#[test]
fn what_is_left_with_grace_may_end_by_itself() {
    let Some((mut job, output)) = start_leaving(leaving(OBEDIENT).grace(60_000)) else { return };
    assert_eq!(job.expect(EventKind::Exited).value, 4);
    // Not after a minute: number 1 sees that nobody is left.
    assert_eq!(job.wait().code(), Some(4));
    assert_eq!(rest_of(output), "bye\n");
}

#[test]
fn what_is_left_after_its_grace_is_destroyed() {
    let Some((mut job, output)) = start_leaving(leaving(STUBBORN).grace(50)) else { return };
    assert_eq!(job.expect(EventKind::Exited).value, 4);
    assert_eq!(job.wait().code(), Some(4));
    assert_eq!(rest_of(output), "");
}

#[test]
fn what_is_left_and_stopped_can_take_its_signal() {
    let leftover = "trap 'echo bye; exit' TERM; echo ready; kill -STOP $$";
    let Some((mut job, output)) = start_leaving(leaving(leftover).grace(60_000)) else { return };
    job.expect(EventKind::Exited);
    job.wait();
    assert_eq!(rest_of(output), "bye\n");
}

#[test]
fn grace_with_nobody_left_takes_no_time() {
    let Some(mut job) = job::shell("exit 0").grace(60_000).start() else { return };
    job.expect(EventKind::Started);
    job.expect(EventKind::Exited);
    job.wait();
}

#[test]
fn a_leftover_that_forks_on_is_destroyed() {
    let leftover = "trap '' TERM; echo ready; while :; do (true &); done";
    let Some((mut job, output)) = start_leaving(leaving(leftover).grace(50)) else { return };
    job.expect(EventKind::Exited);
    job.wait();
    assert_eq!(rest_of(output), "");
}

#[test]
fn on_hold_what_is_left_stays_until_the_supervisor_says_go() {
    let Some((mut job, output)) = start_leaving(leaving(OBEDIENT).hold().grace(60_000)) else {
        return;
    };
    assert_eq!(job.expect(EventKind::Exited).value, 4);
    eventually("the leftover belongs to number 1", || children(job.pid).len() == 1);
    // Nothing but Go and End means anything now.
    job.request(RequestKind::Signal, libc::SIGKILL);
    job.request(RequestKind::Go, 0);
    assert_eq!(job.wait().code(), Some(4));
    assert_eq!(rest_of(output), "bye\n");
}

#[test]
fn on_hold_go_without_grace_destroys() {
    let Some((mut job, output)) = start_leaving(leaving(OBEDIENT).hold()) else { return };
    job.expect(EventKind::Exited);
    assert!(!children(job.pid).is_empty());
    job.request(RequestKind::Go, 0);
    job.wait();
    assert_eq!(rest_of(output), "");
}

#[test]
fn on_hold_end_is_as_good_as_go() {
    let Some((mut job, output)) = start_leaving(leaving(OBEDIENT).hold().grace(60_000)) else {
        return;
    };
    job.expect(EventKind::Exited);
    job.request(RequestKind::End, 0);
    job.wait();
    assert_eq!(rest_of(output), "bye\n");
}

#[test]
fn on_hold_the_time_limit_is_over() {
    let Some((mut job, _output)) = start_leaving(leaving(OBEDIENT).hold().timeout(SOON)) else {
        return;
    };
    job.expect(EventKind::Exited);
    // Until after the limit.
    std::thread::sleep(std::time::Duration::from_millis(SOON));
    assert!(!children(job.pid).is_empty());
    job.request(RequestKind::Go, 0);
    assert_eq!(job.next(), None);
    job.wait();
}

#[test]
fn go_said_too_early_is_not_forgotten() {
    let mut setup = job::command(&["cat"]).hold();
    let input = setup.pipe(0);
    let Some(mut job) = setup.start() else { return };
    job.expect(EventKind::Started);
    job.request(RequestKind::Go, 0);
    job.request(RequestKind::Signal, libc::SIGSTOP);
    job.expect(EventKind::Stopped);
    job.request(RequestKind::Signal, libc::SIGCONT);
    job.expect(EventKind::Continued);
    drop(input);
    job.expect(EventKind::Exited);
    job.wait();
}

#[test]
fn a_killed_command_on_hold_still_waits_for_go() {
    let Some(mut job) = job::command(&["sleep", "1000"]).hold().timeout(20).start() else { return };
    job.expect(EventKind::Started);
    job.expect(EventKind::TimedOut);
    job.expect(EventKind::Signaled);
    assert!(std::path::Path::new(&format!("/proc/{}/fd/0", job.pid)).symlink_metadata().is_ok());
    job.request(RequestKind::Go, 0);
    assert_eq!(job.wait().code(), Some(137));
}

#[test]
fn a_time_limit_holds_although_nobody_reads_what_happens() {
    let mut setup = job::shell("setsid sleep 1000 & exec sleep 1000").timeout(SOON);
    setup.small_buffer = true;
    let output = setup.pipe(1);
    let Some(mut job) = setup.start() else { return };
    // More news than the socket holds, and more requests.
    for _ in 0..1000 {
        job.request(RequestKind::Signal, libc::SIGSTOP);
        job.request(RequestKind::Signal, libc::SIGCONT);
    }
    // All are killed although the end cannot be told yet.
    assert_eq!(rest_of(output), "");
    job.expect(EventKind::Started);
    job.expect_end(EventKind::TimedOut);
    assert_eq!(job.expect_end(EventKind::Signaled).value, libc::SIGKILL);
    assert_eq!(job.wait().code(), Some(137));
}

#[test]
fn what_is_left_does_not_live_on_until_the_supervisor_has_read_of_the_end() {
    let mut setup = job::shell("kill -STOP $$; setsid sleep 1000 & exit 3");
    setup.small_buffer = true;
    let output = setup.pipe(1);
    let Some(mut job) = setup.start() else { return };
    job.expect(EventKind::Started);
    job.expect(EventKind::Stopped);
    // It may end at any of these.
    let asks = [libc::SIGSTOP, libc::SIGCONT].repeat(100);
    let _ = asks.into_iter().all(|signal| job.request_unless_ended(RequestKind::Signal, signal));
    assert_eq!(rest_of(output), "");
    assert_eq!(job.expect_end(EventKind::Exited).value, 3);
    job.wait();
}
