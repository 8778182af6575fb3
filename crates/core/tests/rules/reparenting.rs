//! Who adopts orphans: rows REP.

use crate::world::*;
use pidns_core::*;

fn parent_of(w: &World, task: TaskId) -> TaskId {
    w.set.parent(task).unwrap().unwrap()
}

// REP-01
#[test]
fn a_live_thread_of_the_same_process_adopts_first() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.subreaper(w.root);
    let thread = w.thread(shell);
    let child = w.fork(shell);
    w.exit(shell, 0);
    assert_eq!(parent_of(&w, child), thread);
    assert_eq!(w.getppid(child), 2);
}

// REP-01 REP-03
#[test]
fn the_nearest_subreaper_of_the_level_adopts_before_init() {
    let mut w = World::new();
    let init = w.init(w.root);
    let far = w.fork(init);
    let near = w.fork(far);
    let parent = w.fork(near);
    let child = w.fork(parent);
    w.subreaper(far);
    w.subreaper(near);
    w.exit(parent, 0);
    assert_eq!(parent_of(&w, child), near);
    w.exit(near, 0);
    assert_eq!(parent_of(&w, child), far);
    w.exit(far, 0);
    assert_eq!((parent_of(&w, child), w.getppid(child)), (init, 1));
}

// REP-02
#[test]
fn an_orphan_inside_goes_to_number_1_even_if_an_outer_ancestor_is_a_subreaper() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.subreaper(shell);
    let init = w.init(shell);
    let parent = w.fork(init);
    let child = w.fork(parent);
    w.exit(parent, 0);
    assert_eq!(parent_of(&w, child), init);
}

// REP-04 WAI-05
#[test]
fn an_injected_orphan_goes_to_the_outer_reaper_and_init_cannot_wait_for_it() {
    let mut w = World::new();
    let subreaper = w.fork(w.root);
    w.subreaper(subreaper);
    let shell = w.fork(subreaper);
    let init = w.init(w.root);
    let injected = w.inject(shell, init);
    w.exit(shell, 0);
    assert_eq!(parent_of(&w, injected), subreaper);
    assert_eq!(w.getppid(injected), 0);
    assert_eq!(w.wait(init), Err(Errno::ECHILD));
}

// REP-05
#[test]
fn the_children_of_an_injected_process_go_to_the_inner_init() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.subreaper(shell);
    let init = w.init(w.root);
    let injected = w.inject(shell, init);
    let child = w.fork(injected);
    w.exit(injected, 0);
    assert_eq!((parent_of(&w, child), w.getppid(child)), (init, 1));
}

// REP-06
#[test]
fn an_init_that_loses_its_outer_parent_lives_on_under_another() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let init = w.init(shell);
    let member = w.fork(init);
    w.exit(shell, 0);
    assert!(w.lives(init) && w.lives(member));
    assert_eq!((parent_of(&w, init), w.getppid(init)), (w.root, 0));
    w.exit(init, 9);
    assert_eq!(w.wait_for(w.root, 3, WaitOptions::empty()), Ok(Some((3, exited(9)))));
}

// REP-07
#[test]
fn the_subreaper_mark_is_kept_over_exec_not_inherited_and_works_late() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let parent = w.fork(shell);
    let child = w.fork(parent);
    w.subreaper(shell);
    w.call(|set, out| set.exec(shell, out)).unwrap();
    assert_eq!(w.set.child_subreaper(shell), Ok(ChildSubreaper::Yes));
    let later = w.fork(shell);
    assert_eq!(w.set.child_subreaper(later), Ok(ChildSubreaper::No));
    w.exit(parent, 0);
    assert_eq!(parent_of(&w, child), shell);
}

// REP-07
#[test]
fn a_subreaper_with_a_zombie_leader_and_a_live_thread_still_adopts() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.subreaper(shell);
    let thread = w.thread(shell);
    let parent = w.fork(thread);
    let child = w.fork(parent);
    w.exit(shell, 0);
    w.exit(parent, 0);
    assert_eq!(parent_of(&w, child), thread);
}

// REP-08
#[test]
fn reparenting_makes_a_clone_child_plainly_waitable() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    let args = CloneArgs { exit_signal: None, ..CloneArgs::fork() };
    let (living, dead) = (w.try_clone(shell, args).unwrap(), w.try_clone(shell, args).unwrap());
    w.exit(dead, 1);
    w.exit(shell, 0);
    assert_eq!(w.wait(w.root), Ok(Some((2, 0))));
    assert_eq!(w.wait(w.root), Ok(Some((4, exited(1)))));
    w.exit(living, 2);
    assert_eq!(w.wait(w.root), Ok(Some((3, exited(2)))));
}

// REP-08
#[test]
fn a_zombie_is_announced_again_to_its_new_parent_or_reaped_if_that_ignores_it() {
    for disposition in [HANDLER, IGNORE] {
        let mut w = World::new();
        let init = w.init(w.root);
        w.action(init, Signal::CHLD, disposition);
        let shell = w.fork(init);
        w.action(shell, Signal::CHLD, Disposition::Default);
        let child = w.fork(shell);
        w.exit(child, 6);
        assert!(w.is_zombie(child));
        w.exit(shell, 0);
        if disposition == IGNORE {
            assert!(w.is_gone(child));
        } else {
            let told = w
                .out
                .handled
                .iter()
                .any(|(to, info)| *to == init && info.pid == 3 && info.value == 6);
            assert!(told && w.is_zombie(child));
        }
    }
}

// REP-09
#[test]
fn the_death_signal_is_tied_to_the_thread_that_forked() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.action(shell, Signal::CHLD, HANDLER);
    let thread = w.thread(shell);
    let child = w.fork(thread);
    w.action(child, Signal::USR1, HANDLER);
    w.set.set_death_signal(child, Signal::USR1.raw()).unwrap();
    w.exit(thread, 0);
    assert_eq!(w.handled(child).map(|info| info.pid), Some(2), "the number of the process");
    assert!(w.handled(shell).is_none(), "nobody else is told");
    assert_eq!(parent_of(&w, child), shell);
}

// REP-10
#[test]
fn the_death_signal_is_not_inherited_and_is_kept_over_exec() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    assert_eq!(w.set.set_death_signal(shell, 65), Err(Errno::EINVAL));
    w.set.set_death_signal(shell, 15).unwrap();
    let child = w.fork(shell);
    assert_eq!(w.set.death_signal(child), Ok(None));
    w.call(|set, out| set.exec(shell, out)).unwrap();
    assert_eq!(w.set.death_signal(shell), Ok(Some(Signal::TERM)));
    w.set.set_death_signal(shell, 0).unwrap();
    assert_eq!(w.set.death_signal(shell), Ok(None));
}

/// A job: a leader in its own group of the shell's session, and a stopped process in it.
fn stopped_job(w: &mut World, shell: TaskId) -> (TaskId, TaskId) {
    let leader = w.fork(shell);
    w.setpgid(leader, 0, 0).unwrap();
    let member = w.fork(leader);
    w.action(member, Signal::HUP, HANDLER);
    w.action(member, Signal::CONT, HANDLER);
    w.kill_task(shell, member, Signal::STOP);
    (leader, member)
}

// REP-11
#[test]
fn a_stopped_job_that_loses_its_connection_gets_sighup_and_sigcont() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.setsid(shell).unwrap();
    let (leader, member) = stopped_job(&mut w, shell);
    w.exit(leader, 0);
    let signals: Vec<Signal> =
        w.out.handled.iter().filter(|(to, _)| *to == member).map(|(_, info)| info.signal).collect();
    assert_eq!(signals, [Signal::HUP, Signal::CONT]);
    assert_eq!(w.stopped(member), None);
}

// REP-11
#[test]
fn an_inner_init_of_the_session_counts_as_a_connection() {
    let mut w = World::new();
    let init = w.init(w.root);
    w.setsid(init).unwrap();
    let (leader, member) = stopped_job(&mut w, init);
    w.exit(leader, 0);
    assert_eq!(w.getppid(member), 1);
    assert_eq!(w.stopped(member), Some(Signal::STOP), "init connects it");
}

// REP-12
#[test]
fn an_init_whose_leader_exits_lives_on_in_another_thread() {
    let mut w = World::new();
    let init = w.init(w.root);
    w.action(init, Signal::TERM, HANDLER);
    let thread = w.thread(init);
    let parent = w.fork(init);
    let child = w.fork(parent);
    let pidfd = w.set.pidfd_open(w.root, 2).unwrap();
    assert_eq!(w.exit(init, 3), ExitOutcome::Zombie);
    assert_eq!(w.wait(w.root), Ok(None));
    assert_eq!(w.set.pidfd_poll(pidfd), PidfdState::Running);
    assert_eq!(w.set.child_reaper(w.ns(thread)), Some(thread));
    w.exit(parent, 0);
    assert_eq!(w.getppid(child), 1);
    assert_eq!(w.wait(thread), Ok(Some((3, 0))), "the live thread reaps");
    w.kill(child, 1, Signal::TERM).unwrap();
    assert_eq!(w.handled(thread).map(|info| info.pid), Some(4));
    w.kill(child, 1, Signal::KILL).unwrap();
    assert!(w.lives(thread), "still protected");
}

/// An init whose leader has exited with 3 and whose last thread is to end.
fn headless_init() -> (World, TaskId) {
    let mut w = World::new();
    let init = w.init(w.root);
    let last = w.thread(init);
    w.exit(init, 3);
    (w, last)
}

// REP-13
#[test]
fn the_status_of_init_is_that_of_whatever_ends_its_last_thread() {
    let (mut w, last) = headless_init();
    w.exit(last, 5);
    assert_eq!(w.wait(w.root), Ok(Some((2, exited(5)))));

    let (mut w, last) = headless_init();
    w.exit_group(last, 6);
    assert_eq!(w.wait(w.root), Ok(Some((2, exited(6)))));

    let (mut w, last) = headless_init();
    w.call(|set, out| set.fault(last, Signal::SEGV, out)).unwrap();
    assert_eq!(w.wait(w.root), Ok(Some((2, killed(Signal::SEGV)))));

    let (mut w, _) = headless_init();
    w.kill(w.root, 2, Signal::KILL).unwrap();
    assert_eq!(w.wait(w.root), Ok(Some((2, killed(Signal::KILL)))));
}

// REP-15
#[test]
fn nothing_is_destroyed_while_any_thread_of_init_lives() {
    let mut w = World::new();
    let init = w.init(w.root);
    let (a, b) = (w.thread(init), w.thread(init));
    let member = w.fork(a);
    w.exit(a, 0);
    w.exit(init, 0);
    assert!(w.lives(member) && w.lives(b));
    assert_eq!(w.set.ns_state(w.ns(b)), Some(NsState::Alive));
    assert_eq!(w.exit(b, 1), ExitOutcome::AwaitZap);
    assert!(w.is_gone(member));
    assert_eq!(w.wait(w.root), Ok(Some((2, exited(1)))));
}
