//! Whom a signal reaches, and who the receiver thinks sent it: rows SIG-20 to SIG-29.

use crate::world::*;
use pidns_core::*;

// SIG-20
#[test]
fn kill_minus_1_reaches_everybody_visible_but_number_1_and_the_caller() {
    let mut w = World::new();
    let outsider = w.fork(w.root);
    let init = w.init(w.root);
    let (caller, other) = (w.fork(init), w.fork(init));
    let nested = w.init(init);
    let deep = w.fork(nested);
    w.kill(caller, -1, Signal::KILL).unwrap();
    assert!(w.lives(init) && w.lives(caller) && w.lives(outsider));
    assert!(w.is_zombie(other) && w.is_zombie(nested) && w.is_gone(deep));
}

// SIG-20
#[test]
fn kill_minus_1_with_nobody_else_is_esrch() {
    let mut w = World::new();
    let init = w.init(w.root);
    assert_eq!(w.kill(init, -1, Signal::TERM), Err(Errno::ESRCH));
}

/// May signal nobody.
struct Powerless;

impl Authority for Powerless {
    fn may_signal(&self, _: GroupId, _: Option<Signal>) -> bool {
        false
    }
}

// SIG-20
#[test]
fn without_permission_kill_is_eperm_but_kill_minus_1_is_not() {
    let mut w = World::new();
    let (a, _b) = (w.fork(w.root), w.fork(w.root));
    let kill = |w: &mut World, pid, signal: Signal| {
        w.call(|set, out| set.kill(a, pid, signal.raw(), &Powerless, out))
    };
    assert_eq!(kill(&mut w, 3, Signal::TERM), Err(Errno::EPERM));
    assert_eq!(kill(&mut w, -1, Signal::TERM), Ok(()));
    assert_eq!(kill(&mut w, 3, Signal::CONT), Ok(()), "the same session");
    assert_eq!(kill(&mut w, 2, Signal::TERM), Ok(()), "oneself");
}

// SIG-21
#[test]
fn kill_0_reaches_the_group_outside_which_sees_the_senders_inner_number() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.setsid(shell).unwrap();
    w.action(shell, Signal::USR1, HANDLER);
    let init = w.init(shell);
    let member = w.fork(init);
    w.kill(member, 0, Signal::USR1).unwrap();
    assert_eq!(w.handled(shell).map(|info| info.pid), Some(2), "untranslated");
}

// SIG-21 SIG-24
#[test]
fn behind_an_invisible_receiver_of_a_group_signal_everybody_sees_sender_0() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.setsid(shell).unwrap();
    w.action(shell, Signal::USR1, HANDLER);
    let (older, init) = (w.fork(shell), w.init(shell));
    let newer = w.fork(shell);
    w.kill(shell, 0, Signal::USR1).unwrap();
    let seen = |task| w.handled(task).map(|info| info.pid);
    assert_eq!(
        [seen(newer), seen(init), seen(older), seen(shell)],
        [Some(2), Some(0), Some(0), Some(0)]
    );
}

// SIG-22
#[test]
fn a_group_is_named_by_its_number_in_the_callers_namespace() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.setpgid(shell, 0, 0).unwrap();
    let init = w.init(shell);
    for group in [2, 99] {
        assert_eq!(w.kill(init, -group, Signal::CONT), Err(Errno::ESRCH));
    }
    let member = w.fork(init);
    w.setpgid(member, 0, 0).unwrap();
    assert_eq!(w.kill(init, -2, Signal::TERM), Ok(()));
    assert!(w.is_zombie(member));
    assert_eq!(w.kill(init, i32::MIN, Signal::TERM), Err(Errno::ESRCH));
}

// SIG-23
#[test]
fn an_outer_group_signal_kills_inner_members_and_not_init() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.setsid(shell).unwrap();
    let init = w.init(shell);
    let member = w.fork(init);
    w.action(shell, Signal::TERM, IGNORE);
    w.kill(shell, 0, Signal::TERM).unwrap();
    assert!(w.lives(init) && w.is_zombie(member));
}

// SIG-24
#[test]
fn a_sender_in_an_ancestor_is_0_and_the_code_stays() {
    let mut w = World::new();
    let init = w.init(w.root);
    let member = w.fork(init);
    w.action(member, Signal::USR1, HANDLER);
    let (nr, root) = (w.seen(member, w.root), w.root);
    let seen = |w: &World| w.handled(member).map(|info| (info.pid, info.code));
    w.kill(root, nr, Signal::USR1).unwrap();
    assert_eq!(seen(&w), Some((0, SigCode::USER)));
    w.call(|set, out| set.tgkill(root, Some(nr), nr, 10, &Root, out)).unwrap();
    assert_eq!(seen(&w), Some((0, SigCode::TKILL)));
    w.kill(init, 2, Signal::USR1).unwrap();
    assert_eq!(seen(&w), Some((1, SigCode::USER)));
}

// SIG-25
#[test]
fn a_forged_sender_passes_within_the_namespace_and_is_blanked_from_above() {
    let mut w = World::new();
    let init = w.init(w.root);
    let member = w.fork(init);
    w.action(member, Signal::USR1, HANDLER);
    let forged = UserInfo { code: SigCode::QUEUE, pid: 1234, uid: 5, value: 99 };
    let outer = w.seen(member, w.root);
    for (sender, nr, pid) in [(init, 2, 1234), (w.root, outer, 0)] {
        w.call(|set, out| set.sigqueue(sender, nr, 10, forged, &Root, out)).unwrap();
        let info = w.handled(member).unwrap();
        assert_eq!((info.pid, info.code, info.uid, info.value), (pid, SigCode::QUEUE, 5, 99));
    }
}

// SIG-25
#[test]
fn a_record_of_the_kernel_can_only_be_sent_to_oneself() {
    let mut w = World::new();
    let (a, _b) = (w.fork(w.root), w.fork(w.root));
    w.action(a, Signal::USR1, HANDLER);
    for code in [SigCode::USER, SigCode::KERNEL, SigCode::TKILL] {
        let forged = UserInfo { code, pid: 1, uid: 0, value: 0 };
        let mut queue = |pid| w.call(|set, out| set.sigqueue(a, pid, 10, forged, &Root, out));
        assert_eq!((queue(3), queue(2)), (Err(Errno::EPERM), Ok(())));
    }
}

// SIG-26
#[test]
fn sigchld_to_an_outer_parent_has_the_outer_number_and_status() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.action(shell, Signal::CHLD, HANDLER);
    let init = w.init(shell);
    w.exit(init, 5);
    let info = w.handled(shell).unwrap();
    assert_eq!((info.pid, info.code, info.value), (3, SigCode::EXITED, 5));
}

// SIG-28
#[test]
fn a_death_signal_names_the_dead_parent_and_comes_after_reparenting() {
    let mut w = World::new();
    let parent = w.fork(w.root);
    let child = w.fork(parent);
    w.action(child, Signal::USR1, HANDLER);
    w.set.set_death_signal(child, 10).unwrap();
    w.exit(parent, 0);
    let info = w.handled(child).unwrap();
    assert_eq!((info.pid, info.code), (2, SigCode::USER));
    assert_eq!(w.getppid(child), 1);
}

// SIG-29 NUM-12
#[test]
fn nobody_outside_can_be_named_from_inside() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(shell);
    for outer in [2, 3] {
        assert_eq!(w.kill(init, outer, Signal::KILL), Err(Errno::ESRCH));
        let tgkill = w.call(|set, out| set.tgkill(init, Some(outer), outer, 9, &Root, out));
        assert_eq!(tgkill, Err(Errno::ESRCH));
    }
    assert!(w.lives(shell));
}

#[test]
fn tgkill_checks_that_the_thread_is_of_the_process() {
    let mut w = World::new();
    let (a, _b) = (w.fork(w.root), w.fork(w.root));
    let mut tgkill = |tgid, tid| w.call(|set, out| set.tgkill(a, tgid, tid, 0, &Root, out));
    assert_eq!(tgkill(Some(3), 2), Err(Errno::ESRCH));
    assert_eq!(tgkill(Some(0), 2), Err(Errno::EINVAL));
    assert_eq!(tgkill(Some(2), -1), Err(Errno::EINVAL));
    assert_eq!(tgkill(Some(3), 3), Ok(()));
}

#[test]
fn real_time_signals_queue_in_order_and_ordinary_ones_do_not() {
    let mut w = World::new();
    let (a, b) = (w.fork(w.root), w.fork(w.root));
    let rt = Signal::from_raw(40).unwrap();
    w.block(b, SigSet::ALL);
    for value in 0..3 {
        let info = UserInfo { code: SigCode::QUEUE, pid: 2, uid: 0, value };
        for signal in [40, 10] {
            w.call(|set, out| set.sigqueue(a, 3, signal, info, &Root, out)).unwrap();
        }
    }
    let mut take = |signal| w.set.sigwait(b, SigSet::of(&[signal])).map(|info| info.value);
    assert_eq!([take(rt), take(rt), take(rt)], [Ok(0), Ok(1), Ok(2)]);
    assert_eq!(take(rt), Err(Errno::EAGAIN));
    assert_eq!(take(Signal::USR1), Ok(0));
    assert_eq!(take(Signal::USR1), Err(Errno::EAGAIN));
}

#[test]
fn what_a_thread_sleeps_for_it_takes_and_does_not_act_on() {
    let mut w = World::new();
    let (a, b) = (w.fork(w.root), w.fork(w.root));
    let other = w.thread(b);
    let term = SigSet::of(&[Signal::TERM]);
    w.block(b, term);
    assert_eq!(w.set.sigwait(b, term).map(|info| info.signal), Err(Errno::EAGAIN));
    w.set.set_awaited(b, term).unwrap();
    w.kill(a, 3, Signal::TERM).unwrap();
    assert_eq!(w.set.sigwait(b, term).map(|info| info.pid), Ok(2));
    w.set.set_awaited(b, SigSet::EMPTY).unwrap();
    assert!(w.lives(other));
    // Awake, it leaves it to the other thread, which has it unblocked: it ends them both.
    w.kill(a, 3, Signal::TERM).unwrap();
    assert!(!w.lives(other));
}

#[test]
fn a_full_queue_refuses_sigqueue_and_lets_kill_go_without_information() {
    let mut w = World::with(Config { max_queued: 1, ..Config::default() });
    let (a, b) = (w.fork(w.root), w.fork(w.root));
    w.block(b, SigSet::ALL);
    let info = UserInfo { code: SigCode::QUEUE, pid: 2, uid: 0, value: 7 };
    let mut queue = || w.call(|set, out| set.sigqueue(a, 3, 40, info, &Root, out));
    assert_eq!((queue(), queue()), (Ok(()), Err(Errno::EAGAIN)));
    w.kill(a, 3, Signal::USR1).unwrap();
    let taken = w.set.sigwait(b, SigSet::of(&[Signal::USR1]));
    assert_eq!(taken.map(|info| info.pid), Ok(0));
}

#[test]
fn an_ignored_signal_that_is_pending_is_dropped() {
    let mut w = World::new();
    let (a, b) = (w.fork(w.root), w.fork(w.root));
    w.block(b, SigSet::ALL);
    w.kill(a, 3, Signal::USR1).unwrap();
    w.action(b, Signal::USR1, IGNORE);
    assert_eq!(w.set.sigpending(b), Ok(SigSet::EMPTY));
}

#[test]
fn a_process_signal_goes_to_a_thread_that_does_not_block_it() {
    let mut w = World::new();
    let (a, b) = (w.fork(w.root), w.fork(w.root));
    let thread = w.thread(b);
    w.action(b, Signal::USR1, HANDLER);
    w.block(b, SigSet::ALL);
    w.kill(a, 3, Signal::USR1).unwrap();
    assert!(w.handled(thread).is_some() && w.handled(b).is_none());
}

#[test]
fn with_a_host_that_delivers_the_rules_decide_and_nothing_is_queued() {
    let mut w = World::with(Config { delivery: Delivery::Host, ..Config::default() });
    let init = w.init(w.root);
    let member = w.fork(init);
    w.kill(member, 1, Signal::TERM).unwrap();
    let delivered = |effect: &Effect| matches!(effect, Effect::Deliver { .. });
    assert!(!w.out.log.iter().any(delivered), "init is protected");
    w.kill(init, 2, Signal::TERM).unwrap();
    let info = SigInfo { signal: Signal::TERM, code: SigCode::USER, pid: 1, uid: 0, value: 0 };
    assert!(w.out.log.contains(&Effect::Deliver { task: member, group_wide: true, info }));
    assert!(w.lives(member), "the host will tell");
    let group = w.group(member);
    w.call(|set, out| set.note_stopped(group, Signal::STOP, out)).unwrap();
    assert!(w.wait_for(init, 2, WaitOptions::STOPPED).unwrap().is_some());
}
