//! The subreaper engine: SIGKILL of any one of caller, warden and keeper, at any moment, leaves nothing.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::collections::BTreeSet;
use std::io::PipeWriter;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{self, Child as Process};
use std::thread;
use std::time::Duration;

use pidns::{Command, Engine, PidNamespace, Signal, Stdio};
use pidns_testkit::proc::Seen;
use pidns_testkit::{Lines, Mark, PATIENCE, again, eventually, proc, user};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    Pid, Signal as Kill, kill_process, kill_process_group, pidfd_send_signal, set_child_subreaper,
};
use support::Running;

/// How often each is killed.
const ROUNDS: u64 = 70;

/// How far apart the moments may be, from the start of the job on.
const WITHIN_US: u64 = 6000;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.engine(Engine::Subreaper).args(["-c", script]);
    command
}

/// Leaves a daemon, an orphan and one that is stopped, and ends soon.
const LEAVE: &str =
    "setsid sleep 300 & (sleep 300 &); sleep 300 & kill -STOP $!; sleep 0.002; exit 7";

/// A moment for each round, all over the time there is, by Knuth's multiplicative hashing.
fn moment(round: u64) -> Duration {
    Duration::from_micros(round.wrapping_mul(2_654_435_761) % WITHIN_US)
}

fn kill(pid: u32, signal: Kill) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

/// Plays a job of which somebody is killed by `hit` at a moment, and checks what comes of it.
fn rounds(hit: impl Fn(&mut pidns::Child)) {
    let mut killed = 0;
    for round in 0..ROUNDS {
        let mark = Mark::new();
        let (key, value) = mark.env();
        let mut child = shell(LEAVE).env(key, value).spawn().unwrap();
        thread::sleep(moment(round));
        hit(&mut child);
        let status = child.wait().unwrap();
        mark.assert_gone();
        match (status.code(), status.signal()) {
            (Some(7), None) => {}
            (None, Some(Signal::KILL)) => killed += 1,
            other => panic!("{other:?} in round {round}"),
        }
    }
    assert!(killed > ROUNDS / 10, "only {killed} have been hit in time: there was no test");
}

#[test]
fn sigkill_of_the_keeper() {
    rounds(|child| child.kill().unwrap());
}

#[test]
fn sigkill_of_the_warden() {
    // Not reaped before `wait`, so that it is there to be signalled.
    rounds(|child| pidfd_send_signal(child.pidfd(), Kill::KILL).unwrap());
}

/// The role of a caller whose job does not end by itself.
fn stay() {
    shell(LEAVE.replace("sleep 0.002", "echo ready; sleep 300").as_str()).status().unwrap();
}

#[test]
fn sigkill_of_the_caller() {
    const NAME: &str = "sigkill_of_the_caller";
    if again::role().is_some() {
        return stay();
    }
    for round in 0..ROUNDS {
        let mark = Mark::new();
        let mut caller = caller(NAME, &mark);
        // From before the launch to after the start of all.
        thread::sleep(moment(round) + moment(round) * 4);
        caller.kill().unwrap();
        caller.wait().unwrap();
        mark.wait_gone();
    }
}

#[test]
fn sigkill_of_the_callers_whole_group() {
    const NAME: &str = "sigkill_of_the_callers_whole_group";
    if again::role().is_some() {
        return stay();
    }
    for round in 0..ROUNDS {
        let mark = Mark::new();
        let mut caller = caller(NAME, &mark);
        Lines::new(caller.stdout.take().unwrap()).until("ready");
        thread::sleep(moment(round) / 4);
        kill_process_group(Pid::from_child(&caller), Kill::KILL).unwrap();
        assert_eq!(caller.wait().unwrap().signal(), Some(9));
        mark.wait_gone();
    }
}

/// This program, in a group of its own, as the caller of a job.
fn caller(name: &str, mark: &Mark) -> Process {
    let (key, value) = mark.env();
    again::command(name, "caller")
        .env(key, value)
        .process_group(0)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_command_that_kills_its_whole_group() {
    const NAME: &str = "a_command_that_kills_its_whole_group";
    if again::role().is_some() {
        let script = "setsid sleep 300 & setsid sh -c 'sleep 300; :' & kill -9 0; exec sleep 300";
        panic!("not killed: {:?}", shell(script).status());
    }
    let mark = Mark::new();
    assert_eq!(caller(NAME, &mark).wait().unwrap().signal(), Some(9));
    mark.wait_gone();
}

#[test]
fn a_keeper_that_is_stopped_does_not_outlive_the_caller() {
    const NAME: &str = "a_keeper_that_is_stopped_does_not_outlive_the_caller";
    if again::role().is_some() {
        let mut child = shell("setsid sleep 300 & read end").stdin(Stdio::piped()).spawn().unwrap();
        println!("\nkeeper {}", child.init_pid());
        let _stdin = child.stdin.take();
        child.wait().unwrap();
        return;
    }
    let mark = Mark::new();
    let mut caller = caller(NAME, &mark);
    let line = Lines::new(caller.stdout.take().unwrap()).until("keeper ");
    kill(line.trim_start_matches("keeper ").parse().unwrap(), Kill::STOP);
    caller.kill().unwrap();
    caller.wait().unwrap();
    mark.wait_gone();
}

#[test]
fn a_keeper_that_outlives_the_warden_is_waited_for() {
    let mut running = Running::start_command(shell(
        "i=0; while [ $i -lt 200 ]; do setsid sleep 300 & i=$((i+1)); done; echo ready; read end",
    ));
    let all = running.everybody(3 + 200);
    // So that the command does not end by itself: a wait closes its input.
    let _stdin = running.child.stdin.take();
    kill(proc::parent(running.child.init_pid()).unwrap(), Kill::KILL);
    assert_eq!(running.child.wait().unwrap().signal(), Some(Signal::KILL));
    let left = all.iter().filter(|seen| seen.is_alive()).count();
    assert_eq!(left, 0);
    eventually("the keeper is reaped", || all.iter().all(|seen| !seen.is_there()));
}

#[test]
fn a_caller_that_adopts_the_keeper_reaps_it() {
    const NAME: &str = "a_caller_that_adopts_the_keeper_reaps_it";
    if again::role().is_none() {
        return again::run(&mut again::command(NAME, "subreaper"));
    }
    set_child_subreaper(Some(Pid::INIT)).unwrap();
    let mut running = Running::start_command(shell("sleep 300 & echo ready; read end"));
    let all = running.everybody(3 + 1);
    let _stdin = running.child.stdin.take();
    pidfd_send_signal(running.child.pidfd(), Kill::KILL).unwrap();
    assert_eq!(running.child.wait().unwrap().signal(), Some(Signal::KILL));
    running.assert_gone(&all);
}

/// A job whose keeper has been stopped, and whose warden has been killed then. It does not end by itself.
fn keeper_alone(name: &str) -> (Running, BTreeSet<Seen>, PipeWriter) {
    let mut command = shell("setsid sleep 300 & (sleep 300 &); echo ready; read end");
    command.name(name);
    let mut running = Running::start_command(command);
    let all = running.everybody(3 + 2);
    let keeper = running.child.init_pid();
    kill(keeper, Kill::STOP);
    eventually("the keeper is stopped", || proc::state(keeper) == Some('T'));
    let warden = running.child.pidfd();
    pidfd_send_signal(warden, Kill::KILL).unwrap();
    poll(&mut [PollFd::new(&warden, PollFlags::IN)], None).unwrap();
    let stdin = running.child.stdin.take().unwrap();
    (running, all, stdin)
}

#[test]
fn a_keeper_without_a_warden_is_not_killed_but_left_to_do_its_work() {
    let name = format!("test-alone-{}", process::id());
    let ways: [fn(&mut Running, &str); 4] = [
        |_, _| {},
        |running, _| running.child.kill().unwrap(),
        |running, _| running.child.namespace().unwrap().destroy().unwrap(),
        |_, name| {
            let namespace = PidNamespace::named(name).unwrap();
            namespace.destroy().unwrap();
            namespace.wait_gone().unwrap();
        },
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let (mut running, all, _stdin) = keeper_alone(&name);
        way(&mut running, &name);
        let status = running.child.wait().unwrap();
        let left: Vec<_> = all.iter().filter(|seen| seen.is_alive()).collect();
        assert!(left.is_empty(), "in way {number}: {left:?}");
        assert_eq!(status.signal(), Some(Signal::KILL));
    }
}

#[test]
fn a_warden_that_is_stopped_does_not_hold_up_who_destroys() {
    let mut running = Running::start_command(shell("setsid sleep 300 & echo ready; read end"));
    let all = running.everybody(3 + 1);
    let _stdin = running.child.stdin.take();
    kill(proc::parent(running.child.init_pid()).unwrap(), Kill::STOP);
    let namespace = running.child.namespace().unwrap();
    namespace.destroy().unwrap();
    assert!(namespace.wait_timeout(PATIENCE).unwrap());
    assert_eq!(running.child.wait().unwrap().signal(), Some(Signal::KILL));
    running.assert_gone(&all);
}

#[test]
fn the_end_of_a_keeper_is_told_to_a_caller_that_ignores_ends() {
    const NAME: &str = "the_end_of_a_keeper_is_told_to_a_caller_that_ignores_ends";
    if again::role().is_none() {
        let program = std::env::current_exe().unwrap();
        let arguments = again::arguments(NAME).join(" ");
        let script = format!("trap '' CHLD; exec {} {arguments}", program.display());
        let mut caller = process::Command::new("sh");
        let (key, role) = again::variable("caller");
        return again::run(caller.args(["-c", &script]).env(key, role));
    }
    for _ in 0..ROUNDS {
        let mut child = shell("(sleep 300 &); sleep 300").spawn().unwrap();
        child.kill().unwrap();
        match child.wait() {
            Ok(status) => assert_eq!(status.signal(), Some(Signal::KILL)),
            // Linux tells of the warden since 6.15.
            Err(error) => assert_eq!(error.raw_os_error(), Some(10)),
        }
    }
}

#[test]
fn as_nobody() {
    user::again_as_nobody("as_nobody", &[]);
}
