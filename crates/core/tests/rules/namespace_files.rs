//! setns, namespace files and their ioctls: rows SET, IOC.

use crate::world::*;
use pidns_core::*;

// SET-01
#[test]
fn setns_goes_to_the_own_namespace_and_downwards_only() {
    let mut w = World::new();
    let outer = w.init(w.root);
    let (a, b) = (w.init(outer), w.init(outer));
    let (own, below, beside, above) = (w.ns(a), w.init(a), w.ns(b), w.ns(outer));
    let below = w.ns(below);
    assert_eq!(w.setns(a, below), Ok(()));
    assert_eq!(w.ns(a), own, "only children move");
    assert_eq!(w.set.ns_for_children(a), Ok(below));
    assert_eq!(w.setns(a, own), Ok(()));
    assert_eq!(w.setns(a, beside), Err(Errno::EINVAL));
    assert_eq!(w.setns(a, above), Err(Errno::EINVAL));
}

// SET-02
#[test]
fn an_injected_process_is_really_inside() {
    let mut w = World::new();
    let (inside, beside) = (w.init(w.root), w.init(w.root));
    let member = w.inject(w.root, inside);
    assert_eq!((w.getpid(member), w.getppid(member)), (2, 0));
    assert_eq!(w.setns(member, w.ns(beside)), Err(Errno::EINVAL));
    assert_eq!(w.setns(member, w.ns(w.root)), Err(Errno::EINVAL));
    assert_eq!(w.setns(member, w.ns(inside)), Ok(()));
}

// SET-04
#[test]
fn setns_by_pidfd_takes_the_active_namespace_of_a_living_target() {
    let mut w = World::new();
    let init = w.init(w.root);
    let nr = w.seen(init, w.root);
    let pidfd = w.set.pidfd_open(w.root, nr).unwrap();
    let root = w.root;
    let setns = |w: &mut World| w.call(|set, out| set.setns_pidfd(root, pidfd, &Root, out));
    assert_eq!(setns(&mut w), Ok(()));
    assert_eq!(w.set.ns_for_children(root), Ok(w.ns(init)));
    w.setns(root, w.ns(root)).unwrap();
    w.exit(init, 0);
    assert_eq!(setns(&mut w), Err(Errno::ESRCH), "a zombie");
    w.wait(root).unwrap();
    assert_eq!(setns(&mut w), Err(Errno::ESRCH), "reaped");
}

// SET-04 ZAP-32
#[test]
fn a_namespace_in_its_kill_stage_can_be_entered_by_file_but_not_by_pidfd() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(w.root);
    let nr = w.seen(init, w.root);
    let pidfd = w.set.pidfd_open(w.root, nr).unwrap();
    w.inject(shell, init);
    w.exit(init, 0);
    assert!(w.is_zapping(init));
    let root = w.root;
    assert_eq!(w.call(|set, out| set.setns_pidfd(root, pidfd, &Root, out)), Err(Errno::ESRCH));
    assert_eq!(w.setns(root, w.ns(init)), Ok(()));
    assert_eq!(w.try_fork(root), Err(Errno::ENOMEM));
}

// SET-05
#[test]
fn setns_by_pidfd_of_an_invisible_process_is_invalid() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let pidfd = w.set.pidfd_open(w.root, 2).unwrap();
    let init = w.init(shell);
    assert_eq!(w.call(|set, out| set.setns_pidfd(init, pidfd, &Root, out)), Err(Errno::EINVAL));
}

/// May do everything but in one user namespace.
struct Outsider(UserNs);

impl Authority for Outsider {
    fn user_ns(&self) -> UserNs {
        UserNs(1)
    }
    fn capable(&self, ns: UserNs, _: Capability) -> bool {
        ns != self.0
    }
}

// SET-06
#[test]
fn setns_needs_the_capability_on_both_sides() {
    let mut w = World::new();
    let root = w.root;
    let own = w.ns(root);
    for lacking in [UserNs(0), UserNs(1)] {
        let result = w.call(|set, out| set.setns(root, own, &Outsider(lacking), out));
        assert_eq!(result, Err(Errno::EPERM));
    }
}

// SET-07
#[test]
fn a_multithreaded_process_may_setns_again_and_again() {
    let mut w = World::new();
    let init = w.init(w.root);
    let thread = w.thread(w.root);
    w.unshare(thread).unwrap();
    for _ in 0..2 {
        assert_eq!(w.setns(thread, w.ns(init)), Ok(()));
        assert_eq!(w.setns(thread, w.ns(w.root)), Ok(()));
    }
}

// SET-08 SET-10
#[test]
fn a_dead_namespace_that_is_held_can_be_entered_but_not_forked_into() {
    let mut w = World::new();
    let init = w.init(w.root);
    let ns = w.ns(init);
    w.set.get_ns(ns).unwrap();
    w.exit(init, 0);
    w.wait(w.root).unwrap();
    assert_eq!(w.set.ns_state(ns), Some(NsState::Dead));
    assert_eq!(w.setns(w.root, ns), Ok(()));
    assert_eq!(w.try_fork(w.root), Err(Errno::ENOMEM));
}

// SET-09
#[test]
fn another_process_can_make_the_init_of_an_unshared_namespace() {
    let mut w = World::new();
    let (creator, other) = (w.fork(w.root), w.fork(w.root));
    let ns = w.unshare(creator).unwrap();
    w.setns(other, ns).unwrap();
    let first = w.fork(other);
    let second = w.fork(creator);
    assert_eq!((w.getpid(first), w.getppid(first), w.getpid(second)), (1, 0, 2));
    assert_eq!(w.set.child_reaper(ns), Some(first));
}

// SET-10
#[test]
fn the_namespace_of_a_zombie_is_known_but_not_the_one_for_its_children() {
    let mut w = World::new();
    let init = w.init(w.root);
    let ns = w.ns(init);
    w.exit(init, 0);
    assert_eq!(w.set.ns_of(init), Ok(ns));
    assert_eq!(w.set.open_ns_for_children(init), Err(Errno::ENOENT));
}

// IOC-02
#[test]
fn the_parent_of_a_namespace_is_told_only_to_those_at_or_above_it() {
    let mut w = World::new();
    let outer = w.init(w.root);
    let inner = w.init(outer);
    assert_eq!(w.set.ns_parent(outer, w.ns(inner)), Ok(w.ns(outer)));
    assert_eq!(w.set.ns_parent(w.root, w.ns(inner)), Ok(w.ns(outer)));
    assert_eq!(w.set.ns_parent(inner, w.ns(inner)), Err(Errno::EPERM));
    assert_eq!(w.set.ns_parent(w.root, w.set.root()), Err(Errno::EPERM));
}

// IOC-03 IOC-04
#[test]
fn numbers_are_translated_between_namespaces_both_ways() {
    let mut w = World::new();
    let init = w.init(w.root);
    let member = w.fork(init);
    let thread = w.thread(member);
    let (outside, inside) = (w.set.root(), w.ns(init));
    let raw = |pid: Result<Pid>| pid.map(Pid::raw);
    assert_eq!(raw(w.set.translate(inside, 2, outside)), Ok(w.seen(member, w.root)));
    assert_eq!(raw(w.set.translate(outside, w.seen(thread, w.root), inside)), Ok(3));
    assert_eq!(raw(w.set.translate_tgid(inside, 3, outside)), Ok(w.seen(member, w.root)));
}

// IOC-05
#[test]
fn translation_fails_for_nobody_and_for_the_invisible_and_works_for_zombies() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(shell);
    let (outside, inside) = (w.set.root(), w.ns(init));
    assert_eq!(w.set.translate(inside, 0, outside), Err(Errno::ESRCH));
    assert_eq!(w.set.translate(inside, 2, outside), Err(Errno::ESRCH));
    assert_eq!(
        w.set.translate(outside, 2, inside),
        Err(Errno::ESRCH),
        "the shell is invisible inside"
    );
    w.exit(init, 0);
    assert_eq!(w.set.translate(inside, 1, outside).map(Pid::raw), Ok(3));
    w.wait(shell).unwrap();
    assert_eq!(w.set.translate(inside, 1, outside), Err(Errno::ESRCH));
}

// IOC-06
#[test]
fn the_serial_of_a_namespace_is_never_used_again() {
    let mut w = World::new();
    let mut seen = vec![w.set.ns_serial(w.set.root()).unwrap()];
    for _ in 0..3 {
        let init = w.init(w.root);
        let serial = w.set.ns_serial(w.ns(init)).unwrap();
        assert!(!seen.contains(&serial));
        seen.push(serial);
        w.exit(init, 0);
        w.wait(w.root).unwrap();
    }
}
