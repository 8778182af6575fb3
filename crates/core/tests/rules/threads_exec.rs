//! Threads and exec: rows NUM-14, REP-14, and exit of threads.

use crate::world::*;
use pidns_core::*;

/// A namespace whose init has two more threads.
fn threaded_init(w: &mut World) -> [TaskId; 3] {
    let init = w.init(w.root);
    [init, w.thread(init), w.thread(init)]
}

// NUM-14 REP-14
#[test]
fn a_thread_of_init_that_execs_becomes_number_1_and_the_namespace_lives() {
    let mut w = World::new();
    let [init, thread, other] = threaded_init(&mut w);
    let member = w.fork(other);
    assert_eq!(w.call(|set, out| set.exec(thread, out)), Ok(ExecOutcome::AwaitThreads));
    assert!(w.out.log.contains(&Effect::ExecReady { task: thread }));
    assert_eq!(w.call(|set, out| set.exec(thread, out)), Ok(ExecOutcome::Done));
    assert_eq!(
        (w.getpid(thread), w.set.gettid(thread).unwrap().raw(), w.seen(thread, w.root)),
        (1, 1, 2)
    );
    assert!(w.is_gone(init) && w.is_gone(other) && w.lives(member));
    assert_eq!(w.set.child_reaper(w.ns(thread)), Some(thread));
    assert_eq!(w.set.parent(member), Ok(Some(thread)));
    assert_eq!(
        w.set.find_pid(w.ns(thread), Pid::from_raw(2).unwrap()),
        None,
        "its own number is free"
    );
    w.kill(member, 1, Signal::KILL).unwrap();
    assert!(w.lives(thread), "still protected");
}

// NUM-14
#[test]
fn the_leader_that_execs_waits_for_the_other_threads_and_keeps_its_number() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let thread = w.thread(shell);
    let mut out = Inline::new();
    assert_eq!(w.set.exec(shell, &mut out), Ok(ExecOutcome::AwaitThreads));
    assert_eq!(w.set.exec(shell, &mut out), Ok(ExecOutcome::AwaitThreads), "asked too early");
    out.settle(&mut w.set);
    assert!(w.is_gone(thread) && out.log.contains(&Effect::ExecReady { task: shell }));
    assert_eq!(w.set.exec(shell, &mut out), Ok(ExecOutcome::Done));
    assert_eq!(w.getpid(shell), 2);
    w.exit(shell, 1);
    assert_eq!(w.wait(w.root), Ok(Some((2, exited(1)))));
}

#[test]
fn an_exec_after_the_leader_exited_takes_its_place_at_once() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let thread = w.thread(shell);
    w.exit(shell, 0);
    assert_eq!(w.call(|set, out| set.exec(thread, out)), Ok(ExecOutcome::Done));
    assert_eq!(w.getpid(thread), 2);
    assert_eq!(w.set.gettid(thread).map(Pid::raw), Ok(2));
}

#[test]
fn exec_gives_way_to_a_death_and_to_another_exec() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let (a, b) = (w.thread(shell), w.thread(shell));
    let mut out = Inline::new();
    assert_eq!(w.set.exec(a, &mut out), Ok(ExecOutcome::AwaitThreads));
    assert_eq!(w.set.exec(b, &mut out), Err(Errno::EAGAIN));
    w.set.kill(w.root, 2, 9, &Root, &mut out).unwrap();
    assert_eq!(w.set.exec(a, &mut out), Err(Errno::EAGAIN));
    out.settle(&mut w.set);
    assert_eq!(w.wait(w.root), Ok(Some((2, killed(Signal::KILL)))));
}

#[test]
fn exec_resets_the_exit_signal_to_sigchld() {
    let mut w = World::new();
    let child = w.try_clone(w.root, CloneArgs { exit_signal: None, ..CloneArgs::fork() }).unwrap();
    w.call(|set, out| set.exec(child, out)).unwrap();
    w.exit(child, 2);
    assert_eq!(w.wait(w.root), Ok(Some((2, exited(2)))));
}

#[test]
fn after_an_exec_of_the_parent_only_sigchld_tells_of_older_children() {
    for exit_signal in [None, Some(Signal::USR1)] {
        let mut w = World::new();
        let shell = w.fork(w.root);
        let child = w.try_clone(shell, CloneArgs { exit_signal, ..CloneArgs::fork() }).unwrap();
        w.call(|set, out| set.exec(shell, out)).unwrap();
        w.block(shell, SigSet::ALL);
        w.action(shell, Signal::CHLD, HANDLER);
        w.exit(child, 0);
        assert_eq!(w.set.sigpending(shell), Ok(SigSet::of(&[Signal::CHLD])));
        assert_eq!(w.wait(shell), Err(Errno::ECHILD), "it is still a clone child");
        assert!(w.wait_for(shell, -1, WaitOptions::CLONE).unwrap().is_some());
    }
}

#[test]
fn exit_group_kills_the_other_threads_and_gives_its_status() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let (a, b) = (w.thread(shell), w.thread(shell));
    w.exit_group(a, 9);
    assert!(w.is_gone(a) && w.is_gone(b));
    assert_eq!(w.wait(w.root), Ok(Some((2, exited(9)))));
}

#[test]
fn a_thread_that_exits_is_released_at_once_and_tells_nobody() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let thread = w.thread(shell);
    assert_eq!(w.exit(thread, 3), ExitOutcome::Reaped);
    assert_eq!(w.wait(w.root), Ok(None));
    w.exit(shell, 0);
    assert_eq!(w.wait(w.root), Ok(Some((2, 0))));
}

#[test]
fn payloads_come_back_when_their_owner_is_released() {
    let mut set: TaskSet<&str, u8> = TaskSet::new(Config::default()).unwrap();
    let mut out = Vec::new();
    let root = set.boot("kernel", 0).unwrap();
    let shell = set.clone_task(root, &CloneArgs::fork(), &Root, || "shell", 1, &mut out).unwrap();
    let thread = set
        .clone_task(shell, &CloneArgs::thread(), &Root, || panic!("no group"), 2, &mut out)
        .unwrap();
    let group = set.group(shell).unwrap();
    assert_eq!((set.group_payload(group), set.task_payload(thread)), (Some(&"shell"), Some(&2)));
    *set.task_payload_mut(thread).unwrap() = 5;
    set.exit(thread, ExitStatus::exited(0), &mut out).unwrap();
    assert_eq!(out.last(), Some(&Effect::TaskReleased { task: thread, payload: 5 }));
    set.exit(shell, ExitStatus::exited(0), &mut out).unwrap();
    set.wait(root, WaitTarget::Any, WaitOptions::EXITED, &mut out).unwrap();
    assert!(out.contains(&Effect::GroupReleased { group, payload: "shell" }));
    assert_eq!(set.group_payload(group), None);
}
