//! wait4 and waitid: rows WAI.

use crate::world::*;
use pidns_core::*;

// WAI-01
#[test]
fn wait_speaks_in_numbers_of_the_callers_namespace() {
    let mut w = World::new();
    let init = w.init(w.root);
    let child = w.fork(init);
    w.exit(child, 1);
    assert_eq!(w.seen(child, w.root), 3);
    assert_eq!(w.wait_for(init, 3, WaitOptions::empty()), Err(Errno::ECHILD));
    assert_eq!(w.wait_for(init, 2, WaitOptions::empty()), Ok(Some((2, exited(1)))));
}

// WAI-02
#[test]
fn unknown_numbers_are_echild_int_min_is_esrch_and_unknown_options_invalid() {
    let mut w = World::new();
    let _child = w.fork(w.root);
    assert_eq!(w.wait_for(w.root, 99, WaitOptions::empty()), Err(Errno::ECHILD));
    assert_eq!(w.wait_for(w.root, -99, WaitOptions::empty()), Err(Errno::ECHILD));
    assert_eq!(wait_abi::wait4(i32::MIN, 0), Err(Errno::ESRCH));
    for bad in [4, 0x10, WaitOptions::NOWAIT.bits()] {
        assert_eq!(wait_abi::wait4(-1, bad), Err(Errno::EINVAL));
    }
}

// WAI-03
#[test]
fn waitpid_0_matches_the_group_object_even_without_a_number_here() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.setsid(shell).unwrap();
    let init = w.init(shell);
    let (same, other) = (w.fork(init), w.fork(init));
    w.setpgid(init, 3, 0).unwrap();
    w.exit(other, 1);
    assert_eq!(w.getpgrp(init), 0);
    assert_eq!(w.wait_for(init, 0, WaitOptions::empty()), Ok(None));
    w.exit(same, 2);
    assert_eq!(w.wait_for(init, 0, WaitOptions::empty()), Ok(Some((2, exited(2)))));
    assert_eq!(w.wait_for(init, 0, WaitOptions::empty()), Err(Errno::ECHILD));
    assert_eq!(w.wait_for(init, -3, WaitOptions::empty()), Ok(Some((3, exited(1)))));
}

// WAI-04
#[test]
fn waitid_refuses_bad_types_ids_and_options() {
    let exited = WaitOptions::EXITED.bits();
    for (idtype, id, options) in
        [(1, 0, exited), (1, -1, exited), (2, -1, exited), (9, 1, exited), (0, 0, 0), (0, 0, 1)]
    {
        assert_eq!(
            wait_abi::waitid(idtype, id, options),
            Err(Errno::EINVAL),
            "{idtype} {id} {options}"
        );
    }
    assert_eq!(wait_abi::waitid(2, 0, exited), Ok((WaitTarget::OwnGroup, WaitOptions::EXITED)));
    let mut w = World::new();
    let mut out = Vec::new();
    let no_event = w.set.wait(w.root, WaitTarget::Any, WaitOptions::NOHANG, &mut out);
    assert_eq!(no_event, Err(Errno::EINVAL));
}

// WAI-05
#[test]
fn only_the_parent_can_wait_for_an_injected_process() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(w.root);
    let injected = w.inject(shell, init);
    w.exit(injected, 3);
    assert_eq!(w.wait(init), Err(Errno::ECHILD));
    let nr = w.seen(injected, shell);
    assert_eq!(w.wait_for(shell, nr, WaitOptions::empty()), Ok(Some((nr, exited(3)))));
}

// WAI-06
#[test]
fn children_with_another_exit_signal_need_their_own_option() {
    let mut w = World::new();
    let clone_child =
        w.try_clone(w.root, CloneArgs { exit_signal: None, ..CloneArgs::fork() }).unwrap();
    assert_eq!(w.wait(w.root), Err(Errno::ECHILD));
    let plain = w.fork(w.root);
    w.exit(clone_child, 1);
    w.exit(plain, 2);
    assert_eq!(w.wait_for(w.root, 2, WaitOptions::empty()), Err(Errno::ECHILD));
    assert_eq!(w.wait_for(w.root, 3, WaitOptions::CLONE), Err(Errno::ECHILD));
    assert_eq!(w.wait_for(w.root, -1, WaitOptions::CLONE), Ok(Some((2, exited(1)))));
    assert_eq!(w.wait_for(w.root, -1, WaitOptions::ALL), Ok(Some((3, exited(2)))));
}

// WAI-07
#[test]
fn wnothread_sees_only_the_callers_own_children() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let thread = w.thread(shell);
    let child = w.fork(thread);
    w.exit(child, 1);
    for pid in [-1, 4] {
        assert_eq!(w.wait_for(shell, pid, WaitOptions::NOTHREAD), Err(Errno::ECHILD));
    }
    assert!(
        w.wait_on(shell, WaitTarget::Any, WaitOptions::EXITED | WaitOptions::NOWAIT)
            .unwrap()
            .is_some()
    );
    assert_eq!(w.wait_for(thread, -1, WaitOptions::NOTHREAD), Ok(Some((4, exited(1)))));
}

// WAI-07
#[test]
fn the_children_of_an_exited_thread_belong_to_the_surviving_one() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let thread = w.thread(shell);
    let child = w.fork(thread);
    w.exit(thread, 0);
    w.exit(child, 1);
    assert_eq!(w.wait_for(shell, -1, WaitOptions::NOTHREAD), Ok(Some((4, exited(1)))));
}

// WAI-09
#[test]
fn a_leader_with_live_threads_is_not_waitable() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let thread = w.thread(shell);
    w.exit(shell, 1);
    assert_eq!(w.wait_for(w.root, 2, WaitOptions::empty()), Ok(None));
    w.exit(thread, 2);
    assert_eq!(w.wait_for(w.root, 2, WaitOptions::empty()), Ok(Some((2, exited(2)))));
}

// WAI-10
#[test]
fn a_parent_that_ignores_sigchld_blocks_until_nobody_is_left() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.action(shell, Signal::CHLD, IGNORE);
    let (a, b) = (w.fork(shell), w.fork(shell));
    let blocked = |w: &mut World| {
        w.call(|set, out| set.wait(shell, WaitTarget::Any, WaitOptions::EXITED, out))
    };
    assert_eq!(w.exit(a, 0), ExitOutcome::Reaped);
    assert_eq!(blocked(&mut w), Ok(WaitOutcome::Block));
    assert_eq!(w.exit(b, 0), ExitOutcome::Reaped);
    assert!(w.out.log.contains(&Effect::WakeWaiters { group: w.group(shell) }));
    assert_eq!(blocked(&mut w), Err(Errno::ECHILD));
}

// WAI-10
#[test]
fn a_clone_child_is_not_reaped_by_itself() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.action(shell, Signal::CHLD, IGNORE);
    let child = w.try_clone(shell, CloneArgs { exit_signal: None, ..CloneArgs::fork() }).unwrap();
    assert_eq!(w.exit(child, 0), ExitOutcome::Zombie);
}

// WAI-11
#[test]
fn wnowait_leaves_an_init_to_be_reported_again() {
    let mut w = World::new();
    let init = w.init(w.root);
    w.exit(init, 4);
    let keep = WaitOptions::EXITED | WaitOptions::NOWAIT;
    for _ in 0..2 {
        assert_eq!(w.wait_on(w.root, WaitTarget::Any, keep), Ok(Some((2, exited(4)))));
    }
    assert_eq!(w.wait(w.root), Ok(Some((2, exited(4)))));
    assert_eq!(w.wait(w.root), Err(Errno::ECHILD));
}

#[test]
fn a_blocked_wait_is_woken_once_by_an_end() {
    let mut w = World::new();
    let (child, root) = (w.fork(w.root), w.root);
    let wait = w.call(|set, out| set.wait(root, WaitTarget::Any, WaitOptions::EXITED, out));
    assert_eq!(wait, Ok(WaitOutcome::Block));
    w.exit(child, 0);
    let wake = Effect::WakeWaiters { group: w.group(root) };
    assert_eq!(w.out.log.iter().filter(|effect| **effect == wake).count(), 1);
}

#[test]
fn zombies_are_reported_in_the_order_of_their_birth() {
    let mut w = World::new();
    let children = [w.fork(w.root), w.fork(w.root), w.fork(w.root)];
    for index in [2, 0, 1] {
        w.exit(children[index], 0);
    }
    let order: Vec<i32> = (0..3).map(|_| w.wait(w.root).unwrap().unwrap().0).collect();
    assert_eq!(order, [2, 3, 4]);
}

#[test]
fn waiting_only_for_stops_of_a_zombie_is_echild() {
    let mut w = World::new();
    let child = w.fork(w.root);
    w.exit(child, 0);
    assert_eq!(w.wait_on(w.root, WaitTarget::Any, WaitOptions::STOPPED), Err(Errno::ECHILD));
    assert!(w.wait(w.root).unwrap().is_some());
}

// WAI-07
#[test]
fn a_thread_is_told_of_its_own_children_before_those_of_the_other_threads() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let thread = w.thread(shell);
    let (of_leader, of_thread) = (w.fork(shell), w.fork(thread));
    w.exit(of_leader, 1);
    w.exit(of_thread, 2);
    assert_eq!(w.wait(thread), Ok(Some((5, exited(2)))));
    assert_eq!(w.wait(thread), Ok(Some((4, exited(1)))));
}
