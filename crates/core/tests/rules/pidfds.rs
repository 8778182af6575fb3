//! pidfds: rows PFD.

use crate::world::*;
use pidns_core::*;

/// The events that the pidfds of a pid object got, in order.
fn events(w: &World, pid: PidId) -> Vec<PidfdEvent> {
    let event = |effect: &Effect| match effect {
        Effect::Pidfd { pid: of, event } if *of == pid => Some(*event),
        _ => None,
    };
    w.out.log.iter().filter_map(event).collect()
}

// PFD-01
#[test]
fn a_pidfd_is_opened_by_a_process_id_of_the_callers_namespace() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let thread = w.thread(shell);
    let tid = w.seen(thread, w.root);
    let zombie = w.fork(w.root);
    w.exit(zombie, 0);
    let mut open = |nr| w.set.pidfd_open(w.root, nr).map(|_| ());
    assert_eq!((open(0), open(-5)), (Err(Errno::EINVAL), Err(Errno::EINVAL)));
    assert_eq!((open(99), open(tid)), (Err(Errno::ESRCH), Err(Errno::ENOENT)));
    assert_eq!((open(2), open(4)), (Ok(()), Ok(())), "a zombie too");
    w.wait(w.root).unwrap();
    assert_eq!(w.set.pidfd_open(w.root, 4), Err(Errno::ESRCH));
}

// PFD-02
#[test]
fn a_pidfd_is_readable_when_the_whole_process_has_exited_and_hung_up_when_reaped() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let thread = w.thread(shell);
    let pidfd = w.set.pidfd_open(w.root, 2).unwrap();
    w.exit(shell, 0);
    assert_eq!(w.set.pidfd_poll(pidfd), PidfdState::Running, "a thread lives");
    w.exit(thread, 4);
    assert_eq!(w.set.pidfd_poll(pidfd), PidfdState::Exited);
    w.wait(w.root).unwrap();
    assert_eq!(w.set.pidfd_poll(pidfd), PidfdState::Reaped);
    assert_eq!(events(&w, pidfd), [PidfdEvent::Exited, PidfdEvent::Reaped(ExitStatus::exited(4))]);
}

// PFD-03
#[test]
fn the_pidfd_of_an_init_in_its_kill_stage_is_not_readable() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(w.root);
    let pidfd = w.set.pidfd_open(w.root, 3).unwrap();
    w.inject(shell, init);
    w.exit(init, 0);
    assert_eq!(w.set.pidfd_poll(pidfd), PidfdState::Running);
    w.wait(shell).unwrap();
    assert_eq!(w.set.pidfd_poll(pidfd), PidfdState::Exited);
}

// PFD-04
#[test]
fn the_pidfd_of_a_traced_zombie_is_readable_although_its_parents_wait_finds_nothing() {
    let mut w = World::new();
    let tracer = w.fork(w.root);
    let init = w.init(w.root);
    let pidfd = w.set.pidfd_open(w.root, 3).unwrap();
    w.set.attach(tracer, init, OnTracerExit::Release).unwrap();
    w.exit(init, 0);
    assert_eq!(w.set.pidfd_poll(pidfd), PidfdState::Exited);
    assert_eq!(w.wait_for(w.root, 3, WaitOptions::empty()), Ok(None));
}

// PFD-05
#[test]
fn signals_by_pidfd_reach_only_the_visible() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(w.root);
    let member = w.fork(init);
    w.action(member, Signal::USR1, HANDLER);
    let root = w.root;
    let send = |w: &mut World, from, pidfd| {
        w.call(|set, out| set.pidfd_send_signal(from, pidfd, Signal::USR1.raw(), None, &Root, out))
    };
    let outer = w.set.pidfd_open(root, 2).unwrap();
    assert_eq!(send(&mut w, init, outer), Err(Errno::EINVAL));
    let inner = w.set.pidfd_open(init, 2).unwrap();
    assert_eq!(send(&mut w, root, inner), Ok(()));
    assert_eq!(w.handled(member).map(|info| info.pid), Some(0), "from an ancestor");
    w.exit(shell, 0);
    assert_eq!(send(&mut w, root, outer), Ok(()), "a zombie");
    w.wait(root).unwrap();
    assert_eq!(send(&mut w, root, outer), Err(Errno::ESRCH));
}

// PFD-07
#[test]
fn waiting_by_pidfd_for_one_that_is_no_child_is_echild() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let pidfd = w.set.pidfd_open(w.root, 2).unwrap();
    let child = w.fork(w.root);
    let (target, options) = wait_abi::waitid_pidfd(pidfd, WaitOptions::EXITED.bits()).unwrap();
    assert_eq!(w.wait_on(child, target, options), Err(Errno::ECHILD));
    assert_eq!(w.wait_on(w.root, target, options), Ok(None));
    w.exit(shell, 3);
    assert_eq!(w.wait_on(w.root, target, options), Ok(Some((2, exited(3)))));
    assert_eq!(w.wait_on(w.root, target, options), Err(Errno::ECHILD));
}

// PFD-08
#[test]
fn the_info_of_a_pidfd_is_in_the_callers_numbers() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(shell);
    let (outer, inner) =
        (w.set.pidfd_open(w.root, 2).unwrap(), w.set.pidfd_open(w.root, 3).unwrap());
    assert_eq!(w.set.pidfd_info(init, outer), Err(Errno::EREMOTE));
    let info = w.set.pidfd_info(init, inner).unwrap();
    assert_eq!((info.pid, info.tgid, info.ppid), (Pid::INIT, Pid::INIT, None));
    let info = w.set.pidfd_info(w.root, inner).unwrap();
    assert_eq!((info.pid.raw(), info.ppid.map(Pid::raw)), (3, Some(2)));
    w.exit(init, 0);
    assert!(w.set.pidfd_info(shell, inner).is_ok(), "a zombie");
    w.wait(shell).unwrap();
    assert_eq!(w.set.pidfd_info(shell, inner), Err(Errno::ESRCH));
}

// PFD-11
#[test]
fn a_pidfd_never_follows_a_number() {
    let mut w = World::new();
    let first = w.fork(w.root);
    let pidfd = w.set.pidfd_open(w.root, 2).unwrap();
    w.exit(first, 0);
    w.wait(w.root).unwrap();
    w.set.set_ns_last_pid(w.root, 1, &Root).unwrap();
    let second = w.fork(w.root);
    assert_eq!(w.getpid(second), 2);
    assert_eq!(w.set.pidfd_poll(pidfd), PidfdState::Reaped);
    assert_eq!(w.set.pidfd_task(pidfd), None);
}

// CRE-22
#[test]
fn a_pidfd_from_clone_gets_events() {
    let mut w = World::new();
    let flags = CloneFlags::NEWPID | CloneFlags::PIDFD;
    let reservation = w.set.reserve(w.root, &CloneArgs::process(flags), &Root).unwrap();
    let pidfd = reservation.pid();
    let init = w.call(|set, out| set.publish(reservation, || (), (), out));
    w.exit(init, 0);
    assert_eq!(events(&w, pidfd), [PidfdEvent::Exited]);
}
