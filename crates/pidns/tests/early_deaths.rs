//! A `pidns-init` that is killed as soon as it is there: whoever starts a command by it hears of that, and goes on.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::fs;
use std::sync::{Arc, Weak, mpsc};
use std::thread;

use pidns::{Child, Command, Engine, Signal, SpawnError, Stage, Stdio};
use pidns_testkit::{Mark, PATIENCE, again};
use rustix::process::{Pid, Signal as Kill, kill_process};
use support::Mode;

const ROUNDS: usize = 30;

/// Kills every `pidns-init` that this process starts, but `spared`, for as long as somebody listens.
fn kill_children(spared: u32, listener: &Weak<()>) {
    while listener.upgrade().is_some() {
        for task in fs::read_dir("/proc/self/task").unwrap().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().map(|child| child.parse().unwrap()) {
                let name = fs::read_to_string(format!("/proc/{child}/comm"));
                // A warden has a name of its own.
                if child != spared.cast_signed()
                    && name.is_ok_and(|name| name.starts_with("pidns-"))
                {
                    let _ = kill_process(Pid::from_raw(child).unwrap(), Kill::KILL);
                }
            }
        }
    }
}

/// Has a thread `spawn` again and again, while each `pidns-init` but `spared` is killed.
fn play(spared: u32, spawn: impl Fn(&mut Command) -> Result<Child, SpawnError> + Send + 'static) {
    let mark = Mark::new();
    let (key, value) = mark.env();
    let mut command = Command::new("sleep");
    command.arg("300").env(key, value).stdin(Stdio::null());
    let listener = Arc::new(());
    let watched = Arc::downgrade(&listener);
    let killer = thread::spawn(move || kill_children(spared, &watched));
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for _ in 0..ROUNDS {
            let ended = spawn(&mut command).map(|mut child| child.wait().unwrap());
            sender.send(ended).unwrap();
        }
    });
    let mut early = 0;
    for _ in 0..ROUNDS {
        match receiver.recv_timeout(PATIENCE).expect("it comes back") {
            Ok(status) => assert_eq!(status.signal(), Some(Signal::KILL)),
            Err(error) => {
                assert!(matches!(error.stage(), Stage::Init | Stage::Guard), "{error}");
                early += 1;
            }
        }
    }
    drop(listener);
    killer.join().unwrap();
    eprintln!("{early} of {ROUNDS} before they were started");
    mark.wait_gone();
}

/// Plays the test `name` in a process of its own: the children of other tests are to live.
fn alone(name: &str, test: impl Fn()) {
    match again::role() {
        None => again::run(&mut again::command(name, "alone")),
        Some(_) => test(),
    }
}

#[test]
fn number_1() {
    alone("number_1", || play(0, |command| command.engine(Engine::Kernel).spawn()));
}

#[test]
fn the_guard_of_a_command_that_is_number_1() {
    alone("the_guard_of_a_command_that_is_number_1", || {
        play(0, |command| command.engine(Engine::Kernel).as_init().spawn());
    });
}

#[test]
fn warden_and_keeper() {
    alone("warden_and_keeper", || play(0, |command| command.engine(Engine::Subreaper).spawn()));
}

#[test]
fn a_visitor() {
    alone("a_visitor", || {
        let mut command = Mode::Init.command("sleep");
        let mut job = command.arg("300").spawn().unwrap();
        let namespace = job.namespace().unwrap();
        play(job.init_pid(), move |command| namespace.spawn(command));
        assert_eq!(job.try_wait().unwrap(), None);
    });
}
