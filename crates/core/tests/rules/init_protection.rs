//! What init is protected from: rows SIG-01 to SIG-18.

use crate::world::*;
use pidns_core::*;

/// A namespace with one ordinary member.
fn namespace(w: &mut World) -> (TaskId, TaskId) {
    let init = w.init(w.root);
    let member = w.fork(init);
    (init, member)
}

fn every_signal() -> impl Iterator<Item = Signal> {
    (1..=64).filter_map(Signal::from_raw)
}

// SIG-01
#[test]
fn from_inside_every_default_signal_is_discarded_sigkill_too() {
    let mut w = World::new();
    let (init, member) = namespace(&mut w);
    let injected = w.inject(w.root, init);
    for sender in [init, member, injected] {
        for signal in every_signal() {
            assert_eq!(w.kill(sender, 1, signal), Ok(()));
            assert!(w.lives(init) && w.stopped(init).is_none(), "{signal:?}");
        }
    }
    w.block(init, SigSet::ALL);
    assert_eq!(w.set.sigpending(init), Ok(SigSet::EMPTY), "nothing stayed pending");
    assert_eq!(w.call(|set, out| set.kill(member, 1, 0, &Root, out)), Ok(()));
    assert_eq!(w.call(|set, out| set.kill(member, 1, 65, &Root, out)), Err(Errno::EINVAL));
}

// SIG-02
#[test]
fn signals_to_a_thread_of_init_are_discarded_as_well() {
    let mut w = World::new();
    let (init, member) = namespace(&mut w);
    let thread = w.thread(init);
    for signal in every_signal().map(Signal::raw) {
        for tid in [1, w.seen(thread, init)] {
            let tgkill = w.call(|set, out| set.tgkill(member, Some(1), tid, signal, &Root, out));
            let tkill = w.call(|set, out| set.tgkill(member, None, tid, signal, &Root, out));
            assert_eq!((tgkill, tkill), (Ok(()), Ok(())));
        }
    }
    assert!(w.lives(init) && w.lives(thread));
}

// SIG-03
#[test]
fn a_handler_of_init_runs_for_signals_from_inside() {
    let mut w = World::new();
    let (init, member) = namespace(&mut w);
    w.action(init, Signal::TERM, HANDLER);
    w.kill(member, 1, Signal::TERM).unwrap();
    let info = w.handled(init).unwrap();
    assert_eq!((info.signal, info.pid, info.code), (Signal::TERM, 2, SigCode::USER));
}

// SIG-04
#[test]
fn from_an_ancestor_only_sigkill_and_sigstop_are_effective_on_default() {
    let mut w = World::new();
    let (init, _) = namespace(&mut w);
    for signal in every_signal().filter(|signal| !SigSet::UNSTOPPABLE.has(*signal)) {
        w.kill_task(w.root, init, signal);
        assert!(w.lives(init) && w.stopped(init).is_none(), "{signal:?}");
    }
    w.kill_task(w.root, init, Signal::STOP);
    assert_eq!(w.stopped(init), Some(Signal::STOP));
    w.kill_task(w.root, init, Signal::KILL);
    assert!(w.is_zombie(init));
    assert_eq!(w.wait(w.root), Ok(Some((2, killed(Signal::KILL)))));
}

// SIG-05
#[test]
fn sigcont_continues_a_stopped_init_from_outside_and_from_inside() {
    let mut w = World::new();
    let (init, member) = namespace(&mut w);
    for sender in [w.root, member] {
        w.kill_task(w.root, init, Signal::STOP);
        w.kill_task(sender, init, Signal::CONT);
        assert_eq!(w.stopped(init), None);
        let continued = w.wait_for(w.root, -1, WaitOptions::CONTINUED);
        assert_eq!(continued, Ok(Some((2, 0xffff))));
    }
}

// SIG-06
#[test]
fn a_blocked_default_signal_waits_and_can_be_taken() {
    let mut w = World::new();
    let (init, member) = namespace(&mut w);
    let both = SigSet::of(&[Signal::TERM, Signal::USR1]);
    w.block(init, both);
    w.kill(member, 1, Signal::TERM).unwrap();
    w.kill(member, 1, Signal::USR1).unwrap();
    assert_eq!(w.set.sigpending(init), Ok(both));
    let taken = w.set.sigwait(init, SigSet::of(&[Signal::TERM])).unwrap();
    assert_eq!((taken.signal, taken.pid), (Signal::TERM, 2));
    w.action(init, Signal::USR1, HANDLER);
    w.block(init, SigSet::EMPTY);
    assert_eq!(w.handled(init).map(|info| info.signal), Some(Signal::USR1));
}

// SIG-06
#[test]
fn a_signal_still_at_default_when_unblocked_vanishes() {
    let mut w = World::new();
    let (init, member) = namespace(&mut w);
    w.block(init, SigSet::ALL);
    w.kill(member, 1, Signal::TERM).unwrap();
    w.block(init, SigSet::EMPTY);
    assert!(w.lives(init) && w.handled(init).is_none());
    w.block(init, SigSet::ALL);
    assert_eq!(w.set.sigpending(init), Ok(SigSet::EMPTY));
}

// SIG-02 SIG-06
#[test]
fn a_signal_that_one_thread_of_init_blocks_does_not_kill_it_through_another() {
    let mut w = World::new();
    let (init, member) = namespace(&mut w);
    let thread = w.thread(init);
    w.block(thread, SigSet::of(&[Signal::TERM]));
    let tid = w.seen(thread, member);
    w.kill(member, tid, Signal::TERM).unwrap();
    assert!(w.lives(init) && w.lives(thread));
    w.block(init, SigSet::ALL);
    assert_eq!(w.set.sigpending(init), Ok(SigSet::EMPTY), "the other thread took and dropped it");
}

// SIG-07 TTY-03 TTY-04
#[test]
fn signals_that_the_kernel_makes_are_discarded_except_sigkill() {
    let mut w = World::new();
    let (init, _) = namespace(&mut w);
    let group = w.group(init);
    for signal in
        [Signal::ALRM, Signal::VTALRM, Signal::PIPE, Signal::INT, Signal::HUP, Signal::XCPU]
    {
        w.call(|set, out| set.kernel_signal(group, signal, out)).unwrap();
        assert!(w.lives(init));
    }
    w.call(|set, out| set.kernel_signal(group, Signal::KILL, out)).unwrap();
    assert_eq!(w.wait(w.root), Ok(Some((2, killed(Signal::KILL)))));
}

// SIG-08
#[test]
fn a_fault_kills_init_whether_default_ignored_or_blocked() {
    let blocked = SigSet::of(&[Signal::SEGV]);
    for (disposition, mask) in [
        (Disposition::Default, SigSet::EMPTY),
        (IGNORE, SigSet::EMPTY),
        (Disposition::Default, blocked),
    ] {
        let mut w = World::new();
        let (init, _) = namespace(&mut w);
        w.action(init, Signal::SEGV, disposition);
        w.block(init, mask);
        w.call(|set, out| set.fault(init, Signal::SEGV, out)).unwrap();
        assert_eq!(w.wait(w.root), Ok(Some((2, killed(Signal::SEGV)))));
    }
}

// SIG-08
#[test]
fn a_handler_for_a_fault_runs_and_init_stays_protected() {
    let mut w = World::new();
    let (init, member) = namespace(&mut w);
    w.action(init, Signal::SEGV, HANDLER);
    w.call(|set, out| set.fault(init, Signal::SEGV, out)).unwrap();
    assert_eq!(w.handled(init).map(|info| info.signal), Some(Signal::SEGV));
    w.kill(member, 1, Signal::KILL).unwrap();
    assert!(w.lives(init));
}

// SIG-09
#[test]
fn a_fault_signal_that_init_sends_itself_is_an_ordinary_one() {
    let mut w = World::new();
    let (init, _) = namespace(&mut w);
    w.kill(init, 1, Signal::SEGV).unwrap();
    w.kill(init, 1, Signal::ABRT).unwrap();
    assert!(w.lives(init));
}

// SIG-10
#[test]
fn after_a_handler_that_resets_the_second_signal_is_discarded() {
    let mut w = World::new();
    let (init, _) = namespace(&mut w);
    w.action_with(init, Signal::SEGV, HANDLER, ActionFlags::RESETHAND);
    for _ in 0..2 {
        w.kill(init, 1, Signal::SEGV).unwrap();
        assert_eq!(w.out.handled.len(), 1);
    }
    assert!(w.lives(init));
}

// SIG-11
#[test]
fn exec_resets_handlers_and_keeps_the_protection() {
    let mut w = World::new();
    let (init, member) = namespace(&mut w);
    w.action(init, Signal::TERM, HANDLER);
    w.call(|set, out| set.exec(init, out)).unwrap();
    w.kill(member, 1, Signal::TERM).unwrap();
    w.kill(member, 1, Signal::KILL).unwrap();
    assert!(w.lives(init) && w.out.handled.is_empty());
}

fn tracer_is_asked(next: Result<NextSignal>) -> SigInfo {
    match next {
        Ok(NextSignal::Tracer(info)) => info,
        other => panic!("the tracer decides, not {other:?}"),
    }
}

// SIG-12 PTR-06
#[test]
fn a_tracer_of_init_sees_signals_from_inside_but_not_sigkill() {
    let mut w = World::new();
    let (init, member) = namespace(&mut w);
    let tracer = w.fork(w.root);
    w.set.attach(tracer, init, OnTracerExit::Release).unwrap();
    let mut out = Vec::new();
    w.set.kill(member, 1, Signal::TERM.raw(), &Root, &mut out).unwrap();
    let info = tracer_is_asked(w.set.next_signal(init, &mut out));
    assert_eq!(info.signal, Signal::TERM);
    assert_eq!(w.set.inject(init, info, &mut out), Ok(NextSignal::None), "dropped if let through");
    let stop = SigInfo { signal: Signal::STOP, ..info };
    assert_eq!(w.set.inject(init, stop, &mut out), Ok(NextSignal::Stopped(Signal::STOP)));
    w.set.kill(member, 1, Signal::KILL.raw(), &Root, &mut out).unwrap();
    assert!(w.lives(init) && !w.set.is_killed(init));
}

// SIG-13 PTR-06
#[test]
fn a_fault_of_a_traced_init_does_not_end_its_protection() {
    let mut w = World::new();
    let (init, _) = namespace(&mut w);
    let tracer = w.fork(w.root);
    w.set.attach(tracer, init, OnTracerExit::Release).unwrap();
    let mut out = Vec::new();
    w.set.fault(init, Signal::SEGV, &mut out).unwrap();
    let info = tracer_is_asked(w.set.next_signal(init, &mut out));
    assert_eq!(w.set.inject(init, info, &mut out), Ok(NextSignal::None));
    assert!(w.lives(init));
}

/// An init with a death signal whose outer parent dies.
fn orphaned_init(signal: Signal, disposition: Disposition) -> (World, TaskId) {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(shell);
    w.set.set_death_signal(init, signal.raw()).unwrap();
    if signal != Signal::KILL {
        w.action(init, signal, disposition);
    }
    w.exit(shell, 0);
    (w, init)
}

// SIG-14
#[test]
fn the_death_signal_of_an_outer_parent_counts_as_from_an_ancestor() {
    let (w, init) = orphaned_init(Signal::KILL, Disposition::Default);
    assert!(w.is_zombie(init));
    let (w, init) = orphaned_init(Signal::TERM, Disposition::Default);
    assert!(w.lives(init));
    let (w, init) = orphaned_init(Signal::TERM, HANDLER);
    assert!(w.lives(init));
    assert_eq!(w.handled(init).map(|info| info.pid), Some(0));
}

// SIG-15
#[test]
fn to_a_nested_init_every_process_one_level_up_is_an_ancestor() {
    let mut w = World::new();
    let (outer, member) = namespace(&mut w);
    let inner = w.init(outer);
    w.kill_task(member, inner, Signal::TERM);
    assert!(w.lives(inner));
    w.kill_task(member, inner, Signal::KILL);
    assert!(w.is_zombie(inner) && w.lives(outer));
}

// SIG-16
#[test]
fn a_zombie_init_can_be_signalled_in_vain_until_it_is_reaped() {
    let mut w = World::new();
    let (init, _) = namespace(&mut w);
    w.exit(init, 3);
    let root = w.root;
    for signal in [0, 9] {
        assert_eq!(w.call(|set, out| set.kill(root, 2, signal, &Root, out)), Ok(()));
    }
    assert_eq!(w.wait(root), Ok(Some((2, exited(3)))));
    assert_eq!(w.kill(root, 2, Signal::KILL), Err(Errno::ESRCH));
}

// SIG-16 ZAP-33
#[test]
fn a_signal_to_an_init_in_its_kill_stage_changes_nothing() {
    let mut w = World::new();
    let (shell, init) = (w.fork(w.root), w.init(w.root));
    let injected = w.inject(shell, init);
    w.exit(init, 42);
    assert!(w.is_zapping(init));
    w.kill_task(w.root, init, Signal::KILL);
    w.kill_task(w.root, injected, Signal::KILL);
    w.wait(shell).unwrap();
    assert_eq!(w.wait(w.root), Ok(Some((3, exited(42)))));
}

// SIG-17
#[test]
fn a_stopped_init_adopts_and_can_be_killed() {
    let mut w = World::new();
    let (init, member) = namespace(&mut w);
    let grandchild = w.fork(member);
    w.kill_task(w.root, init, Signal::STOP);
    w.exit(member, 0);
    assert_eq!(w.getppid(grandchild), 1);
    w.kill_task(w.root, init, Signal::KILL);
    assert!(w.is_zombie(init) && w.is_gone(grandchild));
}

// SIG-18
#[test]
fn the_root_init_discards_even_sigkill_and_sigstop() {
    let mut w = World::new();
    let member = w.fork(w.root);
    for sender in [w.root, member] {
        for signal in every_signal() {
            assert_eq!(w.kill(sender, 1, signal), Ok(()));
        }
    }
    let group = w.group(w.root);
    w.call(|set, out| set.kernel_signal(group, Signal::KILL, out)).unwrap();
    assert!(w.lives(w.root) && w.stopped(w.root).is_none());
}

// SIG-01 SIG-04
#[test]
fn the_verdict_can_be_asked_without_sending() {
    let mut w = World::new();
    let (init, member) = namespace(&mut w);
    let info = SigInfo { signal: Signal::KILL, code: SigCode::USER, pid: 2, uid: 0, value: 0 };
    let verdict = |source| w.set.verdict(init, info, source);
    assert_eq!(verdict(SignalSource::Task(member)), Ok(Verdict::Discard));
    let seen = SigInfo { pid: 0, ..info };
    assert_eq!(verdict(SignalSource::Task(w.root)), Ok(Verdict::Deliver { info: seen }));
    assert_eq!(verdict(SignalSource::Kernel), Ok(Verdict::Deliver { info }));
    assert!(w.lives(init) && !w.set.is_killed(init));
}
