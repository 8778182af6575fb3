//! pidfds and the ends of processes.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pidns_sys::signal::Signal;
use pidns_sys::wait::{self, Change, Wanted};
use pidns_sys::{Errno, pidfd, poll};
use std::os::fd::AsFd;

fn cat() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

const ALL: Wanted = Wanted::EXITED.union(Wanted::STOPPED).union(Wanted::CONTINUED);

#[test]
fn a_pidfd_is_of_a_process_that_is_there() {
    assert_eq!(pidfd::open(0).unwrap_err(), Errno::INVAL);
    assert_eq!(pidfd::open(u32::MAX).unwrap_err(), Errno::INVAL);
    let mut child = cat();
    let fd = pidfd::open(child.id()).unwrap();
    assert!(rustix::io::fcntl_getfd(&fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    assert_eq!(poll::readable([fd.as_fd()], Some(Duration::ZERO)), Ok([false]));
    drop(child.stdin.take());
    assert_eq!(poll::readable([fd.as_fd()], None), Ok([true]), "a zombie can be seen");
    assert_eq!(pidfd::send_signal(&fd, Signal::TERM), Ok(()), "and signalled");
    assert!(child.wait().unwrap().success());
    assert_eq!(pidfd::send_signal(&fd, Signal::TERM), Err(Errno::SRCH));
    assert!(
        poll::readable([pidfd::of_self().unwrap().as_fd()], Some(Duration::ZERO)).unwrap()
            == [false]
    );
}

#[test]
fn every_change_is_told_once() {
    let child = cat();
    let fd = pidfd::open(child.id()).unwrap();
    assert_eq!(wait::change_of(&fd, ALL | Wanted::NOHANG), Ok(None));
    pidfd::send_signal(&fd, Signal::STOP).unwrap();
    assert_eq!(wait::change_of(&fd, ALL | Wanted::NOWAIT), Ok(Some(Change::Stopped(19))));
    assert_eq!(wait::change_of(&fd, ALL), Ok(Some(Change::Stopped(19))));
    assert_eq!(wait::change_of(&fd, ALL | Wanted::NOHANG), Ok(None));
    pidfd::send_signal(&fd, Signal::CONT).unwrap();
    assert_eq!(wait::change_of(&fd, ALL), Ok(Some(Change::Continued)));
    pidfd::send_signal(&fd, Signal::KILL).unwrap();
    assert_eq!(wait::change_of(&fd, Wanted::EXITED), Ok(Some(Change::Killed(9))));
    assert_eq!(wait::change_of(&fd, Wanted::EXITED), Err(Errno::CHILD));
    let not_a_pidfd = std::fs::File::open("/dev/null").unwrap();
    assert_eq!(wait::change_of(&not_a_pidfd, Wanted::EXITED), Err(Errno::BADF));
    drop(child);
}

#[test]
fn how_a_process_ended_can_be_asked_after_others_have_collected_it() {
    let end = |script: &str| {
        let mut child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        let fd = pidfd::open(child.id()).unwrap();
        poll::readable([fd.as_fd()], None).unwrap();
        assert_eq!(wait::collected(&fd), Ok(None), "nobody has");
        child.wait().unwrap();
        wait::collected(&fd).unwrap()
    };
    let Some(first) = end("exit 200") else {
        pidns_testkit::skipped!("this kernel does not tell");
        return;
    };
    assert_eq!(first, Change::Exited(200));
    assert_eq!(end("ulimit -c 0; kill -SEGV $$"), Some(Change::Killed(11)));
    assert_eq!(end("kill -64 $$"), Some(Change::Killed(64)));
}

#[test]
#[expect(clippy::zombie_processes, reason = "each is reaped by its pidfd")]
fn every_signal_arrives_by_its_number() {
    for number in
        (1..=64).filter(|number| ![17, 18, 19, 20, 21, 22, 23, 28, 32, 33].contains(number))
    {
        let child = cat();
        let fd = pidfd::open(child.id()).unwrap();
        // What is sent before the exec, to a process with other dispositions, ends it just as well.
        pidfd::send_signal(&fd, Signal::new(number).unwrap()).unwrap();
        let end = wait::change_of(&fd, Wanted::EXITED).unwrap();
        assert!(
            matches!(end, Some(Change::Killed(n) | Change::Dumped(n)) if n == number),
            "{number}: {end:?}"
        );
    }
    assert_eq!((Signal::new(0), Signal::new(65), Signal::new(-1)), (None, None, None));
}
