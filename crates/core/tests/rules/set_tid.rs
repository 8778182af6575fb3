//! clone3's set_tid: rows TID.

use crate::world::*;
use pidns_core::*;

fn with(set_tid: &[i32]) -> CloneArgs<'_> {
    CloneArgs::fork().with_set_tid(set_tid)
}

fn new_ns(set_tid: &[i32]) -> CloneArgs<'_> {
    CloneArgs::new_pid_ns().with_set_tid(set_tid)
}

// TID-01
#[test]
fn numbers_can_be_chosen_from_the_innermost_level_outwards() {
    let mut w = World::new();
    let only_inner = w.try_clone(w.root, new_ns(&[1])).unwrap();
    assert_eq!((w.getpid(only_inner), w.seen(only_inner, w.root)), (1, 2));
    let both = w.try_clone(w.root, new_ns(&[1, 77])).unwrap();
    assert_eq!((w.getpid(both), w.seen(both, w.root)), (1, 77));
}

// TID-02
#[test]
fn the_first_of_a_namespace_can_only_be_1() {
    let mut w = World::new();
    assert_eq!(w.try_clone(w.root, new_ns(&[5])), Err(Errno::EINVAL));
    w.unshare(w.root).unwrap();
    assert_eq!(w.try_clone(w.root, with(&[5])), Err(Errno::EINVAL));
}

// TID-03
#[test]
fn a_number_in_use_at_any_level_is_refused() {
    let mut w = World::new();
    let init = w.init(w.root);
    let member = w.fork(init);
    assert_eq!(w.try_clone(init, with(&[2])), Err(Errno::EEXIST));
    assert_eq!(w.try_clone(init, with(&[9, w.seen(member, w.root)])), Err(Errno::EEXIST));
    assert!(w.try_clone(init, with(&[9])).is_ok(), "the failed one left 9 free");
}

// TID-03 NUM-13
#[test]
fn a_number_that_only_a_group_still_holds_is_in_use() {
    let mut w = World::new();
    let leader = w.fork(w.root);
    w.setpgid(leader, 0, 0).unwrap();
    let member = w.fork(leader);
    w.exit(leader, 0);
    w.wait(w.root).unwrap();
    assert_eq!(w.try_clone(w.root, with(&[2])), Err(Errno::EEXIST));
    w.exit(member, 0);
    w.wait(w.root).unwrap();
    assert!(w.try_clone(w.root, with(&[2])).is_ok());
}

// TID-04
#[test]
fn a_number_out_of_range_is_invalid() {
    let mut w = World::new();
    w.set.set_pid_max(w.root, 400).unwrap();
    for bad in [-1, 0, 400, i32::MAX] {
        assert_eq!(w.try_clone(w.root, with(&[bad])), Err(Errno::EINVAL));
    }
    let last = w.try_clone(w.root, with(&[399])).unwrap();
    assert_eq!(w.getpid(last), 399);
}

// TID-05
#[test]
fn more_numbers_than_levels_are_invalid() {
    let mut w = World::new();
    assert_eq!(w.try_clone(w.root, with(&[5, 6])), Err(Errno::EINVAL));
    assert_eq!(w.try_clone(w.root, new_ns(&[1, 6, 7])), Err(Errno::EINVAL));
}

/// May restore checkpoints in one user namespace only.
struct Restorer;

impl Authority for Restorer {
    fn user_ns(&self) -> UserNs {
        UserNs(1)
    }
    fn capable(&self, ns: UserNs, _: Capability) -> bool {
        ns == UserNs(1)
    }
}

// TID-06
#[test]
fn each_chosen_level_needs_the_capability_in_its_owner() {
    let mut w = World::new();
    assert!(w.try_clone_as(w.root, new_ns(&[1]), &Restorer).is_ok());
    assert_eq!(w.try_clone_as(w.root, new_ns(&[1, 88]), &Restorer), Err(Errno::EPERM));
}

// TID-07
#[test]
fn choosing_a_number_does_not_move_the_cursor() {
    let mut w = World::new();
    w.try_clone(w.root, with(&[100])).unwrap();
    let next = w.fork(w.root);
    assert_eq!(w.getpid(next), 2);
}

// TID-08
#[test]
fn no_number_can_be_had_in_a_dead_namespace() {
    let mut w = World::new();
    w.unshare(w.root).unwrap();
    let init = w.fork(w.root);
    w.exit(init, 0);
    w.wait(w.root).unwrap();
    for number in [1, 7] {
        assert_eq!(w.try_clone(w.root, with(&[number])), Err(Errno::ENOMEM));
    }
}

#[test]
fn clone3_refuses_an_exit_signal_for_threads_and_siblings() {
    for flags in [CloneArgs::thread().flags, CloneFlags::PARENT] {
        assert_eq!(CloneArgs::from_clone3(flags.bits(), 17, &[]), Err(Errno::EINVAL));
    }
    assert_eq!(CloneArgs::from_clone3(0, 65, &[]), Err(Errno::EINVAL));
    assert_eq!(CloneArgs::from_clone3(0, 17, &[]), Ok(CloneArgs::fork()));
}
