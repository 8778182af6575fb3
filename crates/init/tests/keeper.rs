//! The image as warden and keeper of a command: what they do where the kernel, or a filter, does not offer everything.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::fs::File;
use std::io::Read;

use pidns_init::protocol::{EventKind, Role};
use support::job::{self, Job, Setup};

/// Leaves generations of processes behind, some of whom lose their parents: all of them with the pipe.
const LEAVE: &str =
    "sleep 1000 & (sleep 1000 & (sleep 1000 &)) ; sh -c 'sh -c \"sleep 1000; :\" & sleep 1000; :' &
    setsid sh -c 'sleep 1000 & sleep 1000; :' & kill -STOP $!; exit 7";

fn keeper(script: &str) -> Setup {
    job::shell(script).with(|config| config.role = Role::Keeper as u32)
}

/// Starts it without the system calls `refused`, and returns the reading end of the pipe.
fn start(script: &str, refused: &[(libc::c_long, i32)]) -> (Job, File) {
    let mut setup = keeper(script);
    setup.refused = refused.to_vec();
    let output = setup.pipe(1);
    (setup.start().expect("no namespace is needed"), output)
}

/// Runs a command that leaves others behind, and checks that none of them is there afterwards.
#[track_caller]
fn assert_all_gone(refused: &[(libc::c_long, i32)]) {
    let (mut job, mut output) = start(LEAVE, refused);
    let keeper = job.expect(EventKind::Keeper).pid;
    assert_ne!(keeper, job.pid, "there are two");
    job.expect(EventKind::Started);
    assert_eq!(job.expect(EventKind::Exited).value, 7);
    assert_eq!(job.next(), None);
    assert_eq!(job.wait().code(), Some(7));
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert_eq!(text, "");
}

#[test]
fn all_are_gone_after_the_command() {
    assert_all_gone(&[]);
}

#[test]
fn without_what_a_pidfd_can_tell() {
    // PIDFD_GET_INFO is younger than all else.
    assert_all_gone(&[(libc::SYS_ioctl, libc::ENOTTY)]);
}

#[test]
fn without_the_number_of_links() {
    // Every directory of threads is listed then.
    assert_all_gone(&[(libc::SYS_statx, libc::ENOSYS)]);
}

#[test]
fn without_close_range() {
    assert_all_gone(&[(libc::SYS_close_range, libc::ENOSYS)]);
}

#[test]
fn without_a_higher_priority() {
    assert_all_gone(&[(libc::SYS_setpriority, libc::EACCES)]);
}

#[test]
fn what_cannot_be_made_is_told() {
    for (call, errno) in [
        (libc::SYS_clone, libc::EAGAIN),
        (libc::SYS_eventfd2, libc::EMFILE),
        (libc::SYS_pidfd_open, libc::ENOSYS),
        (libc::SYS_prctl, libc::EINVAL),
    ] {
        let (mut job, _output) = start("exit 0", &[(call, errno)]);
        assert_eq!(job.expect(EventKind::ForkFailed).value, errno);
        assert_eq!(job.next(), None);
        assert_eq!(job.wait().code(), Some(125));
    }
}

#[test]
fn a_command_that_cannot_be_executed_is_told_and_both_go() {
    let setup =
        job::command(&["/no/such/program"]).with(|config| config.role = Role::Keeper as u32);
    let mut job = setup.start().unwrap();
    job.expect(EventKind::Keeper);
    assert_eq!(job.expect(EventKind::ExecFailed).value, libc::ENOENT);
    assert_eq!(job.next(), None);
    assert_eq!(job.wait().code(), Some(127));
}

#[test]
fn both_go_with_a_supervisor_that_was_never_there() {
    let mut setup = keeper("sleep 1000");
    setup.supervisor_dead = true;
    let mut output = setup.pipe(1);
    let mut job = setup.start().unwrap();
    assert_eq!(job.wait().code(), Some(125));
    output.read_to_string(&mut String::new()).unwrap();
}
