//! What init's exit waits for: rows ZAP-15 to ZAP-23.

use crate::world::*;
use pidns_core::*;

// ZAP-05 ZAP-15
#[test]
fn init_waits_until_an_injected_zombie_is_reaped_by_its_outer_parent() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(shell);
    let injected = w.inject(shell, init);
    w.exit(init, 0);
    assert!(w.is_zombie(injected) && w.is_zapping(init));
    assert_eq!(w.wait_for(shell, 3, WaitOptions::empty()), Ok(None), "for init alone: deadlock");
    assert_eq!(w.set.ns_state(w.ns(init)), Some(NsState::Zapping(ZapStep::AwaitCount)));
    assert_eq!(w.wait(shell), Ok(Some((4, killed(Signal::KILL)))), "the injected one first");
    assert_eq!(w.wait(shell), Ok(Some((3, 0))));
}

// ZAP-16 WAI-10
#[test]
fn an_outer_parent_that_ignores_sigchld_lets_all_vanish() {
    let ignoring = [(IGNORE, ActionFlags::empty()), (Disposition::Default, ActionFlags::NOCLDWAIT)];
    for (disposition, flags) in ignoring {
        let mut w = World::new();
        let shell = w.fork(w.root);
        w.action_with(shell, Signal::CHLD, disposition, flags);
        let init = w.init(shell);
        let injected = w.inject(shell, init);
        w.exit(init, 0);
        assert!(w.is_gone(injected) && w.is_gone(init));
        assert_eq!(w.wait(shell), Err(Errno::ECHILD));
    }
}

// ZAP-17
#[test]
fn the_zombie_of_a_dead_outer_parent_passes_to_the_outer_reaper() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(w.root);
    w.inject(shell, init);
    w.exit(init, 0);
    w.exit(shell, 0);
    assert!(w.is_zapping(init));
    assert_eq!(w.wait(w.root), Ok(Some((2, 0))), "the shell");
    assert_eq!(w.wait_for(w.root, 4, WaitOptions::empty()), Ok(Some((4, killed(Signal::KILL)))));
    assert!(w.is_zombie(init));
}

// ZAP-18
#[test]
fn a_member_traced_from_outside_holds_init_until_its_tracer_lets_go() {
    let let_go: [fn(&mut World, TaskId, TaskId); 3] = [
        |w, tracer, _| {
            let waited = w.wait_for(tracer, -1, WaitOptions::ALL).unwrap();
            assert_eq!(waited.map(|(_, status)| status), Some(9));
        },
        |w, tracer, tracee| w.call(|set, out| set.detach(tracer, tracee, out)).unwrap(),
        |w, tracer, _| assert_eq!(w.exit(tracer, 0), ExitOutcome::Zombie),
    ];
    for let_go in let_go {
        let mut w = World::new();
        let tracer = w.fork(w.root);
        let init = w.init(w.root);
        let member = w.fork(init);
        w.set.attach(tracer, member, OnTracerExit::Release).unwrap();
        w.exit(init, 0);
        assert!(w.is_zombie(member) && w.is_zapping(init));
        assert_eq!(w.set.ns_state(w.ns(init)), Some(NsState::Zapping(ZapStep::ReapOwn)));
        let_go(&mut w, tracer, member);
        assert!(w.is_gone(member) && w.is_zombie(init));
    }
}

/// An outer process of a member's session that moved itself into the member's group.
fn outsider_in_group(w: &mut World) -> (TaskId, TaskId) {
    let shell = w.fork(w.root);
    let init = w.init(shell);
    let member = w.fork(init);
    w.setpgid(init, 2, 0).unwrap();
    let group = w.seen(member, shell);
    w.setpgid(shell, 0, group).unwrap();
    (shell, init)
}

// ZAP-21 NUM-13
#[test]
fn an_outer_process_in_a_members_group_holds_init_until_it_leaves() {
    let mut w = World::new();
    let (shell, init) = outsider_in_group(&mut w);
    w.exit(init, 0);
    assert!(w.is_zapping(init));
    assert_eq!(w.set.ns_pid_count(w.ns(init)), Ok(2));
    w.setpgid(shell, 0, 0).unwrap();
    assert!(w.is_zombie(init));
}

// ZAP-21
#[test]
fn an_outer_process_in_a_members_group_holds_init_until_it_dies() {
    let mut w = World::new();
    let (shell, init) = outsider_in_group(&mut w);
    w.exit(init, 0);
    w.exit(shell, 0);
    assert!(w.is_zapping(init), "a zombie is still in its group");
    w.wait(w.root).unwrap();
    assert!(w.is_zombie(init));
}

// ZAP-21
#[test]
fn an_outer_process_in_the_group_of_init_itself_does_not_hold_it() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(shell);
    w.setpgid(init, 0, 0).unwrap();
    let group = w.seen(init, shell);
    w.setpgid(shell, 0, group).unwrap();
    w.fork(init);
    w.exit(init, 0);
    assert!(w.is_zombie(init));
}

// ZAP-22
#[test]
fn an_init_in_the_group_of_its_member_never_finishes_unless_its_parent_moves_it() {
    let mut w = World::new();
    let init = w.init(w.root);
    w.fork(init);
    w.setpgid(init, 2, 0).unwrap();
    w.setpgid(init, 0, 2).unwrap();
    w.exit(init, 0);
    assert!(w.is_zapping(init));
    w.kill(w.root, 2, Signal::KILL).unwrap();
    assert!(w.is_zapping(init), "SIGKILL does not help");
    w.setpgid(w.root, 2, 2).unwrap();
    assert!(w.is_zombie(init));
}

// ZAP-23 PFD-11
#[test]
fn pidfds_and_namespace_files_do_not_hold_init() {
    let mut w = World::new();
    let init = w.init(w.root);
    let member = w.fork(init);
    for task in [init, member] {
        let nr = w.seen(task, w.root);
        w.set.pidfd_open(w.root, nr).unwrap();
    }
    w.set.get_ns(w.ns(init)).unwrap();
    w.exit(init, 0);
    assert!(w.is_zombie(init));
}
