//! Tracers and zombies: rows PTR, ZAP-18, ZAP-36, ZAP-37.

use crate::world::*;
use pidns_core::*;

fn attach(w: &mut World, tracer: TaskId, tracee: TaskId) {
    w.set.attach(tracer, tracee, OnTracerExit::Release).unwrap();
    w.set.check_invariants().unwrap();
}

// ZAP-36
#[test]
fn the_zombie_of_a_traced_init_goes_to_the_tracer_first_and_then_to_the_parent() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let tracer = w.fork(w.root);
    let init = w.init(shell);
    attach(&mut w, tracer, init);
    w.exit(init, 5);
    assert_eq!(w.wait(shell), Ok(None));
    assert_eq!(w.wait(tracer), Ok(Some((4, exited(5)))));
    assert_eq!(w.wait(tracer), Err(Errno::ECHILD));
    assert_eq!(w.wait(shell), Ok(Some((4, exited(5)))));
}

// ZAP-37
#[test]
fn an_init_that_traces_its_own_child_does_not_hang() {
    let mut w = World::new();
    let init = w.init(w.root);
    let child = w.fork(init);
    attach(&mut w, init, child);
    w.exit(init, 0);
    assert!(w.is_gone(child) && w.is_zombie(init));
}

#[test]
fn a_parent_that_traces_its_child_reaps_it_once() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let child = w.fork(shell);
    attach(&mut w, shell, child);
    w.exit(child, 3);
    assert_eq!(w.wait(shell), Ok(Some((3, exited(3)))));
    assert_eq!(w.wait(shell), Err(Errno::ECHILD));
}

#[test]
fn a_traced_thread_stays_until_its_tracer_looks() {
    let mut w = World::new();
    let tracer = w.fork(w.root);
    let shell = w.fork(w.root);
    let thread = w.thread(shell);
    attach(&mut w, tracer, thread);
    assert_eq!(w.exit(thread, 1), ExitOutcome::Zombie);
    w.exit(shell, 0);
    assert_eq!(w.wait_for(w.root, 3, WaitOptions::empty()), Ok(None), "the thread is still there");
    assert_eq!(w.wait(tracer), Ok(Some((4, 0))));
    assert_eq!(w.wait_for(w.root, 3, WaitOptions::empty()), Ok(Some((3, 0))));
}

#[test]
fn a_tracee_is_killed_with_its_tracer_if_it_asked_for_that() {
    for (then, dies) in [(OnTracerExit::Release, false), (OnTracerExit::Kill, true)] {
        let mut w = World::new();
        let tracer = w.fork(w.root);
        let tracee = w.fork(w.root);
        w.set.attach(tracer, tracee, then).unwrap();
        assert_eq!(w.set.tracer(tracee), Ok(Some(tracer)));
        w.exit(tracer, 0);
        assert_eq!(w.is_zombie(tracee), dies);
    }
}

// PTR-01 PTR-03 PTR-04
#[test]
fn tracing_is_refused_within_a_process_and_twice() {
    let mut w = World::new();
    let (a, b) = (w.fork(w.root), w.fork(w.root));
    let thread = w.thread(a);
    assert_eq!(w.set.attach(a, thread, OnTracerExit::Release), Err(Errno::EPERM));
    attach(&mut w, a, b);
    assert_eq!(w.set.attach(w.root, b, OnTracerExit::Release), Err(Errno::EPERM));
    let root = w.root;
    assert_eq!(w.call(|set, out| set.detach(root, b, out)), Err(Errno::ESRCH));
    assert_eq!(w.call(|set, out| set.detach(a, b, out)), Ok(()));
    assert_eq!(w.set.tracer(b), Ok(None));
}

#[test]
fn a_zombie_that_is_detached_is_announced_to_its_parent() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.action(shell, Signal::CHLD, HANDLER);
    let tracer = w.fork(w.root);
    let child = w.fork(shell);
    attach(&mut w, tracer, child);
    w.exit(child, 2);
    assert!(w.handled(shell).is_none());
    w.call(|set, out| set.detach(tracer, child, out)).unwrap();
    assert_eq!(w.handled(shell).map(|info| info.value), Some(2));
    assert_eq!(w.wait(shell), Ok(Some((4, exited(2)))));
}
