//! clone, clone3, unshare: rows CRE.

use crate::world::*;
use pidns_core::*;

/// An authority with one thing denied.
struct Denied(Capability);

impl Authority for Denied {
    fn capable(&self, _: UserNs, capability: Capability) -> bool {
        capability != self.0
    }
}

// CRE-01
#[test]
fn the_first_process_of_a_new_namespace_is_1_and_sees_nothing_outside() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.setsid(shell).unwrap();
    let init = w.init(shell);
    assert_eq!((w.getpid(init), w.set.gettid(init).unwrap().raw(), w.getppid(init)), (1, 1, 0));
    assert_eq!((w.getsid(init), w.getpgrp(init)), (0, 0));
    assert_eq!(w.seen(init, shell), 3);
}

// CRE-02
#[test]
fn exec_in_init_keeps_number_1_and_parent_0() {
    let mut w = World::new();
    let init = w.init(w.root);
    assert_eq!(w.call(|set, out| set.exec(init, out)), Ok(ExecOutcome::Done));
    assert_eq!((w.getpid(init), w.getppid(init)), (1, 0));
}

// CRE-03 CRE-04 CRE-25
#[test]
fn unshare_moves_only_later_children_which_are_1_2_3_inside() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let ns = w.unshare(shell).unwrap();
    assert_ne!(w.ns(shell), ns);
    for number in 1..4 {
        let child = w.fork(shell);
        assert_eq!((w.getpid(child), w.getppid(child)), (number, 0));
        assert_eq!(w.seen(child, shell), 2 + number);
    }
}

// CRE-04
#[test]
fn the_unsharing_process_waits_for_its_children_with_outer_numbers() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.unshare(shell).unwrap();
    let (_init, member) = (w.fork(shell), w.fork(shell));
    w.exit(member, 7);
    assert_eq!(w.wait(shell), Ok(Some((4, exited(7)))));
}

// CRE-05
#[test]
fn a_namespace_without_init_cannot_be_opened_through_its_creator() {
    let mut w = World::new();
    let ns = w.unshare(w.root).unwrap();
    assert_eq!(w.set.open_ns_for_children(w.root), Err(Errno::ENOENT));
    w.fork(w.root);
    assert_eq!(w.set.open_ns_for_children(w.root), Ok(ns));
}

// CRE-05
#[test]
fn linux_7_2_lets_a_namespace_without_init_be_opened() {
    let mut w = World::with(Config { quirks: Quirks::LINUX_7_2, ..Config::default() });
    let ns = w.unshare(w.root).unwrap();
    assert_eq!(w.set.open_ns_for_children(w.root), Ok(ns));
}

// CRE-06
#[test]
fn a_second_new_namespace_is_refused_while_children_go_elsewhere() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.unshare(shell).unwrap();
    for _ in 0..2 {
        assert_eq!(w.unshare(shell), Err(Errno::EINVAL));
        assert_eq!(w.try_clone(shell, CloneArgs::new_pid_ns()), Err(Errno::EINVAL));
        w.try_fork(shell).unwrap();
    }
}

// CRE-07
#[test]
fn threads_are_refused_while_children_go_elsewhere() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.unshare(shell).unwrap();
    assert_eq!(w.try_clone(shell, CloneArgs::thread()), Err(Errno::EINVAL));
    w.setns(shell, w.ns(w.root)).unwrap();
    assert!(w.try_clone(shell, CloneArgs::thread()).is_ok());
}

// CRE-08
#[test]
fn a_thread_cannot_be_the_first_of_a_new_namespace() {
    let mut w = World::new();
    let args =
        CloneArgs { flags: CloneArgs::thread().flags | CloneFlags::NEWPID, ..CloneArgs::thread() };
    assert_eq!(w.try_clone(w.root, args), Err(Errno::EINVAL));
}

// CRE-09
#[test]
fn a_new_init_may_be_a_sibling_of_its_creator() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init =
        w.try_clone(shell, CloneArgs::process(CloneFlags::NEWPID | CloneFlags::PARENT)).unwrap();
    assert_eq!(w.getpid(init), 1);
    assert_eq!(w.set.parent(init), Ok(Some(w.root)));
    assert_eq!(w.wait(shell), Err(Errno::ECHILD));
}

// CRE-10
#[test]
fn an_init_has_no_siblings_inside() {
    let mut w = World::new();
    let init = w.init(w.root);
    for flags in [CloneFlags::PARENT, CloneFlags::PARENT | CloneFlags::NEWPID] {
        assert_eq!(w.try_clone(init, CloneArgs::process(flags)), Err(Errno::EINVAL));
    }
}

// CRE-10
#[test]
fn an_injected_member_can_make_a_sibling_that_the_outer_parent_reaps() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(w.root);
    let injected = w.inject(shell, init);
    let sibling = w.try_clone(injected, CloneArgs::process(CloneFlags::PARENT)).unwrap();
    assert_eq!((w.getpid(sibling), w.getppid(sibling)), (3, 0));
    w.exit(sibling, 4);
    let outer = w.seen(sibling, shell);
    assert_eq!(w.wait(shell), Ok(Some((outer, exited(4)))));
}

// CRE-11
#[test]
fn a_new_namespace_goes_with_shared_memory_and_vfork() {
    let mut w = World::new();
    for flags in
        [CloneFlags::VM, CloneFlags::VM | CloneFlags::VFORK, CloneFlags::VM | CloneFlags::SIGHAND]
    {
        let init = w.try_clone(w.root, CloneArgs::process(flags | CloneFlags::NEWPID)).unwrap();
        assert_eq!(w.getpid(init), 1);
    }
    w.unshare(w.root).unwrap();
    let init = w.try_clone(w.root, CloneArgs::vfork()).unwrap();
    assert_eq!(w.getpid(init), 1);
}

// CRE-12
#[test]
fn an_init_may_have_any_exit_signal() {
    let mut w = World::new();
    for exit_signal in [None, Some(Signal::USR1)] {
        let shell = w.fork(w.root);
        w.action(shell, Signal::USR1, HANDLER);
        let init =
            w.try_clone(shell, CloneArgs { exit_signal, ..CloneArgs::new_pid_ns() }).unwrap();
        w.exit(init, 0);
        assert_eq!(w.wait(shell), Err(Errno::ECHILD));
        assert!(w.wait_for(shell, -1, WaitOptions::ALL).unwrap().is_some());
    }
}

// CRE-13
#[test]
fn unshare_by_one_thread_leaves_the_others_alone() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let thread = w.thread(shell);
    w.unshare(thread).unwrap();
    let (inside, outside) = (w.fork(thread), w.fork(shell));
    assert_eq!(w.getpid(inside), 1);
    assert_eq!(w.ns(outside), w.ns(shell));
}

// CRE-14
#[test]
fn an_init_survives_the_thread_that_made_it() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let thread = w.thread(shell);
    let init = w.init(thread);
    w.exit(thread, 0);
    assert!(w.lives(init));
    w.exit(init, 6);
    let outer = w.seen(init, shell);
    assert_eq!(w.wait(shell), Ok(Some((outer, exited(6)))));
}

// CRE-15 CRE-16
#[test]
fn after_the_init_of_an_unshared_namespace_exits_fork_is_out_of_memory_for_good() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.unshare(shell).unwrap();
    w.call(|set, out| set.exec(shell, out)).unwrap();
    let command = w.fork(shell);
    w.exit(command, 0);
    for args in [CloneArgs::fork(), CloneArgs::vfork(), CloneArgs::fork().with_set_tid(&[7])] {
        assert_eq!(w.try_clone(shell, args), Err(Errno::ENOMEM));
    }
    w.setns(shell, w.ns(shell)).unwrap();
    assert!(w.try_fork(shell).is_ok());
}

// CRE-17
#[test]
fn thirty_two_levels_can_be_nested_and_no_more() {
    let mut w = World::new();
    let mut deepest = w.root;
    for level in 1..=32 {
        deepest = w.init(deepest);
        assert_eq!(w.set.ns_level(w.ns(deepest)), Ok(level));
    }
    assert_eq!(w.try_clone(deepest, CloneArgs::new_pid_ns()), Err(Errno::ENOSPC));
    assert_eq!(w.unshare(deepest), Err(Errno::ENOSPC));
    let numbers: Vec<i32> =
        w.set.numbers(w.set.tid(deepest).unwrap()).map(|upid| upid.nr.raw()).collect();
    assert_eq!(numbers.len(), 33);
    assert_eq!((numbers[0], numbers[31], numbers[32]), (1, 32, 33));
}

/// Counts namespaces against a limit.
struct Limit(std::cell::Cell<i32>);

impl Authority for Limit {
    fn charge_pid_ns(&self, _: UserNs) -> bool {
        self.0.set(self.0.get() - 1);
        self.0.get() >= 0
    }
    fn uncharge_pid_ns(&self, _: UserNs) {
        self.0.set(self.0.get() + 1);
    }
}

// CRE-18
#[test]
fn a_limit_on_namespaces_ends_in_no_space() {
    let mut w = World::new();
    let limit = Limit(1.into());
    let shell = w.fork(w.root);
    w.try_clone_as(shell, CloneArgs::new_pid_ns(), &limit).unwrap();
    assert_eq!(w.try_clone_as(shell, CloneArgs::new_pid_ns(), &limit), Err(Errno::ENOSPC));
    assert_eq!(w.call(|set, out| set.unshare(shell, &limit, out)), Err(Errno::ENOSPC));
}

// CRE-18
#[test]
fn a_namespace_is_uncharged_when_nothing_refers_to_it_any_more() {
    let mut w = World::new();
    let init = w.init(w.root);
    let ns = w.ns(init);
    w.set.get_ns(ns).unwrap();
    w.exit(init, 0);
    w.wait(w.root).unwrap();
    let released =
        |w: &World| w.out.log.contains(&Effect::NamespaceReleased { ns, owner: UserNs(0) });
    assert!(!released(&w), "an open file holds it");
    w.call(|set, out| set.release_ns(ns, out)).unwrap();
    assert!(released(&w));
    assert_eq!(w.set.ns_state(ns), None);
}

// CRE-19
#[test]
fn a_new_namespace_needs_the_capability() {
    let mut w = World::new();
    let poor = Denied(Capability::SysAdmin);
    assert_eq!(w.try_clone_as(w.root, CloneArgs::new_pid_ns(), &poor), Err(Errno::EPERM));
    assert_eq!(
        w.call(|set, out| set.unshare(set.child_reaper(set.root()).unwrap(), &poor, out)),
        Err(Errno::EPERM)
    );
}

/// A caller of a user namespace that is not below the owner of the PID namespace.
struct Foreign;

impl Authority for Foreign {
    fn user_ns(&self) -> UserNs {
        UserNs(9)
    }
    fn descends(&self, ns: UserNs, ancestor: UserNs) -> bool {
        ns == ancestor
    }
}

// CRE-20
#[test]
fn the_owner_of_the_outer_namespace_must_be_above_that_of_the_new_one() {
    let mut w = World::new();
    assert_eq!(w.try_clone_as(w.root, CloneArgs::new_pid_ns(), &Foreign), Err(Errno::EINVAL));
}

// CRE-21
#[test]
fn a_reservation_tells_the_number_as_the_caller_sees_it() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let reservation = w.set.reserve(shell, &CloneArgs::new_pid_ns(), &Root).unwrap();
    assert_eq!(w.set.reserved_number(&reservation, shell), Pid::from_raw(3));
    let init = w.call(|set, out| set.publish(reservation, || (), (), out));
    assert_eq!(w.getpid(init), 1);
}

// CRE-22
#[test]
fn pidfd_shares_an_argument_with_parent_settid_and_excludes_detached() {
    let flags = |flags: CloneFlags| CloneArgs::from_legacy(flags.bits());
    assert_eq!(flags(CloneFlags::PIDFD | CloneFlags::PARENT_SETTID), Err(Errno::EINVAL));
    let mut w = World::new();
    let args = flags(CloneFlags::PIDFD | CloneFlags::DETACHED).unwrap();
    assert_eq!(w.try_clone(w.root, args), Err(Errno::EINVAL));
}

// CRE-24
#[test]
fn on_6_18_a_first_fork_that_fails_late_closes_the_namespace() {
    let mut w = World::new();
    let ns = w.unshare(w.root).unwrap();
    let reservation = w.set.reserve(w.root, &CloneArgs::fork(), &Root).unwrap();
    w.call(|set, out| set.abandon(reservation, out));
    assert_eq!(w.set.ns_state(ns), Some(NsState::Poisoned));
    assert_eq!(w.try_fork(w.root), Err(Errno::ENOMEM));
}

// CRE-24
#[test]
fn on_7_2_a_first_fork_that_fails_late_can_be_repeated() {
    let mut w = World::with(Config { quirks: Quirks::LINUX_7_2, ..Config::default() });
    w.unshare(w.root).unwrap();
    let reservation = w.set.reserve(w.root, &CloneArgs::fork(), &Root).unwrap();
    w.call(|set, out| set.abandon(reservation, out));
    let init = w.fork(w.root);
    assert_eq!(w.getpid(init), 1);
}

// CRE-24
#[test]
fn a_first_fork_that_gets_no_number_does_not_close_the_namespace() {
    let mut w = World::new();
    w.unshare(w.root).unwrap();
    for set_tid in [&[5][..], &[1, 1]] {
        assert!(w.try_clone(w.root, CloneArgs::fork().with_set_tid(set_tid)).is_err());
    }
    let init = w.fork(w.root);
    assert_eq!(w.getpid(init), 1);
}

// CRE-27 ZAP-01
#[test]
fn the_vfork_parent_of_an_init_goes_on_before_any_member_is_killed() {
    let mut w = World::new();
    let init =
        w.try_clone(w.root, CloneArgs::process(CloneFlags::NEWPID | CloneFlags::VFORK)).unwrap();
    let member = w.fork(init);
    w.exit(init, 0);
    let at = |effect: Effect| w.out.log.iter().position(|logged| *logged == effect).unwrap();
    assert!(at(Effect::VforkDone { child: init }) < at(Effect::Kill { task: member }));
}

// CRE-27
#[test]
fn exec_lets_the_vfork_parent_go_on() {
    let mut w = World::new();
    let child = w.try_clone(w.root, CloneArgs::vfork()).unwrap();
    w.call(|set, out| set.exec(child, out)).unwrap();
    assert!(w.out.log.contains(&Effect::VforkDone { child }));
}

#[test]
fn an_abandoned_reservation_leaves_nothing_behind() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let before = (w.set.task_count(), w.set.namespaces().count(), w.set.ns_pid_count(w.set.root()));
    let reservation = w.set.reserve(shell, &CloneArgs::new_pid_ns(), &Root).unwrap();
    w.call(|set, out| set.abandon(reservation, out));
    assert_eq!(
        before,
        (w.set.task_count(), w.set.namespaces().count(), w.set.ns_pid_count(w.set.root()))
    );
    assert_eq!(w.set.outstanding(), 0);
}

#[test]
fn a_retracted_reservation_gives_its_numbers_to_the_next() {
    let mut w = World::new();
    let ns = w.unshare(w.root).unwrap();
    let first = w.set.reserve(w.root, &CloneArgs::fork(), &Root).unwrap();
    w.call(|set, out| set.retract(first, out));
    assert_eq!(w.set.ns_state(ns), Some(NsState::NotStarted));
    let init = w.fork(w.root);
    let second = w.set.reserve(init, &CloneArgs::fork(), &Root).unwrap();
    w.call(|set, out| set.retract(second, out));
    let child = w.fork(init);
    assert_eq!((w.getpid(init), w.getpid(child)), (1, 2));
}

#[test]
fn a_retracted_reservation_keeps_its_numbers_if_somebody_has_later_ones() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let early = w.set.reserve(w.root, &CloneArgs::fork(), &Root).unwrap();
    let later = w.fork(shell);
    w.call(|set, out| set.retract(early, out));
    let next = w.fork(shell);
    assert_eq!(w.getpid(next), w.getpid(later) + 1);
}

#[test]
fn a_dropped_guard_abandons_and_a_published_one_does_not() {
    let mut w = World::new();
    let root = w.root;
    w.call(|set, out| drop(set.reserve_guarded(root, &CloneArgs::fork(), &Root, out).unwrap()));
    assert_eq!((w.set.outstanding(), w.set.task_count()), (0, 1));
    let child = w.call(|set, out| {
        set.reserve_guarded(root, &CloneArgs::fork(), &Root, out).unwrap().publish(|| (), ())
    });
    assert!(w.lives(child));
}

#[test]
fn a_task_cannot_exit_in_the_middle_of_a_clone() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let reservation = w.set.reserve(shell, &CloneArgs::fork(), &Root).unwrap();
    let mut effects = Vec::new();
    assert_eq!(w.set.exit(shell, ExitStatus::exited(0), &mut effects), Err(Errno::EBUSY));
    w.call(|set, out| set.abandon(reservation, out));
    assert_eq!(w.exit(shell, 0), ExitOutcome::Zombie);
}
