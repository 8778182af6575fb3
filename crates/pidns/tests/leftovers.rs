//! Whatever a command leaves behind is gone when `wait` returns.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::sync::mpsc::channel;
use std::thread;

use pidns_testkit::{again, find, user};
use support::{Mode, Running, both};

/// Number 1 or the guard, and the command.
const OWN: usize = 2;

/// Lets a command end that leaves what `script` starts: `count` processes with a mark, perhaps others without.
#[track_caller]
fn leave(script: &str, count: usize) {
    both(|mode| leave_in(mode, script, count));
}

#[track_caller]
fn leave_in(mode: Mode, script: &str, count: usize) {
    let mut running = Running::start(mode, script);
    let all = running.everybody(OWN + count);
    running.end();
    assert_eq!(running.child.wait().unwrap().code(), Some(1), "read(1) at the end of its input");
    running.assert_gone(&all);
}

#[test]
fn a_child() {
    leave("sleep 300 &", 1);
}

#[test]
fn a_double_fork() {
    leave("(sleep 300 & (sleep 300 &) )", 2);
}

#[test]
fn a_session_of_its_own() {
    leave("setsid sleep 300 & (setsid sh -c 'sleep 300 & sleep 300; :' &)", 4);
}

#[test]
fn one_that_ignores_all_signals() {
    let signals: Vec<String> = (1..=64).map(|n: u32| n.to_string()).collect();
    leave(&format!("(trap '' {}; exec sleep 300) &", signals.join(" ")), 1);
}

#[test]
fn one_that_is_stopped() {
    leave("sleep 300 & kill -STOP $!", 1);
}

#[test]
fn one_that_is_traced() {
    let Some(_) = find("strace") else { return };
    leave("strace -f -o /dev/null sh -c 'sleep 300; :' &", 3);
}

#[test]
fn one_that_is_traced_and_stopped() {
    let Some(_) = find("strace") else { return };
    leave("strace -f -o /dev/null sh -c 'kill -STOP $$; :' &", 2);
}

#[test]
fn a_zombie_that_nobody_waits_for() {
    both(|mode| {
        let mut running = Running::start(mode, "(true & exec sleep 300) &");
        let namespace = running.child.namespace().unwrap();
        pidns_testkit::eventually("a zombie", || {
            namespace.processes().unwrap().iter().any(|process| process.state == 'Z')
        });
        let all = running.everybody(OWN + 1);
        assert_eq!(all.iter().filter(|seen| !seen.is_alive()).count(), 1);
        running.end();
        running.child.wait().unwrap();
        running.assert_gone(&all);
    });
}

#[test]
fn nested_namespaces() {
    let Some(_) = find("unshare") else { return };
    let enter = "unshare --user --map-root-user --pid --fork";
    leave(&format!("{enter} sh -c 'sleep 300 & {enter} sh -c \"sleep 300 & sleep 300; :\"' &"), 7);
}

#[test]
fn one_that_waits_in_vfork() {
    let Some(_) = find("python3") else { return };
    // The child opens a FIFO before it executes anything, and nobody opens the other end.
    let spawn = "import os
directory = os.environ['FIFO']
os.mkfifo(directory)
actions = [(os.POSIX_SPAWN_OPEN, 5, directory, os.O_RDONLY, 0)]
os.posix_spawn('/bin/true', ['true'], os.environ, file_actions=actions)";
    both(|mode| {
        let fifo = std::env::temp_dir().join(format!("pidns-{}-{mode:?}", std::process::id()));
        let mut command = mode.shell("python3 -c \"$SPAWN\" & echo ready\nread end");
        command.env("SPAWN", spawn).env("FIFO", &fifo);
        let mut running = Running::start_command(command);
        // It waits for its child to open the FIFO: both have the same memory, and so the same mark.
        pidns_testkit::eventually("the FIFO", || fifo.exists());
        let all = running.everybody(OWN + 2);
        std::fs::remove_file(&fifo).unwrap();
        running.end();
        running.child.wait().unwrap();
        running.assert_gone(&all);
    });
}

#[test]
fn many_threads() {
    const THREADS: usize = 50;
    const NAME: &str = "many_threads";
    if again::role().is_some() {
        let (sender, receiver) = channel();
        for _ in 0..THREADS {
            let sender = sender.clone();
            thread::spawn(move || {
                sender.send(()).unwrap();
                loop {
                    thread::park();
                }
            });
        }
        receiver.iter().take(THREADS).for_each(drop);
        println!("\nready");
        loop {
            thread::park();
        }
    }
    both(|mode| {
        let program = std::env::current_exe().unwrap();
        let mut command = mode.shell(&format!(
            "{} {} & read end",
            program.display(),
            again::arguments(NAME).join(" ")
        ));
        let (key, role) = again::variable("threads");
        command.env(key, role);
        let mut running = Running::start_command(command);
        let all = running.everybody(OWN + 1);
        running.end();
        running.child.wait().unwrap();
        running.assert_gone(&all);
    });
}

#[test]
fn a_chain_of_forks_that_never_stands_still() {
    // Each process makes the next one and ends.
    let chain = "f() { (f) & }; f & f & f & f &";
    both(|mode| {
        let mut running = Running::start(mode, chain);
        running.end();
        running.child.wait().unwrap();
        running.mark.assert_gone();
    });
}

#[test]
fn a_thousand_processes() {
    leave("i=0; while [ $i -lt 1000 ]; do sleep 300 & i=$((i+1)); done", 1000);
}

#[test]
fn a_daemon_that_holds_the_output_does_not_hold_up_its_reader() {
    both(|mode| {
        let output = mode.shell("setsid sleep 300 & echo out; echo err >&2").output().unwrap();
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
        assert!(output.status.success());
    });
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[]);
}
