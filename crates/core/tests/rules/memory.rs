//! What happens when memory runs out: every operation that can fail does so cleanly.

use crate::world::*;
use pidns_core::check::Store;
use pidns_core::*;

/// What must be the same before and after a failure.
fn shape(w: &World) -> (usize, usize, Vec<u32>, usize) {
    let counts = w.set.namespaces().map(|ns| w.set.ns_pid_count(ns).unwrap()).collect();
    (w.set.task_count(), w.set.namespaces().count(), counts, w.set.outstanding())
}

/// A world of two levels, full enough that each store is in use.
fn world() -> (World, TaskId) {
    let mut w = World::new();
    let init = w.init(w.root);
    w.fork(init);
    (w, init)
}

#[test]
fn a_clone_without_memory_fails_at_each_store_and_leaves_nothing_behind() {
    let far = [3_000_000, 3_000_000];
    let clones = [
        ("fork", CloneArgs::fork(), vec![Store::Tasks, Store::Groups, Store::Pids, Store::Numbers]),
        ("thread", CloneArgs::thread(), vec![Store::Tasks, Store::Pids, Store::Numbers]),
        (
            "new namespace",
            CloneArgs::new_pid_ns(),
            vec![
                Store::Tasks,
                Store::Groups,
                Store::Pids,
                Store::Numbers,
                Store::Namespaces,
                Store::MapNodes,
                Store::MapLeaves,
            ],
        ),
        (
            "far number",
            CloneArgs::fork().with_set_tid(&far),
            vec![Store::MapNodes, Store::MapLeaves],
        ),
    ];
    for (what, args, stores) in clones {
        for store in stores {
            let (mut w, init) = world();
            let before = shape(&w);
            w.set.deny_memory(store, true);
            assert_eq!(w.try_clone(init, args), Err(Errno::ENOMEM), "{what}, {store:?}");
            assert_eq!(shape(&w), before, "{what}, {store:?}");
            w.set.deny_memory(store, false);
            w.try_clone(init, args).unwrap();
        }
    }
}

#[test]
fn unshare_and_attach_without_memory_change_nothing() {
    let (mut w, init) = world();
    let before = shape(&w);
    w.set.deny_memory(Store::Namespaces, true);
    assert_eq!(w.unshare(init), Err(Errno::ENOMEM));
    let other = w.fork(w.root);
    w.set.deny_memory(Store::Traces, true);
    assert_eq!(w.set.attach(other, init, OnTracerExit::Release), Err(Errno::ENOMEM));
    assert_eq!(w.set.tracer(init), Ok(None));
    assert_eq!(shape(&w).1, before.1);
}

#[test]
fn a_signal_without_memory_for_its_information_still_arrives_unless_it_was_queued() {
    let (mut w, init) = world();
    w.block(init, SigSet::ALL);
    w.set.deny_memory(Store::QueuedSignals, true);
    w.kill_task(w.root, init, Signal::USR1);
    assert_eq!(w.set.sigpending(init), Ok(SigSet::of(&[Signal::USR1])));
    let (root, info) = (w.root, UserInfo { code: SigCode::QUEUE, pid: 1, uid: 0, value: 1 });
    let nr = w.seen(init, root);
    assert_eq!(w.call(|set, out| set.sigqueue(root, nr, 40, info, &Root, out)), Err(Errno::EAGAIN));
}

#[test]
fn the_end_of_everything_needs_no_memory() {
    let (mut w, init) = world();
    let nested = w.init(init);
    w.fork(nested);
    w.thread(nested);
    for store in Store::ALL {
        w.set.deny_memory(store, true);
    }
    w.exit(init, 3);
    assert_eq!(w.wait(w.root), Ok(Some((2, exited(3)))));
    assert_eq!((w.set.task_count(), w.set.namespaces().count()), (1, 1));
}
