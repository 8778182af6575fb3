//! The ends of tasks, and the zap: an init's last thread is held in its exit stop until all others are gone.
//!
//! Orphans of the host become children of the tracer, which collects them at once; core gives them to whom they belong.
//! The host's number is free for others from then on, so a zombie that only core has is kept under a number that no host
//! gives ([`Tracer::ghost`]).

use pidns_core::{ExitOutcome, ExitStatus, GroupId, Signal, TaskId};
use pidns_sys::ptrace::{self, Tid};

use super::task::{Phase, Process, Stopped};
use super::tracer::Tracer;
use super::{birth, clone, robust};

/// How a signal ends a process.
pub(super) fn killed(signal: i32, dumped: bool) -> ExitStatus {
    let status = Signal::from_raw(signal).map_or(ExitStatus::exited(0), ExitStatus::signaled);
    if dumped { status.with_core() } else { status }
}

/// The host has collected a task for us.
pub(super) fn ended(tracer: &mut Tracer, tid: Tid, status: ExitStatus) {
    tracer.births.remove(&tid);
    let Some(task) = tracer.tasks.remove(&tid) else {
        if !tracer.zombies.contains_key(&tid) {
            // Killed before its parent has told of it.
            tracer.stillborn.insert(tid, status);
            birth::lost(tracer, tid);
        }
        // A zombie whose parent on the host went before it was collected is collected here.
        return become_ghost(tracer, tid);
    };
    let leads = task.process == tid;
    if leads {
        birth::give_back(tracer, tid);
    }
    tracer.affinity.forget(tid);
    tracer.shared.take_pass(tid);
    if let Some(sites) = &tracer.shared.sites {
        sites.part(tid);
    }
    clone::give_up(tracer, task.phase);
    clone::forsake(tracer);
    if let Some(process) = tracer.processes.get_mut(&task.process) {
        process.threads.remove(&tid);
    }
    if leads {
        tracer.zombies.insert(tid, task.id);
        tracer.on_roster(|roster| {
            roster.remove(&tid.number().unsigned_abs());
        });
        remember(tracer, tid);
    }
    leave(tracer, task.id, status);
    if leads && tracer.processes.get(&tid).is_some_and(|process| process.parent == tracer.own) {
        become_ghost(tracer, tid);
    }
    if tracer.init == Some(tid) {
        tracer.ended = Some(status);
    }
}

/// The host's kernel has told the parent, which may collect the child before it looks at the signal.
fn remember(tracer: &mut Tracer, tid: Tid) {
    let Some(parent) = tracer.processes.get(&tid).map(|process| process.parent) else { return };
    let Some(viewer) = tracer.id(parent) else { return };
    let number = tracer.number_of(viewer, tid.number());
    if let Some(parent) = tracer.processes.get_mut(&parent) {
        parent.remember(tid, number);
    }
}

/// Ends a task in core, if that has not been done, and finds out who has its children now.
fn leave(tracer: &mut Tracer, id: TaskId, status: ExitStatus) -> Option<ExitOutcome> {
    let children: Vec<GroupId> = tracer.set.child_groups(id).collect();
    let outcome = tracer.set.exit(id, status, &mut tracer.effects).ok()?;
    for child in children {
        adopt(tracer, child);
    }
    Some(outcome)
}

/// Finds out who has a child whose parent has ended.
fn adopt(tracer: &mut Tracer, child: GroupId) {
    let Some(host) = tracer.set.group_payload(child).copied() else { return };
    let parent = tracer
        .set
        .leader(child)
        .and_then(|leader| tracer.set.parent(leader))
        .ok()
        .flatten()
        .and_then(|parent| tracer.set.group(parent).ok())
        .and_then(|parent| tracer.set.group_payload(parent).copied());
    let Some(process) = tracer.processes.get_mut(&host) else { return };
    // It may have gone to another thread of the same process.
    if parent == Some(process.parent) || parent == process.adopter {
        return;
    }
    process.parent = tracer.own;
    process.adopter = parent;
    if let Some(adopter) = parent.and_then(|parent| tracer.processes.get_mut(&parent)) {
        adopter.adopted += 1;
    }
}

/// A process has been released by core: nobody has it as a child any more.
pub(super) fn released(tracer: &mut Tracer, host: Tid) {
    tracer.zombies.remove(&host);
    let Some(process) = tracer.processes.remove(&host) else { return };
    if let Some(adopter) = process.adopter.and_then(|adopter| tracer.processes.get_mut(&adopter)) {
        adopter.adopted = adopter.adopted.saturating_sub(1);
    }
}

/// The host's number of a zombie is free for others: keeps it under another.
pub(super) fn become_ghost(tracer: &mut Tracer, tid: Tid) {
    let Some(id) = tracer.zombies.remove(&tid) else { return };
    let Ok(group) = tracer.set.group(id) else {
        // Core has released it, and says so soon.
        return;
    };
    let ghost = tracer.ghost();
    if let Some(payload) = tracer.set.task_payload_mut(id) {
        *payload = ghost;
    }
    if let Some(payload) = tracer.set.group_payload_mut(group) {
        *payload = ghost;
    }
    if let Some(process) = tracer.processes.remove(&tid) {
        tracer.processes.insert(ghost, process);
    }
    tracer.zombies.insert(ghost, id);
}

/// A task is in its exit stop.
pub(super) fn leaving(tracer: &mut Tracer, stopped: Stopped) {
    let tid = stopped.tid();
    if !tracer.all_die() {
        // Else nobody is left to find a lock.
        robust::repair(tracer, tid);
    }
    if !tracer.process_of(tid).is_some_and(Process::is_init) {
        // Core is told when the host has collected it: then it is a zombie for its parent.
        if let Some(task) = tracer.tasks.get_mut(&tid) {
            task.left = true;
        }
        return stopped.run();
    }
    let status = ptrace::event_message(tid)
        .map_or(ExitStatus::exited(0), |message| ExitStatus::from_raw(message as i32));
    let Some(id) = tracer.id(tid) else { return stopped.run() };
    let phase = tracer.take_phase(tid);
    clone::give_up(tracer, phase);
    match leave(tracer, id, status) {
        Some(ExitOutcome::AwaitZap) => tracer.set_phase(tid, Phase::Held(stopped)),
        _ => stopped.run(),
    }
}

/// What the last thread of an init waits for may have come.
pub(super) fn go_on(tracer: &mut Tracer, task: TaskId) {
    let Some(tid) = tracer.tid(task) else { return };
    match tracer.set.exit_resume(task, &mut tracer.effects) {
        Ok(ExitOutcome::AwaitZap) | Err(_) => {}
        Ok(_) => {
            if let Phase::Held(stopped) = tracer.take_phase(tid) {
                stopped.run();
            }
        }
    }
}
