//! Numbers, the calls that return them, and the sysctls about them: rows NUM, SYS.

use crate::world::*;
use pidns_core::*;

// NUM-01
#[test]
fn a_task_has_one_number_in_its_namespace_and_each_ancestor_and_none_elsewhere() {
    let mut w = World::new();
    let (a, b) = (w.init(w.root), w.init(w.root));
    let inner = w.init(a);
    assert_eq!((w.seen(inner, inner), w.seen(inner, a), w.seen(inner, w.root)), (1, 2, 4));
    assert_eq!((w.seen(inner, b), w.seen(a, inner), w.seen(w.root, a)), (0, 0, 0));
}

// NUM-02
#[test]
fn the_parent_of_an_injected_process_is_0_also_after_it_died() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(w.root);
    let injected = w.inject(shell, init);
    assert_eq!(w.getppid(injected), 0);
    w.exit(shell, 0);
    assert_eq!(w.getppid(injected), 0);
    assert_eq!(w.set.parent(injected), Ok(Some(w.root)));
}

// NUM-03
#[test]
fn session_and_group_from_outside_read_0_and_setsid_makes_both_1() {
    let mut w = World::new();
    let init = w.init(w.root);
    let member = w.fork(init);
    assert_eq!((w.getsid(member), w.getpgrp(member)), (0, 0));
    assert_eq!(w.set.getpgid(init, 2), Ok(None));
    assert_eq!(w.setsid(init).map(Pid::raw), Ok(1));
    assert_eq!((w.getsid(init), w.getpgrp(init)), (1, 1));
    let injected = w.inject(w.root, init);
    assert_eq!((w.getsid(injected), w.getpgrp(injected)), (0, 0));
    assert_eq!(w.set.getsid(injected, 1), Ok(Pid::from_raw(1)));
}

// NUM-04
#[test]
fn group_and_session_are_asked_by_thread_id_of_the_callers_namespace() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.setsid(shell).unwrap();
    let thread = w.thread(shell);
    let init = w.init(shell);
    let tid = w.seen(thread, w.root);
    assert_eq!(w.set.getpgid(w.root, tid), Ok(Pid::from_raw(2)));
    for unknown in [2, 99, -1] {
        assert_eq!(w.set.getpgid(init, unknown), Err(Errno::ESRCH));
        assert_eq!(w.set.getsid(init, unknown), Err(Errno::ESRCH));
    }
}

// NUM-05
#[test]
fn setpgid_works_inside_a_session_from_outside() {
    let mut w = World::new();
    let init = w.init(w.root);
    let (a, b) = (w.fork(init), w.fork(init));
    assert_eq!(w.setpgid(init, 2, 0), Ok(()));
    assert_eq!(w.setpgid(init, 3, 2), Ok(()));
    assert_eq!((w.getpgrp(a), w.getpgrp(b)), (2, 2));
    assert_eq!(w.setpgid(init, 0, 0), Ok(()));
    assert_eq!(w.getpgrp(init), 1);
}

// NUM-05
#[test]
fn setpgid_to_an_outer_number_finds_no_such_group() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.setpgid(shell, 0, 0).unwrap();
    let init = w.init(w.root);
    let _member = w.fork(init);
    assert_eq!(w.setpgid(init, 2, 77), Err(Errno::EPERM));
    assert_eq!(w.setpgid(init, 77, 0), Err(Errno::ESRCH));
}

// NUM-05
#[test]
fn an_outer_parent_moves_an_inner_child_by_outer_numbers() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.setpgid(shell, 0, 0).unwrap();
    let init = w.init(shell);
    let nr = w.seen(init, shell);
    assert_eq!(w.setpgid(shell, nr, nr), Ok(()));
    assert_eq!(w.getpgrp(init), 1);
    assert_eq!(w.setpgid(shell, nr, 2), Ok(()));
    assert_eq!(w.getpgrp(init), 0);
}

#[test]
fn setpgid_refuses_session_leaders_strangers_other_sessions_and_children_after_exec() {
    let mut w = World::new();
    let (a, b) = (w.fork(w.root), w.fork(w.root));
    let thread = w.thread(a);
    assert_eq!(w.setpgid(a, 3, 0), Err(Errno::ESRCH), "a sibling");
    assert_eq!(
        w.setpgid(a, w.seen(thread, a), 0),
        Err(Errno::EINVAL),
        "a thread that does not lead"
    );
    assert_eq!(w.setpgid(a, 0, -2), Err(Errno::EINVAL));
    w.call(|set, out| set.exec(b, out)).unwrap();
    assert_eq!(w.setpgid(w.root, 3, 0), Err(Errno::EACCES));
    w.setsid(b).unwrap();
    assert_eq!(w.setpgid(b, 0, 0), Err(Errno::EPERM), "a session leader");
    assert_eq!(w.setpgid(w.root, 3, 0), Err(Errno::EPERM), "another session");
    assert_eq!(w.setpgid(a, 0, 3), Err(Errno::EPERM), "a group of another session");
}

#[test]
fn setsid_is_refused_to_leaders_and_where_the_number_names_a_group() {
    let mut w = World::new();
    let a = w.fork(w.root);
    w.setsid(a).unwrap();
    assert_eq!(w.setsid(a), Err(Errno::EPERM));
    let b = w.fork(w.root);
    w.setpgid(b, 0, 0).unwrap();
    let member = w.fork(b);
    w.setpgid(b, 0, w.getpgrp(a)).unwrap_err();
    assert_eq!(w.setsid(b), Err(Errno::EPERM));
    assert_eq!(w.getpgrp(member), 3);
}

// NUM-06
#[test]
fn threads_take_numbers_from_the_same_row_at_every_level() {
    let mut w = World::new();
    let init = w.init(w.root);
    let thread = w.thread(init);
    let child = w.fork(init);
    assert_eq!((w.seen(thread, init), w.getpid(child)), (2, 3));
    assert_eq!((w.seen(thread, w.root), w.seen(child, w.root)), (3, 4));
    assert_eq!((w.getpid(thread), w.set.gettid(thread).unwrap().raw()), (1, 2));
}

// NUM-07
#[test]
fn the_next_number_after_2_and_a_reaped_3_is_4() {
    let mut w = World::new();
    let init = w.init(w.root);
    let (_two, three) = (w.fork(init), w.fork(init));
    w.exit(three, 0);
    w.wait(init).unwrap();
    let next = w.fork(init);
    assert_eq!(w.getpid(next), 4);
}

// NUM-08 NUM-09
#[test]
fn with_pid_max_400_a_hundred_children_fit_after_the_wrap() {
    let mut w = World::new();
    w.set.set_pid_max(w.root, 400).unwrap();
    w.set.set_ns_last_pid(w.root, 399, &Root).unwrap();
    let mut out = Vec::new();
    let mut fork =
        |w: &mut World| w.set.clone_task(w.root, &CloneArgs::fork(), &Root, || (), (), &mut out);
    for number in 300..400 {
        let child = fork(&mut w).unwrap();
        assert_eq!(w.getpid(child), number);
    }
    assert_eq!(fork(&mut w), Err(Errno::EAGAIN));
    let (root, some) = (w.set.root(), Pid::from_raw(350).unwrap());
    let task = w.set.find_task(root, some).unwrap();
    w.exit(task, 0);
    w.wait(w.root).unwrap();
    assert_eq!(fork(&mut w).map(|task| w.getpid(task)), Ok(350));
}

// NUM-10
#[test]
fn every_level_must_have_room() {
    let mut w = World::new();
    let init = w.init(w.root);
    w.set.set_pid_max(w.root, 320).unwrap();
    let mut out = Vec::new();
    let mut count = 0;
    while w.set.clone_task(init, &CloneArgs::fork(), &Root, || (), (), &mut out).is_ok() {
        count += 1;
    }
    assert_eq!(count, 317);
    assert_eq!(w.try_fork(init), Err(Errno::EAGAIN));
    assert_eq!(w.set.ns_pid_count(w.ns(init)), Ok(318));
}

// NUM-11
#[test]
fn a_new_namespace_starts_with_the_largest_pid_max_and_changes_only_its_own() {
    let mut w = World::new();
    w.set.set_pid_max(w.root, 500).unwrap();
    let init = w.init(w.root);
    assert_eq!(w.set.pid_max(init), Ok(4_194_304));
    w.set.set_pid_max(init, 600).unwrap();
    assert_eq!(w.set.pid_max(w.root), Ok(500));
}

// NUM-13
#[test]
fn a_number_stays_taken_while_a_group_bears_it() {
    let mut w = World::new();
    let leader = w.fork(w.root);
    w.setsid(leader).unwrap();
    let orphan = w.fork(leader);
    w.exit(leader, 0);
    assert_eq!(w.wait(w.root), Ok(Some((2, 0))));
    assert_eq!(w.call(|set, out| set.kill(orphan, 2, 0, &Root, out)), Err(Errno::ESRCH));
    assert_eq!(w.set.pidfd_open(orphan, 2), Err(Errno::ESRCH));
    assert_eq!(w.call(|set, out| set.kill(orphan, -2, 0, &Root, out)), Ok(()));
    assert_eq!((w.getsid(orphan), w.getpgrp(orphan)), (2, 2));
    assert_eq!(w.wait_for(w.root, -2, WaitOptions::empty()), Ok(None), "the orphan matches");
    w.set.set_ns_last_pid(w.root, 1, &Root).unwrap();
    let next = w.fork(w.root);
    assert_eq!(w.getpid(next), 4, "2 and 3 are taken");
}

// SYS-01 SYS-06
#[test]
fn the_last_number_can_be_read_and_written() {
    let mut w = World::new();
    let init = w.init(w.root);
    assert_eq!(w.set.ns_last_pid(init), Ok(1));
    w.set.set_ns_last_pid(init, 41, &Root).unwrap();
    let child = w.fork(init);
    assert_eq!(w.getpid(child), 42);
    assert_eq!(w.set.ns_last_pid(w.root), Ok(3), "outside nothing changed");
    w.set.set_ns_last_pid(init, 1, &Root).unwrap();
    let low = w.fork(init);
    assert_eq!(w.getpid(low), 2);
    assert_eq!(w.set.set_ns_last_pid(init, -1, &Root), Err(Errno::EINVAL));
}

/// May do nothing.
struct Nobody;

impl Authority for Nobody {
    fn capable(&self, _: UserNs, _: Capability) -> bool {
        false
    }
}

// SYS-02
#[test]
fn writing_the_last_number_needs_the_capability() {
    let mut w = World::new();
    assert_eq!(w.set.set_ns_last_pid(w.root, 5, &Nobody), Err(Errno::EPERM));
}

// SYS-03
#[test]
fn pid_max_has_limits_and_may_go_below_live_numbers() {
    let mut w = World::new();
    for bad in [0, 300, 4_194_305] {
        assert_eq!(w.set.set_pid_max(w.root, bad), Err(Errno::EINVAL));
    }
    w.set.set_ns_last_pid(w.root, 1000, &Root).unwrap();
    let high = w.fork(w.root);
    w.set.set_pid_max(w.root, 400).unwrap();
    assert_eq!(w.seen(high, w.root), 1001);
    let next = w.fork(w.root);
    assert_eq!(w.getpid(next), 300);
    assert_eq!(w.set.set_ns_last_pid(w.root, 400, &Root), Ok(()));
    assert_eq!(w.set.set_ns_last_pid(w.root, 401, &Root), Err(Errno::EINVAL));
}
