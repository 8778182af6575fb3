//! Tasks that come to be: they get their numbers at their first stop.
//!
//! Who has made one is told by a *token*, in an argument that the call has not ([`clone`](super::clone)). Or that is the key of
//! a call site that makes children by itself ([`site`](super::site)): then it is the host who tells, and the child's number
//! goes to its maker in the stub.

use std::collections::VecDeque;

use pidns_core::{CloneArgs, Pid};
use pidns_sys::ptrace::regs::Registers;
use pidns_sys::ptrace::{self, Tid};
use pidns_sys::{Errno, abi};

use super::call::{errno, negated};
use super::guest::Guest;
use super::site::{BIRTH_FLAGS, Switches};
use super::task::{After, Birth, Newborn, Pending, Phase, Process, Stopped, Task};
use super::tracer::Tracer;
use super::{exit, host, memory, robust, signal};

/// The argument that holds the token: clone(2) has five.
pub(super) const TOKEN: usize = 5;

/// A task exists: it becomes one of core's.
pub(super) fn publish(
    tracer: &mut Tracer,
    parent: Tid,
    child: Tid,
    newborn: &mut Newborn,
    registers: Option<Registers>,
) {
    let Some(reservation) = newborn.reservation.take() else { return };
    let Some(own) = tracer.tasks.get(&parent).map(|task| task.process) else { return };
    // A zombie that had this number on the host is gone from there.
    exit::become_ghost(tracer, child);
    let id = tracer.set.publish(reservation, || child, child, &mut tracer.effects);
    let process = if newborn.is_thread { own } else { child };
    tracer.tasks.insert(child, Task::new(id, process));
    enlist(tracer, own, child, newborn);
    if let Some(set) = newborn.cpus.take() {
        tracer.affinity.inherit(child, set);
    }
    tracer.recent.note(child);
    let Newborn { child_tid, shares_memory, .. } = *newborn;
    tracer.births.insert(child, Birth { child_tid, shares_memory, registers });
    if newborn.parent_tid != 0 {
        let _ = memory::write_i32(parent, newborn.parent_tid, newborn.number);
    }
    if let Some(status) = tracer.stillborn.remove(&child) {
        if let Some(maker) = tracer.processes.get_mut(&own) {
            maker.strangers = maker.strangers.saturating_sub(1);
        }
        exit::ended(tracer, child, status);
    }
}

/// Notes the new thread, or process.
fn enlist(tracer: &mut Tracer, own: Tid, child: Tid, newborn: &Newborn) {
    let Some(creator) = tracer.processes.get(&own) else { return };
    if newborn.shares_memory
        && let Some(sites) = &tracer.shared.sites
    {
        let alone = newborn.suspends && creator.threads.len() == 1;
        sites.share_memory(own, child, alone);
        if !alone {
            for lender in lenders(tracer, own) {
                sites.share_memory(lender, own, false);
            }
        }
    }
    if !newborn.is_thread
        && let Some(sites) = &tracer.shared.sites
    {
        sites.inherit(own, child);
    }
    let Some(creator) = tracer.processes.get_mut(&own) else { return };
    if newborn.is_thread {
        creator.threads.insert(child);
        return;
    }
    let parent = if newborn.shares_parent { creator.parent } else { own };
    let (filters, in_proc) = (creator.filters, creator.in_proc.clone());
    let (ignores_children, is_filtered) = (creator.ignores_children, creator.is_filtered);
    let stops_at_end = creator.stops_at_end;
    let borrows_memory = newborn.shares_memory;
    let switches = creator.switches.clone();
    let Some(process) = describe(tracer, child, parent) else { return };
    let process = Process {
        filters,
        in_proc,
        ignores_children,
        is_filtered,
        borrows_memory,
        switches,
        stops_at_end,
        ..process
    };
    tracer.processes.insert(child, process);
    let number =
        tracer.id(child).and_then(|id| tracer.set.number(tracer.set.tid(id).ok()?, tracer.home));
    let key = child.number().unsigned_abs();
    tracer.on_roster(|roster| {
        roster.insert(key, number.map_or(0, |number| number.raw().unsigned_abs()));
    });
    signal::trust_host(tracer, child);
}

/// Whose memory a process runs in, besides its own.
fn lenders(tracer: &Tracer, process: Tid) -> impl Iterator<Item = Tid> {
    let lender = |process: &Tid| {
        tracer.processes.get(process).filter(|process| process.borrows_memory).map(|it| it.parent)
    };
    std::iter::successors(lender(&process), move |process| lender(process))
}

/// What there is to know of a new process.
pub(super) fn describe(tracer: &Tracer, tid: Tid, parent: Tid) -> Option<Process> {
    let id = tracer.id(tid)?;
    Some(Process {
        group: tracer.set.group(id).ok()?,
        number: tracer.set.getpid(id).ok(),
        parent,
        adopted: 0,
        strangers: 0,
        threads: [tid].into(),
        filters: Default::default(),
        in_proc: None,
        ignores_children: false,
        is_filtered: false,
        borrows_memory: false,
        suspends: None,
        switches: Switches::default(),
        stops_at_end: true,
        ended: VecDeque::new(),
        adopter: None,
    })
}

/// Says whether this is a new task's first stop, and gives it its numbers then.
pub(super) fn begins(tracer: &mut Tracer, stopped: &Stopped) -> bool {
    let tid = stopped.tid();
    if !tracer.tasks.contains_key(&tid) {
        told_by_child(tracer, tid);
    }
    let Some(birth) = tracer.births.remove(&tid) else { return false };
    let Some(id) = tracer.id(tid) else { return true };
    let stops = tracer.process_of(tid).is_some_and(|process| process.stops_at_end);
    robust::stop_at_end(tracer, tid, stops || birth.shares_memory);
    let own = Pid::raw_or_zero(tracer.set.getpid(id).ok());
    if let Some(process) = tracer.process_of_mut(tid) {
        process.switches.rename(tid, own);
        if process.is_init() {
            process.switches.end_peeks(tid);
        }
    }
    if birth.child_tid != 0 {
        let number = Pid::raw_or_zero(tracer.set.gettid(id).ok());
        let _ = memory::write_i32(tid, birth.child_tid, number);
    }
    if let Some(before) = birth.registers
        && let Ok(mut registers) = Registers::of(tid)
    {
        registers.restore_arguments(&before);
        let _ = registers.store(tid);
    }
    true
}

/// A task that nobody has told of yet tells who has made it.
fn told_by_child(tracer: &mut Tracer, child: Tid) {
    let Ok(registers) = Registers::of(child) else { return };
    if tracer.shared.sites.as_ref().is_some_and(|sites| sites.have_made(&registers)) {
        return told_by_host(tracer, child, &registers);
    }
    let token = registers.argument(TOKEN);
    let Some(maker) = Tid::new(token as u32 as i32) else { return };
    match tracer.take_phase(maker) {
        Phase::InCall(Pending { after: After::Clone(mut newborn), before, entering }) => {
            if newborn.token == token {
                publish(tracer, maker, child, &mut newborn, before);
            }
            let pending = Pending { after: After::Clone(newborn), before, entering };
            tracer.set_phase(maker, Phase::InCall(pending));
        }
        other => tracer.set_phase(maker, other),
    }
}

/// A call site has made it by itself, as one that its maker waits for.
fn told_by_host(tracer: &mut Tracer, child: Tid, registers: &Registers) {
    let Some(own) = host::parent(child) else { return };
    let maker = tracer.processes.get(&own).and_then(|process| process.threads.first().copied());
    let Some(maker) = maker else { return };
    let lenders: Vec<Tid> = lenders(tracer, own).collect();
    let result = match reserve(tracer, maker) {
        Ok(mut newborn) => {
            publish(tracer, maker, child, &mut newborn, None);
            lend(tracer, maker, child);
            newborn.number
        }
        Err(errno) => negated(errno) as i32,
    };
    let Some(sites) = &tracer.shared.sites else { return };
    for process in std::iter::once(own).chain(lenders) {
        if let Some(process) = tracer.processes.get_mut(&process) {
            process.switches.lend(child);
            sites.tell(&mut process.switches, child, registers, result);
        }
    }
}

/// A task has ended that nobody has told of. If nobody does, its maker has a zombie on the host that core has not.
pub(super) fn lost(tracer: &mut Tracer, tid: Tid) {
    let Some(parent) = host::parent(tid) else { return };
    if let Some(process) = tracer.processes.get_mut(&parent) {
        process.strangers += 1;
    }
}

fn reserve(tracer: &mut Tracer, maker: Tid) -> Result<Newborn, Errno> {
    let id = tracer.id(maker).ok_or(Errno::SRCH)?;
    let args = CloneArgs::from_legacy(u64::from(BIRTH_FLAGS)).map_err(errno)?;
    let guest = Guest::new(tracer, maker);
    let reservation = tracer.set.reserve(id, &args, &guest).map_err(errno)?;
    Ok(Newborn {
        token: 0,
        number: Pid::raw_or_zero(tracer.set.reserved_number(&reservation, id)),
        is_thread: false,
        shares_memory: true,
        suspends: true,
        shares_parent: false,
        parent_tid: 0,
        child_tid: 0,
        reservation: Some(reservation),
        cpus: None,
    })
}

/// The maker does not run until its child is out of its memory, and is not in a call that we know of.
fn lend(tracer: &mut Tracer, maker: Tid, child: Tid) {
    if let Some(task) = tracer.tasks.get_mut(&maker) {
        task.lends = true;
    }
    if let Some(process) = tracer.processes.get_mut(&child) {
        process.suspends = Some(maker);
    }
    tracer.affinity.found(child, maker);
}

/// A process is out of its maker's memory, or at its end.
pub(super) fn give_back(tracer: &mut Tracer, process: Tid) {
    let maker = tracer.processes.get_mut(&process).and_then(|process| process.suspends.take());
    if let Some(maker) = maker.and_then(|maker| tracer.tasks.get_mut(&maker)) {
        maker.lends = false;
    }
}

/// A new task that nobody can tell of, since who has made it was killed meanwhile. It has not run, has no number, and is not
/// let live.
pub(super) fn refuse(stopped: Stopped) {
    // It is stopped for us and not collected, so the number is its own.
    let _ = ptrace::signal_process(stopped.tid(), abi::SIGKILL);
    stopped.run();
}
