//! Init's death, in the good case: rows ZAP-01 to ZAP-10, ZAP-30 to ZAP-41.

use crate::world::*;
use pidns_core::*;

/// The steps of a destruction, in the order in which they were taken.
fn steps(w: &World, ns: NsId) -> Vec<ZapStep> {
    let step = |effect: &Effect| match effect {
        Effect::Zap { ns: of, step } if *of == ns => Some(*step),
        _ => None,
    };
    w.out.log.iter().filter_map(step).collect()
}

// ZAP-01 ZAP-02
#[test]
fn the_steps_of_a_destruction_come_in_the_order_of_the_kernel() {
    let mut w = World::new();
    let init = w.init(w.root);
    let ns = w.ns(init);
    w.fork(init);
    w.exit(init, 0);
    use ZapStep::*;
    assert_eq!(steps(&w, ns), [Seal, IgnoreChildren, KillMembers, ReapOwn, AwaitCount, Release]);
}

// ZAP-02
#[test]
fn every_member_is_killed_once_in_number_order() {
    let mut w = World::new();
    let init = w.init(w.root);
    let mut members = vec![w.fork(init), w.fork(init)];
    members.push(w.fork(members[0]));
    members.push(w.thread(members[1]));
    w.exit(init, 0);
    let killed: Vec<TaskId> = w
        .out
        .log
        .iter()
        .filter_map(|effect| if let Effect::Kill { task } = effect { Some(*task) } else { None })
        .collect();
    assert_eq!(killed, [members[0], members[1], members[3], members[2]]);
}

// ZAP-03
#[test]
fn nothing_a_member_did_to_a_signal_matters() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(w.root);
    let (handler, stopped, blocked) =
        (w.inject(shell, init), w.inject(shell, init), w.inject(shell, init));
    let threaded = w.inject(shell, init);
    w.thread(threaded);
    for signal in (1..=64).filter_map(Signal::from_raw).filter(|signal| !signal.is_unstoppable()) {
        w.action(handler, signal, HANDLER);
    }
    w.kill_task(shell, stopped, Signal::STOP);
    w.block(blocked, SigSet::ALL);
    let already = w.inject(shell, init);
    w.exit(already, 4);
    w.exit(init, 0);
    for member in [handler, stopped, blocked, threaded] {
        let nr = w.seen(member, shell);
        assert_eq!(
            w.wait_for(shell, nr, WaitOptions::empty()),
            Ok(Some((nr, killed(Signal::KILL))))
        );
    }
    let nr = w.seen(already, shell);
    assert_eq!(w.wait(shell), Ok(Some((nr, exited(4)))), "its old status stays");
}

// ZAP-04 ZAP-35
#[test]
fn old_zombies_of_init_are_collected_silently_and_its_sigchld_handler_does_not_run() {
    let mut w = World::new();
    let init = w.init(w.root);
    w.action(init, Signal::CHLD, HANDLER);
    let zombie = w.fork(init);
    w.exit(zombie, 1);
    let clone_child =
        w.try_clone(init, CloneArgs { exit_signal: None, ..CloneArgs::fork() }).unwrap();
    let ran = w.out.handled.len();
    w.exit(init, 0);
    assert!(w.is_gone(zombie) && w.is_gone(clone_child) && w.is_zombie(init));
    assert_eq!(w.out.handled.len(), ran);
}

// ZAP-06 PFD-03
#[test]
fn when_init_is_reported_nobody_has_a_number_in_the_namespace() {
    let mut w = World::new();
    let init = w.init(w.root);
    let nested = w.init(init);
    let members = [w.fork(init), w.fork(nested), w.fork(nested)];
    let numbers: Vec<i32> = members.iter().map(|&member| w.seen(member, w.root)).collect();
    let ns = w.ns(init);
    w.set.get_ns(ns).unwrap();
    w.exit(init, 0);
    assert_eq!(w.set.ns_pid_count(ns), Ok(1), "its own");
    assert_eq!(w.wait(w.root), Ok(Some((2, 0))));
    for number in numbers {
        assert_eq!(w.kill(w.root, number, Signal::KILL), Err(Errno::ESRCH));
    }
    assert_eq!(w.set.ns_pid_count(ns), Ok(0));
}

// ZAP-07
#[test]
fn the_status_of_init_is_not_touched_by_the_kill_stage() {
    for (code, status) in [(42, exited(42)), (0x1ff, exited(255))] {
        let mut w = World::new();
        let init = w.init(w.root);
        w.fork(init);
        w.exit_group(init, code);
        assert_eq!(w.wait(w.root), Ok(Some((2, status))));
    }
}

// ZAP-08
#[test]
fn death_signals_of_members_have_no_effect() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(w.root);
    let (member, injected) = (w.fork(init), w.inject(shell, init));
    for task in [member, injected] {
        w.action(task, Signal::USR1, HANDLER);
        w.set.set_death_signal(task, Signal::USR1.raw()).unwrap();
    }
    w.exit(init, 0);
    assert!(w.handled(member).is_none() && w.handled(injected).is_none());
}

// ZAP-09
#[test]
fn nested_namespaces_die_with_the_outer_one() {
    let mut w = World::new();
    let outer = w.init(w.root);
    let inner = w.init(outer);
    let (deep, ns) = (w.fork(inner), w.ns(inner));
    w.set.get_ns(ns).unwrap();
    w.exit(outer, 0);
    assert!(w.is_gone(inner) && w.is_gone(deep) && w.is_zombie(outer));
    assert_eq!(w.set.ns_state(ns), Some(NsState::Dead));
    assert_eq!(w.setns(w.root, ns), Ok(()));
    assert_eq!(w.try_fork(w.root), Err(Errno::ENOMEM));
}

// ZAP-09
#[test]
fn a_nested_init_that_dies_leaves_the_outer_namespace_alone() {
    let mut w = World::new();
    let outer = w.init(w.root);
    let member = w.fork(outer);
    let inner = w.init(outer);
    w.fork(inner);
    w.exit(inner, 8);
    assert!(w.lives(outer) && w.lives(member));
    assert_eq!(w.wait(outer), Ok(Some((3, exited(8)))));
}

// ZAP-10
#[test]
fn a_process_outside_that_only_had_the_dead_namespace_for_its_children_lives_on() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.unshare(shell).unwrap();
    let init = w.fork(shell);
    w.exit(init, 0);
    assert!(w.lives(shell));
    assert_eq!(w.try_fork(shell), Err(Errno::ENOMEM));
}

// ZAP-30
#[test]
fn once_sealed_fork_into_the_namespace_is_out_of_memory() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(w.root);
    w.inject(shell, init);
    w.exit(init, 0);
    assert!(w.is_zapping(init));
    w.setns(shell, w.ns(init)).unwrap();
    for args in [CloneArgs::fork(), CloneArgs::vfork(), CloneArgs::fork().with_set_tid(&[77])] {
        assert_eq!(w.try_clone(shell, args), Err(Errno::ENOMEM));
    }
}

// ZAP-30
#[test]
fn a_fork_that_began_before_the_seal_is_born_dead_and_its_outer_parent_sees_status_9() {
    let mut w = World::new();
    let (shell, init) = (w.fork(w.root), w.init(w.root));
    w.setns(shell, w.ns(init)).unwrap();
    let reservation = w.set.reserve(shell, &CloneArgs::fork(), &Root).unwrap();
    assert_eq!(w.exit(init, 0), ExitOutcome::AwaitZap, "the number is allocated");
    let child = w.call(|set, out| set.publish(reservation, || (), (), out));
    assert!(w.is_zombie(child) && w.is_zapping(init));
    let nr = w.seen(child, shell);
    assert_eq!(w.wait(shell), Ok(Some((nr, killed(Signal::KILL)))));
    assert!(w.is_zombie(init));
}

// ZAP-30
#[test]
fn a_fork_given_up_after_the_seal_lets_init_finish() {
    let mut w = World::new();
    let (shell, init) = (w.fork(w.root), w.init(w.root));
    w.setns(shell, w.ns(init)).unwrap();
    let reservation = w.set.reserve(shell, &CloneArgs::fork(), &Root).unwrap();
    w.exit(init, 0);
    w.call(|set, out| set.abandon(reservation, out));
    assert!(w.is_zombie(init));
}

// ZAP-31
#[test]
fn a_member_with_a_pending_sigkill_cannot_fork() {
    let mut w = World::new();
    let init = w.init(w.root);
    let member = w.fork(init);
    let mut out = Vec::new();
    assert_eq!(w.set.exit(init, ExitStatus::exited(0), &mut out), Ok(ExitOutcome::AwaitZap));
    let fork = w.set.clone_task(member, &CloneArgs::fork(), &Root, || (), (), &mut out);
    assert_eq!(fork, Err(Errno::EINTR));
}

// ZAP-35
#[test]
fn an_outer_parent_is_told_of_injected_ones_at_once_and_of_init_at_the_end() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.action(shell, Signal::CHLD, HANDLER);
    let init = w.init(shell);
    w.inject(shell, init);
    w.exit(init, 7);
    let told = |w: &World| {
        w.out.handled.iter().map(|(_, info)| (info.pid, info.value)).collect::<Vec<_>>()
    };
    assert_eq!(told(&w), [(4, 9)]);
    w.wait(shell).unwrap();
    assert_eq!(told(&w), [(4, 9), (3, 7)]);
}

// ZAP-34
#[test]
fn with_a_zombie_leader_two_pid_objects_are_inits_own() {
    let mut w = World::new();
    let init = w.init(w.root);
    let last = w.thread(init);
    let injected = w.inject(w.root, init);
    w.exit(init, 0);
    assert_eq!(w.exit(last, 2), ExitOutcome::AwaitZap);
    assert_eq!(w.set.ns_pid_count(w.ns(init)), Ok(3));
    assert!(w.is_zapping(last) && w.set.find_task(w.ns(init), Pid::INIT) == Some(init));
    let nr = w.seen(injected, w.root);
    assert_eq!(w.wait(w.root), Ok(Some((nr, killed(Signal::KILL)))));
    assert!(w.is_gone(last) && w.is_zombie(init));
    assert_eq!(w.wait(w.root), Ok(Some((2, exited(2)))));
}

// ZAP-41
#[test]
fn the_end_of_the_root_init_is_a_panic_and_kills_nobody() {
    let mut w = World::new();
    let member = w.fork(w.root);
    let thread = w.thread(w.root);
    assert_eq!(w.exit(w.root, 3), ExitOutcome::Zombie, "the leader's exit alone is none");
    assert_eq!(w.exit(thread, 5), ExitOutcome::Panicked);
    assert_eq!(w.out.log.last(), Some(&Effect::Panic { status: ExitStatus::from_raw(0x500) }));
    assert!(w.lives(member));
}

// ZAP-41
#[test]
fn the_panic_tells_how_the_last_thread_ended() {
    let mut w = World::new();
    w.fork(w.root);
    assert_eq!(w.exit_group(w.root, 7), ExitOutcome::Panicked);
    assert!(w.out.log.contains(&Effect::Panic { status: ExitStatus::from_raw(0x700) }));

    let mut w = World::new();
    let root = w.root;
    w.call(|set, out| set.fault(root, Signal::SEGV, out)).unwrap();
    assert!(w.out.log.contains(&Effect::Panic { status: ExitStatus::from_raw(0x0b) }));
}
