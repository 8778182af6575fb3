//! The image as the guard of a namespace whose number 1 is the command itself.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use pidns_init::protocol::{EventKind, RequestKind};
use support::job::{self, Job};
use support::{pidfd, wait_readable};

/// What is guarded: a process that is ended at the end of the test.
struct Target {
    child: Child,
    pidfd: OwnedFd,
}

impl Target {
    /// A process that writes something when it is ready.
    fn new(script: &str) -> Self {
        let child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        wait_readable("the target's first line", child.stdout.as_ref().unwrap());
        Self { pidfd: pidfd(child.id() as i32), child }
    }

    fn sleeping() -> Self {
        Self::new("echo ready; exec sleep 1000")
    }

    /// The signal that has ended it.
    fn signal(&mut self) -> Option<i32> {
        wait_readable("the target's end", &self.pidfd);
        self.child.wait().unwrap().signal()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// A guard that knows its target.
fn guarding(setup: job::Setup, target: &Target) -> Job {
    let job = setup.start().unwrap();
    job.send_fd(&target.pidfd);
    job.expect(EventKind::Started);
    job
}

#[test]
fn it_goes_when_the_target_has_ended() {
    let target = Target::new("exit 0");
    let mut job = guarding(job::guard(), &target);
    assert_eq!(job.wait().code(), Some(0));
    assert_eq!(job.next(), None);
}

#[test]
fn it_kills_the_target_when_the_supervisor_has_gone() {
    let mut target = Target::sleeping();
    let mut job = guarding(job::guard().grace(60_000), &target);
    job.kill_supervisor();
    assert_eq!(target.signal(), Some(libc::SIGKILL));
    assert_eq!(job.wait().code(), Some(0));
}

#[test]
fn it_kills_the_target_when_the_socket_is_closed() {
    let mut target = Target::sleeping();
    let mut job = guarding(job::guard(), &target);
    drop(job.socket.take());
    assert_eq!(target.signal(), Some(libc::SIGKILL));
    assert_eq!(job.wait().code(), Some(0));
}

#[test]
fn it_kills_a_stopped_target() {
    let mut target = Target::sleeping();
    let mut job = guarding(job::guard(), &target);
    job.request(RequestKind::Signal, libc::SIGSTOP);
    job.kill_supervisor();
    assert_eq!(target.signal(), Some(libc::SIGKILL));
    job.wait();
}

#[test]
fn it_kills_the_target_of_a_supervisor_that_was_gone_before() {
    let mut target = Target::sleeping();
    let mut setup = job::guard();
    setup.supervisor_dead = true;
    let mut job = setup.start().unwrap();
    job.send_fd(&target.pidfd);
    assert_eq!(target.signal(), Some(libc::SIGKILL));
    assert_eq!(job.next(), None);
    assert_eq!(job.wait().code(), Some(0));
}

#[test]
fn it_goes_when_there_will_be_no_target() {
    let mut job = job::guard().start().unwrap();
    drop(job.socket.take());
    assert_eq!(job.wait().code(), Some(125));
}

#[test]
fn it_waits_for_its_target_as_long_as_somebody_can_send_it() {
    let mut target = Target::sleeping();
    let mut job = job::guard().start().unwrap();
    job.kill_supervisor();
    job.send_raw(b"no descriptor");
    job.send_fd(&target.pidfd);
    assert_eq!(target.signal(), Some(libc::SIGKILL));
    job.wait();
}

#[test]
fn out_of_time_without_grace_is_killed() {
    let mut target = Target::sleeping();
    let mut job = guarding(job::guard().timeout(20), &target);
    job.expect(EventKind::TimedOut);
    assert_eq!(target.signal(), Some(libc::SIGKILL));
    assert_eq!(job.wait().code(), Some(0));
}

#[test]
fn out_of_time_with_grace_gets_the_signal() {
    let mut target = Target::sleeping();
    let mut job = guarding(job::guard().timeout(20).grace(60_000), &target);
    job.expect(EventKind::TimedOut);
    assert_eq!(target.signal(), Some(libc::SIGTERM));
    assert_eq!(job.wait().code(), Some(0));
}

#[test]
fn out_of_time_and_of_grace_is_killed() {
    let mut target = Target::new("trap '' TERM; echo ready; exec sleep 1000");
    let mut job = guarding(job::guard().timeout(20).grace(50), &target);
    job.expect(EventKind::TimedOut);
    assert_eq!(target.signal(), Some(libc::SIGKILL));
    job.wait();
}

#[test]
fn a_stopped_target_can_take_its_signal() {
    let mut target = Target::sleeping();
    let mut job = guarding(job::guard().grace(60_000), &target);
    job.request(RequestKind::Signal, libc::SIGSTOP);
    job.request(RequestKind::End, 0);
    assert_eq!(target.signal(), Some(libc::SIGTERM));
    job.wait();
}

#[test]
fn it_passes_signals_on_and_ends_the_target_when_asked() {
    let mut target = Target::sleeping();
    let mut job = guarding(job::guard(), &target);
    job.request(RequestKind::Signal, libc::SIGUSR1);
    assert_eq!(target.signal(), Some(libc::SIGUSR1));
    job.wait();

    let mut target = Target::sleeping();
    let mut job = guarding(job::guard(), &target);
    job.request(RequestKind::Go, 0);
    job.request(RequestKind::End, 0);
    assert_eq!(target.signal(), Some(libc::SIGKILL));
    job.wait();
}

#[test]
fn signals_from_a_terminal_do_not_end_it() {
    let mut target = Target::sleeping();
    let mut job = guarding(job::guard(), &target);
    for signal in
        [libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP, libc::SIGHUP, libc::SIGTERM, libc::SIGUSR1]
    {
        // SAFETY: our own child.
        assert_eq!(unsafe { libc::kill(job.pid, signal) }, 0);
    }
    // It is still there to do its work.
    job.request(RequestKind::Signal, libc::SIGUSR2);
    assert_eq!(target.signal(), Some(libc::SIGUSR2));
    assert_eq!(job.wait().code(), Some(0));
}

#[test]
fn it_holds_nothing_of_the_callers() {
    let target = Target::sleeping();
    let mut setup = job::guard();
    let mut output = setup.pipe(1);
    let _job = guarding(setup, &target);
    // Ends although the guard lives on.
    std::io::Read::read_to_end(&mut output, &mut Vec::new()).unwrap();
}

#[test]
fn number_1_of_a_real_namespace_is_killed_with_all_in_it() {
    use std::io::Read;
    let mut setup = job::shell("(trap '' TERM; while :; do sleep 1000; done) & echo ready; wait");
    let mut output = setup.pipe(1);
    let Some(mut inner) = setup.start() else { return };
    output.read_exact(&mut [0; 6]).unwrap();
    let mut guard = job::guard().start().unwrap();
    guard.send_fd(&inner.pidfd);
    guard.expect(EventKind::Started);
    guard.kill_supervisor();
    assert_eq!(inner.wait().signal(), Some(libc::SIGKILL));
    assert_eq!(output.read_to_end(&mut Vec::new()).unwrap(), 0);
    guard.wait();
}
