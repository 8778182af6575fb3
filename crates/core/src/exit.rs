//! exit: the end of a thread, and of its process with the last one.
//!
//! The order is the kernel's: memory goes (vfork's parent resumes), tracees are let go, orphans find a new parent or
//! the namespace is destroyed, and only then does anybody learn of it. Neighbours: `reparent.rs` and `zap.rs` are
//! steps of it, `wait.rs` reaps what it leaves.

use crate::effect::{Effect, PidfdEvent};
use crate::errno::{Errno, Result};
use crate::id::{GroupIx, TaskId, TaskIx};
use crate::set::{Delivery, Sink, TaskSet};
use crate::signal::{ExitStatus, SigSet, Signal};
use crate::task::{GroupFlags, TaskFlags, TaskState};

/// What became of a task that called exit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ExitOutcome {
    /// It is a zombie: its parent or tracer has to wait for it, or it leads a group whose other threads live.
    Zombie,
    /// It is released: a thread that nobody waits for, or a process whose parent does not want to know. // WAI-10
    Reaped,
    /// It is the last thread of an init, and members are left. It sleeps, uninterruptibly, until
    /// [`Effect::ZapReady`]; then comes [`exit_resume`](TaskSet::exit_resume).
    AwaitZap,
    /// It was the last thread of the root init: nothing was done but [`Effect::Panic`]. // ZAP-41
    Panicked,
}

impl<G, T> TaskSet<G, T> {
    /// Ends one thread (`_exit(2)` as a raw system call, or death by signal once [`Effect::Kill`] came). If it is the
    /// process's last, `status` is the process's, unless that was decided before. // REP-13
    ///
    /// # Errors
    /// `ESRCH` if the task ended already; `EBUSY` if it holds a [`Reservation`](crate::Reservation).
    pub fn exit(
        &mut self,
        task: TaskId,
        status: ExitStatus,
        sink: Sink<'_, G, T>,
    ) -> Result<ExitOutcome> {
        let task = self.caller(task)?;
        if self.tasks[task].reservations > 0 {
            return Err(Errno::EBUSY);
        }
        let group = self.group_of(task);
        if self.groups[group].live == 1 {
            if self.is_global_init(group) {
                let status = self.decided_status(group).unwrap_or(status);
                sink.emit(Effect::Panic { status });
                return Ok(ExitOutcome::Panicked);
            }
            self.decide_status(group, status);
        }
        self.groups[group].live -= 1;
        let flags = self.tasks[task].flags;
        let killed = flags.contains(TaskFlags::KILLED) && !flags.contains(TaskFlags::REBOOTING);
        self.tasks[task].status = self.decided_status(group).filter(|_| killed).unwrap_or(status);
        self.tasks[task].advance(TaskState::Exiting);
        self.retarget_signals(task, sink);
        self.release_memory(task, sink);
        self.switch_ns_children(task, None, sink); // ZAP-01: other resources go before the members
        self.release_tracees(task, sink);
        if self.hand_over_reaping(task) {
            return Ok(self.exit_notify(task, sink));
        }
        Ok(self.zap_begin(task, sink))
    }

    /// Ends the whole process (exit_group(2), or the default action of a signal that [`NextSignal::Die`] told): the
    /// other threads get [`Effect::Kill`], the caller ends now.
    ///
    /// # Errors
    /// As [`exit`](Self::exit).
    ///
    /// [`NextSignal::Die`]: crate::NextSignal::Die
    pub fn exit_group(
        &mut self,
        task: TaskId,
        status: ExitStatus,
        sink: Sink<'_, G, T>,
    ) -> Result<ExitOutcome> {
        let ix = self.caller(task)?;
        let group = self.group_of(ix);
        if !self.groups[group].has(GroupFlags::ENDING) {
            self.decide_status(group, status);
            self.kill_other_threads(ix, sink);
        }
        let status = self.groups[group].status;
        self.exit(task, status, sink)
    }

    /// Goes on with the exit of an init that [`AwaitZap`](ExitOutcome::AwaitZap) put to sleep.
    ///
    /// # Errors
    /// `ESRCH` if the task is not in that state.
    pub fn exit_resume(&mut self, task: TaskId, sink: Sink<'_, G, T>) -> Result<ExitOutcome> {
        let ix = self.task_ix(task)?;
        if self.tasks[ix].state != TaskState::Exiting {
            return Err(Errno::ESRCH);
        }
        self.tasks[ix].flags -= TaskFlags::ZAP_WOKEN;
        Ok(self.zap_run(ix, sink))
    }

    fn decided_status(&self, group: GroupIx) -> Option<ExitStatus> {
        let entry = &self.groups[group];
        entry.has(GroupFlags::ENDING).then_some(entry.status)
    }

    /// Fixes the status of the process; the first one to do so wins (kernel: `synchronize_group_exit`).
    pub(crate) fn decide_status(&mut self, group: GroupIx, status: ExitStatus) {
        let entry = &mut self.groups[group];
        if !entry.has(GroupFlags::ENDING) {
            entry.flags |= GroupFlags::ENDING;
            entry.status = status;
            self.unstop_for_death(group);
        }
    }

    /// Decides that the process ends by a fatal signal and kills every thread (kernel: the fatal branch of
    /// `complete_signal`). Stopped ones too. // ZAP-03
    pub(crate) fn condemn(&mut self, group: GroupIx, status: ExitStatus, sink: Sink<'_, G, T>) {
        self.decide_status(group, status);
        let mut at = self.groups[group].threads;
        while let Some(thread) = at {
            self.kill_thread(thread, sink);
            at = self.thread_after(group, thread);
        }
    }

    pub(crate) fn kill_other_threads(&mut self, keep: TaskIx, sink: Sink<'_, G, T>) {
        let group = self.group_of(keep);
        self.unstop_for_death(group);
        let mut at = self.groups[group].threads;
        while let Some(thread) = at {
            if thread != keep {
                self.kill_thread(thread, sink);
            }
            at = self.thread_after(group, thread);
        }
    }

    /// Makes one thread fatally signalled, unless it is dying already. // ZAP-02
    pub(crate) fn kill_thread(&mut self, thread: TaskIx, sink: Sink<'_, G, T>) {
        let entry = &mut self.tasks[thread];
        if !entry.is_live() || entry.flags.contains(TaskFlags::KILLED) {
            return;
        }
        entry.flags |= TaskFlags::KILLED;
        entry.pending = entry.pending.with(Signal::KILL);
        sink.emit(Effect::Kill { task: self.task_id(thread) });
    }

    /// The process's shared signals that only this thread would have taken go to another. (kernel:
    /// `retarget_shared_pending`)
    fn retarget_signals(&mut self, task: TaskIx, sink: Sink<'_, G, T>) {
        let group = self.group_of(task);
        if self.groups[group].pending != SigSet::EMPTY
            && self.config.delivery == Delivery::Simulated
        {
            self.notify_pending(group, sink);
        }
    }

    /// Memory is released: whoever waits in vfork goes on, before any member is killed. // CRE-27 ZAP-01
    pub(crate) fn release_memory(&mut self, task: TaskIx, sink: Sink<'_, G, T>) {
        if self.tasks[task].flags.contains(TaskFlags::VFORK) {
            self.tasks[task].flags -= TaskFlags::VFORK;
            sink.emit(Effect::VforkDone { child: self.task_id(task) });
        }
    }

    /// The rest of exit, once no namespace is in the way: orphans, job control, and telling (kernel: `exit_notify`).
    pub(crate) fn exit_notify(&mut self, task: TaskIx, sink: Sink<'_, G, T>) -> ExitOutcome {
        let group = self.group_of(task);
        self.reparent_children(task, sink);
        if self.groups[group].live == 0 {
            self.check_orphaned_by_exit(group, sink); // REP-11
        }
        self.tasks[task].advance(TaskState::Zombie);
        let leads = self.groups[group].leader == task;
        let traced = self.tasks[task].trace.is_some();
        let release = if leads {
            let alone = self.groups[group].count == 1;
            alone && self.notify_end(group, sink)
        } else if traced {
            self.notify_tracer(task, sink);
            false
        } else {
            true
        };
        if release {
            self.release_task(task, sink);
        } else {
            self.recount(group);
            self.exec_check(group, sink);
        }
        if release { ExitOutcome::Reaped } else { ExitOutcome::Zombie }
    }

    /// Tells parent and pidfds that a process ended; says whether nobody wants its zombie (kernel:
    /// `do_notify_parent`). // WAI-10 PFD-02
    pub(crate) fn notify_end(&mut self, group: GroupIx, sink: Sink<'_, G, T>) -> bool {
        let leader = self.groups[group].leader;
        self.notify_pidfd(self.tasks[leader].pid, PidfdEvent::Exited, sink);
        let tracer = self.tracer_of(leader);
        let Some(parent) = tracer.or(self.groups[group].parent) else {
            return false;
        };
        let to = self.group_of(parent);
        let reparented = self.is_traced_by_other(group);
        let tamed = self.groups[group].has(GroupFlags::PARENT_EXECED);
        let signal =
            if reparented || tamed { Some(Signal::CHLD) } else { self.groups[group].exit_signal };
        let receiver = &self.groups[to];
        let ignores = receiver.ignored.has(Signal::CHLD);
        let deaf = tracer.is_none()
            && signal == Some(Signal::CHLD)
            && (ignores || receiver.has(GroupFlags::NOCLDWAIT));
        if let Some(signal) = signal.filter(|_| !(deaf && ignores)) {
            // The signal tells of the leader's own end, wait of the process's: not the same after reboot(2).
            let status = self.tasks[leader].status;
            self.send_child_signal(parent, group, signal, status.as_child_info(), sink);
        }
        if !deaf {
            self.recount(group);
        }
        self.wake_waiters(parent, sink);
        deaf
    }

    fn notify_tracer(&mut self, task: TaskIx, sink: Sink<'_, G, T>) {
        if let Some(tracer) = self.tracer_of(task) {
            self.wake_waiters(tracer, sink);
        }
    }

    pub(crate) fn notify_pidfd(
        &mut self,
        pid: crate::id::PidIx,
        event: PidfdEvent,
        sink: Sink<'_, G, T>,
    ) {
        if self.pids[pid].watched {
            sink.emit(Effect::Pidfd { pid: self.pid_id(pid), event });
        }
    }

    /// Calls for another look by those whose wait blocked, and by a zap in its reaping step. // ZAP-04
    pub(crate) fn wake_waiters(&mut self, parent: TaskIx, sink: Sink<'_, G, T>) {
        let group = self.group_of(parent);
        if self.groups[group].has(GroupFlags::WAITING) {
            self.groups[group].flags -= GroupFlags::WAITING;
            sink.emit(Effect::WakeWaiters { group: self.group_id(group) });
        }
        self.zap_check_children(parent, sink);
    }

    /// Removes a zombie for good: its roles go, its payload goes back (kernel: `release_task`).
    pub(crate) fn release_task(&mut self, task: TaskIx, sink: Sink<'_, G, T>) {
        let group = self.group_of(task);
        self.unlink_trace(task);
        self.flush_queue_of(task);
        let id = self.task_id(task);
        let pid = self.tasks[task].pid;
        let last = self.groups[group].count == 1;
        if last {
            self.notify_pidfd(pid, PidfdEvent::Reaped(self.groups[group].status), sink);
        }
        self.detach_thread(group, task);
        let gone = self.tasks.remove(task);
        debug_assert!(gone.children.is_none() && gone.ns_children.is_none());
        if last {
            self.release_group(group, sink);
        }
        self.detach_tid(pid, sink);
        sink.emit(Effect::TaskReleased { task: id, payload: gone.payload });
        if !last {
            self.after_thread_release(group, sink);
        }
    }

    fn release_group(&mut self, group: GroupIx, sink: Sink<'_, G, T>) {
        self.flush_queue_of_group(group);
        let parent = self.groups[group].parent;
        self.disown(group);
        self.leave_pgrp(group, sink);
        self.leave_session(group, sink);
        let id = self.group_id(group);
        let gone = self.groups.remove(group);
        self.subreapers -= u32::from(gone.has(GroupFlags::SUBREAPER));
        if let Some(parent) = parent {
            self.zap_check_children(parent, sink);
        }
        sink.emit(Effect::GroupReleased { group: id, payload: gone.payload });
    }

    /// A thread went. If only the zombie leader is left, it is time to tell of the process's end.
    fn after_thread_release(&mut self, group: GroupIx, sink: Sink<'_, G, T>) {
        self.exec_check(group, sink);
        if !self.has_ended(group) {
            return;
        }
        if self.notify_end(group, sink) {
            let leader = self.groups[group].leader;
            self.release_task(leader, sink);
        } else {
            self.recount(group);
        }
    }
}
