//! exec: a process has become another program.

use pidns_core::ExitStatus;
use pidns_sys::ptrace::regs::Registers;
use pidns_sys::ptrace::{self, Tid};

use super::site::Switches;
use super::task::{Stopped, Task, TidAddress};
use super::tracer::Tracer;
use super::{birth, clone, robust, signal, switches};

/// The host has executed a program. All other threads are gone; one that was not the leader has its number now.
pub(super) fn executed(tracer: &mut Tracer, stopped: Stopped) {
    let tid = stopped.tid();
    let former = ptrace::event_message(tid)
        .ok()
        .and_then(|message| i32::try_from(message).ok())
        .and_then(Tid::new)
        .unwrap_or(tid);
    if former != tid {
        take_over(tracer, tid, former);
    }
    if let Some(id) = tracer.id(tid) {
        end_others(tracer, tid);
        let _ = tracer.set.exec(id, &mut tracer.effects);
    }
    birth::give_back(tracer, tid);
    if let Some(process) = tracer.processes.get_mut(&tid) {
        process.threads = [tid].into();
        process.borrows_memory = false;
        process.switches = Switches::default();
    }
    if let Some(task) = tracer.tasks.get_mut(&tid) {
        task.tid_address = TidAddress::Owed(None);
    }
    if let Ok(registers) = Registers::of(tid) {
        // The loader; its libraries are not there yet.
        switches::begin(tracer, tid, registers.instruction_pointer(), registers.stack_pointer());
    }
    robust::stop_at_end(tracer, tid, false);
    signal::trust_host(tracer, tid);
    clone::forsake(tracer);
    stopped.run();
}

/// The thread `former` has the number `tid` of its leader, whose end nobody tells.
fn take_over(tracer: &mut Tracer, tid: Tid, former: Tid) {
    tracer.affinity.rename(former, tid);
    let Some(task) = tracer.tasks.remove(&former) else { return };
    if let Some(leader) = tracer.tasks.remove(&tid) {
        clone::give_up(tracer, leader.phase);
        let _ = tracer.set.exit(leader.id, ExitStatus::exited(0), &mut tracer.effects);
    }
    if let Some(payload) = tracer.set.task_payload_mut(task.id) {
        *payload = tid;
    }
    tracer.tasks.insert(tid, Task::new(task.id, tid));
}

/// Threads whose end has not been told yet are gone all the same.
fn end_others(tracer: &mut Tracer, tid: Tid) {
    let Some(process) = tracer.processes.get(&tid) else { return };
    let others: Vec<Tid> = process.threads.iter().copied().filter(|other| *other != tid).collect();
    for other in others {
        if let Some(task) = tracer.tasks.remove(&other) {
            clone::give_up(tracer, task.phase);
            let _ = tracer.set.exit(task.id, ExitStatus::exited(0), &mut tracer.effects);
        }
    }
}
