//! What becomes known of a command while it runs.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::time::{Duration, Instant};

use pidns::{Change, Child, Signal};
use pidns_testkit::{PATIENCE, user};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use support::{Running, both};

/// The next change, which has to come.
#[track_caller]
fn next(child: &mut Child) -> Change {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(change) = child.next_change().unwrap() {
            return change;
        }
        // Stops of a number 1 make no descriptor readable.
        let [news, pidfd] = child.descriptors();
        let mut fds = [PollFd::new(&news, PollFlags::IN), PollFd::new(&pidfd, PollFlags::IN)];
        let short = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
        poll(&mut fds, Some(&short)).unwrap();
    }
    panic!("never: another change");
}

#[test]
fn stops_and_continuations_are_told_in_order() {
    both(|mode| {
        let mut running = Running::start(mode, "");
        let child = &mut running.child;
        assert_eq!(child.next_change().unwrap(), None);
        for _ in 0..3 {
            child.signal(Signal::STOP).unwrap();
            assert_eq!(next(child), Change::Stopped(Signal::STOP));
            child.signal(Signal::CONT).unwrap();
            assert_eq!(next(child), Change::Continued);
        }
        running.end();
        assert_eq!(next(&mut running.child), Change::Ended);
        assert_eq!(running.child.next_change().unwrap(), None);
        assert_eq!(running.child.wait().unwrap().code(), Some(1));
    });
}

#[test]
fn a_command_that_is_killed_while_stopped_has_ended() {
    both(|mode| {
        let mut running = Running::start(mode, "");
        let child = &mut running.child;
        child.signal(Signal::STOP).unwrap();
        assert_eq!(next(child), Change::Stopped(Signal::STOP));
        child.signal(Signal::KILL).unwrap();
        assert_eq!(next(child), Change::Ended);
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::KILL));
    });
}

#[test]
fn wait_takes_no_notice_of_stops() {
    both(|mode| {
        let mut running = Running::start(mode, "");
        running.child.signal(Signal::STOP).unwrap();
        running.child.signal(Signal::CONT).unwrap();
        running.end();
        assert_eq!(running.child.wait().unwrap().code(), Some(1));
    });
}

#[test]
fn try_wait_and_wait_timeout_do_not_wait_for_more() {
    both(|mode| {
        let mut running = Running::start(mode, "setsid sleep 300 &");
        assert_eq!(running.child.try_wait().unwrap(), None);
        let start = Instant::now();
        assert_eq!(running.child.wait_timeout(Duration::from_millis(30)).unwrap(), None);
        assert!(start.elapsed() >= Duration::from_millis(30));
        running.end();
        let status = running.child.wait_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!(status.code(), Some(1));
        running.mark.assert_gone();
        assert_eq!(running.child.try_wait().unwrap(), Some(status));
        assert_eq!(running.child.wait_timeout(Duration::ZERO).unwrap(), Some(status));
    });
}

#[test]
fn try_wait_alone_comes_to_the_end() {
    both(|mode| {
        let mut running = Running::start(mode, "setsid sleep 300 &");
        running.end();
        let mut status = None;
        pidns_testkit::eventually("the end", || {
            status = running.child.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(1));
        running.mark.assert_gone();
    });
}

#[test]
fn the_pidfd_is_readable_when_all_are_gone_and_not_before() {
    both(|mode| {
        let mut running = Running::start(mode, "setsid sleep 300 &");
        let mark = &running.mark;
        let pidfd = running.child.pidfd().try_clone_to_owned().unwrap();
        let readable = |seconds| {
            let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
            poll(&mut fds, Some(&Timespec { tv_sec: seconds, tv_nsec: 0 })).unwrap() == 1
        };
        assert!(!readable(0));
        let guards = if mode == support::Mode::AsInit { 1 } else { 0 };
        mark.wait_for(3);
        drop(running.child.stdin.take());
        assert!(readable(60), "nobody has to wait for it to come");
        // The guard, outside, sees it at the same moment.
        assert!(mark.processes().len() <= guards);
        running.child.wait().unwrap();
    });
}

#[test]
fn the_report_is_complete_after_wait() {
    both(|mode| {
        let mut command = mode.shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 4");
        let mut child = command.spawn().unwrap();
        let before = child.report().clone();
        assert_eq!((before.status, before.init_pid), (None, child.init_pid()));
        let status = child.wait().unwrap();
        let report = child.report();
        assert_eq!(report.status, Some(status));
        assert_eq!(report.number, Some(if mode == support::Mode::Init { 2 } else { 1 }));
        assert_eq!(report.engine, pidns::Engine::Kernel);
        assert!(!report.timed_out && report.leaks.is_none());
        let times = report.times;
        assert!(!times.launch.is_zero() && !times.run.is_zero() && !times.zap.is_zero());
        if mode == support::Mode::Init {
            assert!(report.usage.user + report.usage.system > Duration::ZERO);
            assert!(report.usage.max_rss_kb > 100);
        }
    });
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[]);
}
