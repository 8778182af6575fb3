//! deliver: dispositions, masks, and a task taking its pending signals (kernel: `get_signal`).
//!
//! Only with [`Delivery::Simulated`](crate::Delivery::Simulated); with a host kernel underneath, only the dispositions
//! matter here, for [`TaskSet::verdict`]. Neighbours: `send.rs` makes signals pending, `jobctl.rs` stops.

use crate::effect::Effect;
use crate::errno::{Errno, Result};
use crate::id::{GroupId, GroupIx, QueuedIx, TaskId, TaskIx};
use crate::send::{Scope, Source};
use crate::set::{Sink, TaskSet};
use crate::signal::{ActionFlags, Disposition, ExitStatus, SigCode, SigInfo, SigSet, Signal};
use crate::task::{GroupFlags, TaskFlags};

/// What a task has to do about its pending signals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NextSignal {
    /// Nothing.
    None,
    /// Run the handler with this information.
    Handler(SigInfo),
    /// The process has stopped: [`Effect::Stop`] was emitted.
    Stopped(Signal),
    /// The default action is to end: call [`exit_group`](TaskSet::exit_group) with this status, with
    /// [`with_core`](ExitStatus::with_core) if `core` and a core was dumped.
    Die {
        /// With which status.
        status: ExitStatus,
        /// Whether the signal dumps core where limits allow.
        core: bool,
    },
    /// The task is traced: its tracer decides, and [`inject`](TaskSet::inject) goes on. // SIG-12
    Tracer(SigInfo),
}

impl<G, T> TaskSet<G, T> {
    /// Changes what a process does with a signal (sigaction(2)). "Ignore" drops what is pending.
    ///
    /// # Errors
    /// `EINVAL` for SIGKILL and SIGSTOP, `ESRCH` if the group was released.
    pub fn sigaction(
        &mut self,
        group: GroupId,
        signal: Signal,
        disposition: Disposition,
        flags: ActionFlags,
    ) -> Result<()> {
        let group = self.group_ix(group)?;
        if signal.is_unstoppable() {
            return Err(Errno::EINVAL);
        }
        let entry = &mut self.groups[group];
        let set = |set: SigSet, on: bool| {
            if on { set.with(signal) } else { set.without(signal) }
        };
        entry.ignored = set(entry.ignored, disposition == Disposition::Ignore);
        entry.handled = set(entry.handled, disposition == Disposition::Handler);
        entry.reset_hand = set(entry.reset_hand, flags.contains(ActionFlags::RESETHAND));
        if signal == Signal::CHLD {
            entry.flags.set(GroupFlags::NOCLDSTOP, flags.contains(ActionFlags::NOCLDSTOP));
            entry.flags.set(GroupFlags::NOCLDWAIT, flags.contains(ActionFlags::NOCLDWAIT));
        }
        let dropped = disposition == Disposition::Ignore
            || disposition == Disposition::Default && SigSet::IGNORED.has(signal);
        if dropped {
            self.discard_pending(group, SigSet::of(&[signal]));
        }
        Ok(())
    }

    /// Replaces all dispositions at once: for an embedder that reads them from a host's `SigIgn` and `SigCgt`.
    ///
    /// # Errors
    /// `ESRCH` if the group was released.
    pub fn set_dispositions(
        &mut self,
        group: GroupId,
        ignored: SigSet,
        handled: SigSet,
    ) -> Result<()> {
        let group = self.group_ix(group)?;
        let entry = &mut self.groups[group];
        entry.ignored = ignored.minus(SigSet::UNSTOPPABLE);
        entry.handled = handled.minus(SigSet::UNSTOPPABLE).minus(ignored);
        Ok(())
    }

    /// Init's SIGCHLD becomes "ignore" for good: its members reap themselves. // ZAP-02
    pub(crate) fn ignore_children(&mut self, group: GroupIx) {
        let entry = &mut self.groups[group];
        entry.ignored = entry.ignored.with(Signal::CHLD);
        entry.handled = entry.handled.without(Signal::CHLD);
    }

    /// Resets handlers, and flags with them; what is ignored stays so (kernel: `flush_signal_handlers`). // SIG-11
    pub(crate) fn reset_handlers(&mut self, group: GroupIx) {
        let entry = &mut self.groups[group];
        entry.handled = SigSet::EMPTY;
        entry.reset_hand = SigSet::EMPTY;
        entry.flags -= GroupFlags::NOCLDSTOP | GroupFlags::NOCLDWAIT;
    }

    /// Sets a task's mask of blocked signals (sigprocmask(2)); SIGKILL and SIGSTOP cannot be blocked.
    ///
    /// # Errors
    /// `ESRCH` if the task ended.
    pub fn set_blocked(
        &mut self,
        task: TaskId,
        blocked: SigSet,
        sink: Sink<'_, G, T>,
    ) -> Result<()> {
        let task = self.caller(task)?;
        self.tasks[task].blocked = blocked.minus(SigSet::UNSTOPPABLE);
        if self.deliverable(task) != SigSet::EMPTY {
            sink.emit(Effect::SignalPending { task: self.task_id(task) });
        }
        Ok(())
    }

    /// Returns what is blocked and pending (sigpending(2)). // SIG-06
    ///
    /// # Errors
    /// `ESRCH` if the task was released.
    pub fn sigpending(&self, task: TaskId) -> Result<SigSet> {
        let task = self.task_ix(task)?;
        let shared = self.groups[self.group_of(task)].pending;
        Ok(self.tasks[task].pending.union(shared).and(self.tasks[task].blocked))
    }

    /// Takes one pending signal of `set` without acting on it (sigtimedwait(2), signalfd(2)). // SIG-06
    ///
    /// # Errors
    /// `EAGAIN` if none is pending, `ESRCH` if the task ended.
    pub fn sigwait(&mut self, task: TaskId, set: SigSet) -> Result<SigInfo> {
        let task = self.caller(task)?;
        self.dequeue(task, set.minus(SigSet::UNSTOPPABLE)).ok_or(Errno::EAGAIN)
    }

    /// Says what a task sleeps in sigtimedwait(2) for: before it falls asleep because [`sigwait`](Self::sigwait) found
    /// nothing, and with [`SigSet::EMPTY`] when it wakes, for whatever reason. Meanwhile these signals are for it even if
    /// it blocks them, and it gets [`Effect::SignalPending`] for them (kernel: `do_sigtimedwait`). // SIG-06
    ///
    /// # Errors
    /// `ESRCH` if the task ended.
    pub fn set_awaited(&mut self, task: TaskId, set: SigSet) -> Result<()> {
        let task = self.caller(task)?;
        self.tasks[task].awaited = set.minus(SigSet::UNSTOPPABLE);
        Ok(())
    }

    /// Takes the next pending signal of a task that is about to run user code, and acts on it.
    ///
    /// # Errors
    /// `ESRCH` if the task ended.
    pub fn next_signal(&mut self, task: TaskId, sink: Sink<'_, G, T>) -> Result<NextSignal> {
        let task = self.caller(task)?;
        let group = self.group_of(task);
        loop {
            if self.tasks[task].flags.contains(TaskFlags::KILLED) {
                return Ok(NextSignal::Die { status: self.groups[group].status, core: false });
            }
            if self.groups[group].stopped.is_some() {
                return Ok(NextSignal::None);
            }
            let open = SigSet::ALL.minus(self.tasks[task].blocked);
            let Some(info) = self.dequeue(task, open) else {
                return Ok(NextSignal::None);
            };
            if self.tasks[task].trace.is_some() {
                return Ok(NextSignal::Tracer(info));
            }
            if let Some(next) = self.act(task, info, sink) {
                return Ok(next);
            }
        }
    }

    /// Acts on a signal that a tracer let through. // SIG-12
    ///
    /// # Errors
    /// `ESRCH` if the task ended.
    pub fn inject(
        &mut self,
        task: TaskId,
        info: SigInfo,
        sink: Sink<'_, G, T>,
    ) -> Result<NextSignal> {
        let task = self.caller(task)?;
        Ok(self.act(task, info, sink).unwrap_or(NextSignal::None))
    }

    /// The action for one signal; `None` if there is none.
    fn act(&mut self, task: TaskIx, info: SigInfo, sink: Sink<'_, G, T>) -> Option<NextSignal> {
        let signal = info.signal;
        let group = self.group_of(task);
        match self.disposition(group, signal) {
            Disposition::Ignore => None,
            Disposition::Handler => {
                let entry = &mut self.groups[group];
                if entry.reset_hand.has(signal) {
                    entry.handled = entry.handled.without(signal); // SIG-10
                }
                Some(NextSignal::Handler(info))
            }
            Disposition::Default => self.act_by_default(group, signal, sink),
        }
    }

    fn act_by_default(
        &mut self,
        group: GroupIx,
        signal: Signal,
        sink: Sink<'_, G, T>,
    ) -> Option<NextSignal> {
        let protected = self.groups[group].has(GroupFlags::UNKILLABLE) && !signal.is_unstoppable();
        if SigSet::IGNORED.has(signal) || protected {
            return None; // SIG-06: unblocked and still default: it vanishes
        }
        if SigSet::STOPS.has(signal) {
            if signal != Signal::STOP && self.is_orphaned_pgrp(self.groups[group].pgrp, None) {
                return None;
            }
            self.stop(group, signal, sink);
            return Some(NextSignal::Stopped(signal));
        }
        Some(NextSignal::Die {
            status: ExitStatus::signaled(signal),
            core: SigSet::CORE.has(signal),
        })
    }

    /// Makes the signal of a synchronous fault of `task`: blocked or ignored does not help, and init's protection ends
    /// with it, unless a tracer may take it (kernel: `force_sig_info_to_task`). // SIG-08 SIG-13
    ///
    /// # Errors
    /// `ESRCH` if the task ended.
    pub fn fault(&mut self, task: TaskId, signal: Signal, sink: Sink<'_, G, T>) -> Result<()> {
        let task = self.caller(task)?;
        let group = self.group_of(task);
        let unhelpful =
            self.tasks[task].blocked.has(signal) || self.groups[group].ignored.has(signal);
        if unhelpful {
            let entry = &mut self.groups[group];
            entry.ignored = entry.ignored.without(signal);
            entry.handled = entry.handled.without(signal);
            self.tasks[task].blocked = self.tasks[task].blocked.without(signal);
        }
        let default = self.disposition(group, signal) == Disposition::Default;
        if default && self.tasks[task].trace.is_none() {
            self.groups[group].flags -= GroupFlags::UNKILLABLE;
        }
        self.send(task, Scope::Thread, SigInfo::kernel(signal), Source::Kernel, sink)
    }

    /// Sends a signal that the kernel makes for a process: a timer, a broken pipe, a terminal, an out-of-memory kill.
    /// Init discards those too, SIGKILL excepted. // SIG-07 TTY-03
    ///
    /// # Errors
    /// `ESRCH` if the group was released.
    pub fn kernel_signal(
        &mut self,
        group: GroupId,
        signal: Signal,
        sink: Sink<'_, G, T>,
    ) -> Result<()> {
        let group = self.group_ix(group)?;
        let target = self.groups[group].leader;
        self.send(target, Scope::Process, SigInfo::kernel(signal), Source::Kernel, sink)
    }

    fn deliverable(&self, task: TaskIx) -> SigSet {
        let shared = self.groups[self.group_of(task)].pending;
        self.tasks[task].pending.union(shared).minus(self.tasks[task].blocked)
    }

    /// Takes one signal of `set`: the task's own first, synchronous ones first, then the lowest number.
    fn dequeue(&mut self, task: TaskIx, set: SigSet) -> Option<SigInfo> {
        let group = self.group_of(task);
        let choose = |pending: SigSet| {
            let pending = pending.and(set);
            pending.and(SigSet::SYNCHRONOUS).first().or(pending.first())
        };
        let (scope, signal) = match choose(self.tasks[task].pending) {
            Some(signal) => (Scope::Thread, signal),
            None => (Scope::Process, choose(self.groups[group].pending)?),
        };
        let (info, more) = self.pop_queued(task, scope, signal);
        if !more {
            let pending = match scope {
                Scope::Thread => &mut self.tasks[task].pending,
                Scope::Process => &mut self.groups[group].pending,
            };
            *pending = pending.without(signal);
        }
        let lost = SigInfo { code: SigCode::USER, ..SigInfo::kernel(signal) };
        Some(info.unwrap_or(lost))
    }

    /// Drops pending signals of a process and all its threads.
    pub(crate) fn discard_pending(&mut self, group: GroupIx, signals: SigSet) {
        let leader = self.groups[group].leader;
        self.discard(leader, Scope::Process, signals);
        let mut at = self.groups[group].threads;
        while let Some(thread) = at {
            self.discard(thread, Scope::Thread, signals);
            at = self.thread_after(group, thread);
        }
    }

    fn discard(&mut self, task: TaskIx, scope: Scope, signals: SigSet) {
        let group = self.group_of(task);
        let pending = match scope {
            Scope::Thread => &mut self.tasks[task].pending,
            Scope::Process => &mut self.groups[group].pending,
        };
        let hit = pending.and(signals);
        *pending = pending.minus(signals);
        let mut rest = hit;
        while let Some(signal) = rest.first() {
            while self.pop_queued(task, scope, signal).0.is_some() {}
            rest = rest.without(signal);
        }
    }

    /// Frees the records of a thread that goes.
    pub(crate) fn flush_queue_of(&mut self, task: TaskIx) {
        if let Some(last) = self.tasks[task].queue.take() {
            self.free_queue(last);
        }
    }

    /// Frees the shared records of a process that goes.
    pub(crate) fn flush_queue_of_group(&mut self, group: GroupIx) {
        if let Some(last) = self.groups[group].queue.take() {
            self.free_queue(last);
        }
    }

    fn free_queue(&mut self, last: QueuedIx) {
        let mut at = self.queue_iter(Some(last)).next();
        while let Some(record) = at {
            at = if record == last { None } else { Some(self.after_queued(record)) };
            self.queued.remove(record);
        }
    }
}
