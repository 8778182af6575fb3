//! Call sites that see to themselves, and when they do: what [`site`](super::site) has to be told of processes.
//!
//! A place whose calls we answer gets a stub when it has made some. A stub with a switch is turned on while its process is
//! alone in its memory: when a program has been loaded, and at stops after somebody was in the memory too.

use pidns_core::{ChildSubreaper, Pid};
use pidns_sys::ptrace::Tid;
use pidns_sys::ptrace::regs::Registers;

use super::call::{self, Entry};
use super::site::{Begun, Sites, Switches, Wanted};
use super::task::Process;
use super::tracer::Tracer;

/// A program begins at `start`, with its stack ending at `stack`. Its process has one thread, and memory of its own.
pub(super) fn begin(tracer: &mut Tracer, tid: Tid, start: u64, stack: u64) {
    equip(tracer, tid, |sites, begun, switches, wanted| {
        sites.begin(begun, switches, tid, (start, stack), wanted);
    });
}

/// It has loaded its libraries.
pub(super) fn have_loaded(tracer: &mut Tracer, tid: Tid) {
    equip(tracer, tid, |sites, begun, switches, wanted| {
        sites.have_loaded(begun, switches, tid, wanted);
    });
}

fn equip(
    tracer: &mut Tracer,
    tid: Tid,
    with: impl FnOnce(&Sites, &mut Begun, &mut Switches, Wanted),
) {
    let wanted = Wanted::alone(may_peek(tracer, tid));
    if let Some((sites, begun, process)) = parts(tracer, tid) {
        with(sites, begun, &mut process.switches, wanted);
    }
}

/// What of the tracer a task's switches have to do with.
fn parts(tracer: &mut Tracer, tid: Tid) -> Option<(&Sites, &mut Begun, &mut Process)> {
    let Tracer { shared, begun, tasks, processes, .. } = tracer;
    let process = processes.get_mut(&tasks.get(&tid)?.process)?;
    Some((shared.sites.as_ref()?, begun, process))
}

/// A process has no children, by core, that the host does not know as its own, and no filter that lets it wait in one way only.
fn may_peek(tracer: &Tracer, tid: Tid) -> bool {
    let adopts = |process: &Process| process.is_init() || process.adopted > 0;
    let collects = |id| tracer.set.child_subreaper(id) == Ok(ChildSubreaper::Yes);
    tracer.process_of(tid).is_some_and(|process| !adopts(process) && !process.is_filtered)
        && tracer.id(tid).is_some_and(|id| !collects(id))
}

/// A process is about to become one that may not peek.
pub(super) fn end_peeks(tracer: &mut Tracer, tid: Tid) {
    if let Some(process) = tracer.process_of_mut(tid) {
        process.switches.end_peeks(tid);
    }
}

/// A process with one thread makes a call that a stub can see to: its place is to have one if it makes many, and if it has one,
/// that has a switch.
pub(super) fn note(tracer: &mut Tracer, entry: &Entry) {
    let Some((sites, _, process)) = parts(tracer, entry.tid) else { return };
    let after = entry.registers.instruction_pointer();
    if is_alone(sites, process, entry.tid)
        && !sites.note_switch(&mut process.switches, entry.tid, after)
    {
        call::learn(tracer, entry);
    }
}

fn is_alone(sites: &Sites, process: &Process, tid: Tid) -> bool {
    !process.borrows_memory && process.threads.len() == 1 && sites.is_alone(tid)
}

/// A task has stopped where it may be in a stub.
pub(super) fn interrupted(tracer: &mut Tracer, tid: Tid) {
    let Some((sites, _, process)) = parts(tracer, tid) else { return };
    if process.switches.is_empty() {
        return;
    }
    if let Ok(registers) = Registers::of(tid)
        && let Some(new) = sites.after_interrupt(&process.switches, tid, &registers)
    {
        let _ = new.store(tid);
    }
    turn_on(tracer, tid);
}

/// A task has stopped, and is in no stub. Its process's switches are turned on, if they can be and are not.
pub(super) fn turn_on(tracer: &mut Tracer, tid: Tid) {
    let is_wanted = |process: &Process| process.switches.are_wanted();
    if !tracer.process_of(tid).is_some_and(is_wanted) {
        return;
    }
    let peeks = may_peek(tracer, tid);
    let number = tracer.id(tid).and_then(|id| tracer.set.getpid(id).ok());
    if let Some((sites, _, process)) = parts(tracer, tid)
        && is_alone(sites, process, tid)
    {
        process.switches.turn_on(tid, Pid::raw_or_zero(number), peeks);
    }
}
