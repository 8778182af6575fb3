//! The image as number 1 of a namespace: whatever it is about, it goes when its supervisor has gone, and takes the
//! namespace with it.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;

use pidns_init::protocol::{EventKind, RequestKind};
use support::job::{self, Job};
use support::{Directory, children, eventually};

/// The ways in which a supervisor goes.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// Its process ends, while somebody else has its end of the socket, too.
    Killed,
    /// Its end of the socket is closed.
    Hangup,
}

const DEATHS: [Death; 2] = [Death::Killed, Death::Hangup];

impl Death {
    fn strike(self, job: &mut Job) {
        match self {
            Self::Killed => job.kill_supervisor(),
            Self::Hangup => drop(job.socket.take()),
        }
    }
}

/// Checks that nobody is left who could write to the pipe, and that nothing has been written.
fn assert_silent_end(mut output: File) {
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert_eq!(text, "");
}

/// A command that cannot be ended by any signal but SIGKILL and has a child that cannot either, both with the pipe.
const STUBBORN: &str = "trap '' TERM HUP INT CONT USR1; (trap '' TERM; while :; do sleep 1000; done) & echo ready; wait";

fn start_stubborn(setup: job::Setup) -> Option<(Job, File)> {
    let mut setup = setup;
    let mut output = setup.pipe(1);
    let job = setup.start()?;
    output.read_exact(&mut [0; 6]).unwrap();
    job.expect(EventKind::Started);
    Some((job, output))
}

#[test]
fn before_it_has_said_anything() {
    for death in DEATHS {
        let mut setup = job::shell("echo ready");
        setup.silent = true;
        let output = setup.pipe(1);
        let Some(mut job) = setup.start() else { return };
        death.strike(&mut job);
        assert_eq!(job.wait().code(), Some(125));
        assert_silent_end(output);
    }
}

#[test]
fn before_the_image_has_started() {
    let mut setup = job::shell("echo ready");
    setup.supervisor_dead = true;
    let output = setup.pipe(1);
    let Some(mut job) = setup.start() else { return };
    assert_eq!(job.wait().code(), Some(125));
    assert_silent_end(output);
}

/// A file that cannot be opened as long as this is there: `fcntl(F_SETLEASE)`.
struct Lease(File);

impl Lease {
    fn new(path: &std::path::Path) -> Option<Self> {
        let file = File::options().read(true).write(true).open(path).unwrap();
        // Of fcntl(2), not in the crate libc.
        const F_SETSIG: i32 = 10;
        let fd = file.as_raw_fd();
        // SAFETY: calls that take numbers. The holder of a lease is told by a signal, here by one that does nothing.
        let leased = unsafe {
            libc::fcntl(fd, F_SETSIG, libc::SIGURG) == 0
                && libc::fcntl(fd, libc::F_SETLEASE, libc::F_WRLCK) == 0
        };
        leased.then_some(Self(file))
    }
}

#[test]
fn while_the_command_cannot_be_executed_yet() {
    use std::os::unix::process::ExitStatusExt;
    let directory = Directory::new("lease");
    let program = directory.file("program", "#!/bin/sh\necho ready", 0o755);
    let Some(lease) = Lease::new(&program) else {
        eprintln!("skipped: no lease on a file here");
        return;
    };
    // The thread that starts it ends before the command is executed, as it does with a supervisor that is killed.
    let start = || {
        let job = job::command(&[&program]).start()?;
        eventually("the command's process is there", || !children(job.pid).is_empty());
        Some(job)
    };
    let Some(mut job) = std::thread::scope(|scope| scope.spawn(start).join().unwrap()) else {
        return;
    };
    assert_eq!(job.wait().signal(), Some(libc::SIGKILL));
    assert_eq!(job.next(), None);
    drop(lease.0);
}

#[test]
fn while_the_command_runs() {
    for death in DEATHS {
        let Some((mut job, output)) = start_stubborn(job::shell(STUBBORN).grace(60_000)) else {
            return;
        };
        death.strike(&mut job);
        job.wait();
        assert_silent_end(output);
    }
}

#[test]
fn while_the_command_is_stopped() {
    for death in DEATHS {
        let Some((mut job, output)) = start_stubborn(job::shell(STUBBORN)) else { return };
        job.request(RequestKind::Signal, libc::SIGSTOP);
        job.expect(EventKind::Stopped);
        death.strike(&mut job);
        job.wait();
        assert_silent_end(output);
    }
}

#[test]
fn while_the_command_is_asked_to_end() {
    for death in DEATHS {
        let Some((mut job, output)) = start_stubborn(job::shell(STUBBORN).grace(60_000)) else {
            return;
        };
        job.request(RequestKind::End, 0);
        death.strike(&mut job);
        job.wait();
        assert_silent_end(output);
    }
}

#[test]
fn while_number_1_is_on_hold() {
    for death in DEATHS {
        let script = "(trap '' TERM; echo ready; while :; do sleep 1000; done) & read line; exit 4";
        let mut setup = job::shell(script).hold().grace(60_000);
        let mut input = setup.pipe(0);
        let Some((mut job, output)) = start_stubborn(setup) else { return };
        input.write_all(b"\n").unwrap();
        job.expect(EventKind::Exited);
        death.strike(&mut job);
        job.wait();
        assert_silent_end(output);
    }
}

#[test]
fn while_what_is_left_has_its_grace() {
    for death in DEATHS {
        let script = "(trap 'echo asked' TERM; echo ready; while :; do sleep 1000 & wait; done) & read line; exit 4";
        let mut setup = job::shell(script).grace(60_000);
        let mut input = setup.pipe(0);
        let Some((mut job, mut output)) = start_stubborn(setup) else { return };
        input.write_all(b"\n").unwrap();
        job.expect(EventKind::Exited);
        output.read_exact(&mut [0; 6]).unwrap();
        death.strike(&mut job);
        job.wait();
        assert_silent_end(output);
    }
}

#[test]
fn while_others_fork_on_and_on() {
    for death in DEATHS {
        let storm = "trap '' TERM; echo ready; while :; do (setsid true &); done";
        let Some((mut job, output)) = start_stubborn(job::shell(storm)) else { return };
        death.strike(&mut job);
        job.wait();
        assert_silent_end(output);
    }
}

#[test]
fn with_requests_still_unread() {
    let Some((mut job, output)) = start_stubborn(job::shell(STUBBORN)) else { return };
    for _ in 0..50 {
        job.request(RequestKind::Signal, libc::SIGUSR1);
    }
    drop(job.socket.take());
    job.wait();
    assert_silent_end(output);
}

#[test]
fn at_any_moment() {
    for round in 0..100_u32 {
        let mut setup = job::shell(STUBBORN);
        let mut output = setup.pipe(1);
        let Some(mut job) = setup.start() else { return };
        for _ in 0..round * 500 {
            std::hint::spin_loop();
        }
        DEATHS[round as usize % 2].strike(&mut job);
        job.wait();
        // Whether the command came to its first line or not: nobody has the pipe any more.
        output.read_to_end(&mut Vec::new()).unwrap();
    }
}
