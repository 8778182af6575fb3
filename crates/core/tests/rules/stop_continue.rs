//! Stopping and continuing: row WAI-08 and what signal(7) and wait(2) say about job control.

use crate::world::*;
use pidns_core::*;

fn stopped_by(signal: Signal) -> i32 {
    ExitStatus::stopped(signal).raw()
}

// WAI-08
#[test]
fn the_stop_of_an_init_is_reported_to_its_outer_parent_by_outer_number() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.action(shell, Signal::CHLD, HANDLER);
    let init = w.init(shell);
    w.kill_task(shell, init, Signal::STOP);
    let told = w.handled(shell).unwrap();
    assert_eq!((told.pid, told.code, told.value), (3, SigCode::STOPPED, 19));
    assert_eq!(w.wait_for(shell, 3, WaitOptions::STOPPED), Ok(Some((3, stopped_by(Signal::STOP)))));
    w.kill_task(shell, init, Signal::CONT);
    let told = w.handled(shell).unwrap();
    assert_eq!((told.pid, told.code), (3, SigCode::CONTINUED));
}

#[test]
fn a_stop_is_reported_once_and_only_to_those_who_ask() {
    let mut w = World::new();
    let child = w.fork(w.root);
    w.kill_task(w.root, child, Signal::STOP);
    assert_eq!(w.wait(w.root), Ok(None));
    let stops = WaitOptions::STOPPED;
    let wait_on = |w: &mut World, more| w.wait_on(w.root, WaitTarget::Any, stops | more);
    assert!(wait_on(&mut w, WaitOptions::NOWAIT).unwrap().is_some());
    assert!(wait_on(&mut w, WaitOptions::empty()).unwrap().is_some());
    assert_eq!(wait_on(&mut w, WaitOptions::empty()), Ok(None));
}

#[test]
fn a_continue_replaces_the_report_of_the_stop() {
    let mut w = World::new();
    let child = w.fork(w.root);
    w.kill_task(w.root, child, Signal::STOP);
    w.kill_task(w.root, child, Signal::CONT);
    let both = WaitOptions::STOPPED | WaitOptions::CONTINUED;
    assert_eq!(w.wait_for(w.root, -1, both), Ok(Some((2, 0xffff))));
    assert_eq!(w.wait_for(w.root, -1, both), Ok(None));
}

#[test]
fn signals_wait_while_a_process_is_stopped_and_sigkill_does_not() {
    let mut w = World::new();
    let (term, kill) = (w.fork(w.root), w.fork(w.root));
    for (child, signal) in [(term, Signal::TERM), (kill, Signal::KILL)] {
        w.kill_task(w.root, child, Signal::STOP);
        w.kill_task(w.root, child, signal);
    }
    assert!(w.lives(term) && w.is_zombie(kill));
    w.kill_task(w.root, term, Signal::CONT);
    assert!(w.is_zombie(term));
}

#[test]
fn stop_and_continue_signals_drop_each_other_while_pending() {
    let mut w = World::new();
    let child = w.fork(w.root);
    w.block(child, SigSet::of(&[Signal::TSTP, Signal::CONT]));
    w.action(child, Signal::CONT, HANDLER);
    w.kill_task(w.root, child, Signal::TSTP);
    w.kill_task(w.root, child, Signal::CONT);
    assert_eq!(w.set.sigpending(child), Ok(SigSet::of(&[Signal::CONT])));
    w.kill_task(w.root, child, Signal::TSTP);
    assert_eq!(w.set.sigpending(child), Ok(SigSet::of(&[Signal::TSTP])));
}

#[test]
fn terminal_stops_do_not_stop_an_orphaned_group() {
    let mut w = World::new();
    let child = w.fork(w.root);
    w.setsid(child).unwrap();
    w.kill_task(w.root, child, Signal::TSTP);
    assert_eq!(w.stopped(child), None);
    w.kill_task(w.root, child, Signal::STOP);
    assert_eq!(w.stopped(child), Some(Signal::STOP));
}

#[test]
fn a_parent_with_nocldstop_is_not_signalled_but_can_wait() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.action_with(shell, Signal::CHLD, HANDLER, ActionFlags::NOCLDSTOP);
    let child = w.fork(shell);
    w.kill_task(w.root, child, Signal::STOP);
    assert!(w.handled(shell).is_none());
    assert!(w.wait_for(shell, 3, WaitOptions::STOPPED).unwrap().is_some());
}

#[test]
fn a_parent_that_ignores_sigchld_does_not_get_it_for_a_stop_even_if_it_blocks_it() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.action(shell, Signal::CHLD, IGNORE);
    w.block(shell, SigSet::ALL);
    let child = w.fork(shell);
    w.kill_task(shell, child, Signal::STOP);
    assert_eq!(w.set.sigpending(shell), Ok(SigSet::EMPTY));
}

#[test]
fn all_threads_stop_and_continue_together() {
    let mut w = World::new();
    let child = w.fork(w.root);
    let thread = w.thread(child);
    w.kill_task(w.root, thread, Signal::STOP);
    assert_eq!(w.stopped(child), Some(Signal::STOP));
    let group = w.group(child);
    assert!(w.out.log.contains(&Effect::Stop { group, signal: Signal::STOP }));
    w.kill_task(w.root, thread, Signal::CONT);
    assert!(w.out.log.contains(&Effect::Continue { group }));
}
