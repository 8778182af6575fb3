//! send: what becomes of a signal between the call that makes it and the task that takes it.
//!
//! The one place of init's protection: [`TaskSet::verdict`] is a pure question that an embedder whose signals a host
//! kernel delivers can ask by itself. Order (kernel: `send_signal_locked`): who sent it, as the receiver sees that;
//! the side effects of stop and continue signals; discarded or not; queued; who takes it; fatal at once or not.
//! Neighbours: `kill.rs` finds targets, `deliver.rs` takes signals, `jobctl.rs` stops and continues.

use crate::bug::Bug;
use crate::effect::Effect;
use crate::errno::{Errno, Result};
use crate::id::{GroupIx, Pid, QueuedIx, TaskId, TaskIx};
use crate::set::{Delivery, Sink, TaskSet};
use crate::signal::{Disposition, ExitStatus, SigCode, SigInfo, SigSet, Signal};
use crate::task::{GroupFlags, TaskState};

/// A signal that waits, with its information; a ring of which the receiver names the last.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    pub(crate) info: SigInfo,
    next: QueuedIx,
}

/// Whom a signal is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// This thread.
    Thread,
    /// Any thread of its process.
    Process,
}

/// Who made a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// The kernel, of its own accord (kernel: `SEND_SIG_PRIV`).
    Kernel,
    /// This task, by a call or by what happened to it.
    Task(TaskIx),
}

/// Who made a signal, for [`TaskSet::verdict`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignalSource {
    /// The kernel.
    Kernel,
    /// A task.
    Task(TaskId),
}

/// What the rules say of a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing happens; the call succeeds. // SIG-01
    Discard,
    /// It goes to the receiver, who sees this `si_pid`. // SIG-24
    Deliver {
        /// `info` with the sender's number blanked if the sender is outside.
        info: SigInfo,
    },
}

impl<G, T> TaskSet<G, T> {
    /// Says what Linux does with this signal: discards it or delivers it, and with which `si_pid`. Asks only;
    /// nothing changes.
    ///
    /// # Errors
    /// `ESRCH` if a task was released.
    pub fn verdict(&self, target: TaskId, info: SigInfo, source: SignalSource) -> Result<Verdict> {
        let target = self.task_ix(target)?;
        let source = match source {
            SignalSource::Kernel => Source::Kernel,
            SignalSource::Task(task) => Source::Task(self.task_ix(task)?),
        };
        let (info, force) = self.as_seen(target, info, source);
        let dying = self.groups[self.group_of(target)].has(GroupFlags::ENDING);
        if dying || self.is_ignored(target, info.signal, force) {
            return Ok(Verdict::Discard);
        }
        Ok(Verdict::Deliver { info })
    }

    /// Turns the record into what the receiver sees, and says whether it comes from above: from an ancestor namespace
    /// or the kernel. // SIG-04 SIG-24 SIG-25
    fn as_seen(&self, target: TaskIx, mut info: SigInfo, source: Source) -> (SigInfo, bool) {
        let Source::Task(sender) = source else {
            return (info, true);
        };
        let from_above = self.is_above(sender, target);
        if from_above {
            info.pid = 0;
        }
        (info, from_above || info.code == SigCode::KERNEL)
    }

    /// Says whether `sender` has no number where `target` lives: it is in an ancestor namespace, or beside.
    pub(crate) fn is_above(&self, sender: TaskIx, target: TaskIx) -> bool {
        self.nr_in(self.tasks[sender].pid, self.active_ns(target)).is_none()
    }

    /// Says whether a signal is discarded at the moment it is made (kernel: `sig_ignored`).
    fn is_ignored(&self, target: TaskIx, signal: Signal, from_above: bool) -> bool {
        let task = &self.tasks[target];
        if task.blocked.has(signal) || task.trace.is_some() && signal != Signal::KILL {
            return false; // SIG-06 SIG-12
        }
        let group = task.group;
        let unstoppable = signal.is_unstoppable();
        if self.is_global_init(group) && unstoppable {
            return true; // SIG-18
        }
        let disposition = self.disposition(group, signal);
        let from_above = from_above || self.has_bug(Bug::InitDiesFromInside);
        let protected = self.groups[group].has(GroupFlags::UNKILLABLE);
        if protected && disposition == Disposition::Default && !(from_above && unstoppable) {
            return true; // SIG-01 SIG-04 SIG-07
        }
        disposition == Disposition::Ignore
            || disposition == Disposition::Default && SigSet::IGNORED.has(signal)
    }

    /// Returns what the process does with a signal.
    pub(crate) fn disposition(&self, group: GroupIx, signal: Signal) -> Disposition {
        let group = &self.groups[group];
        if group.ignored.has(signal) {
            Disposition::Ignore
        } else if group.handled.has(signal) {
            Disposition::Handler
        } else {
            Disposition::Default
        }
    }

    /// Sends a signal (kernel: `send_signal_locked`).
    ///
    /// # Errors
    /// `EAGAIN` if a queue is full or memory is short and the signal cannot go without its information.
    pub(crate) fn send(
        &mut self,
        target: TaskIx,
        scope: Scope,
        info: SigInfo,
        source: Source,
        sink: Sink<'_, G, T>,
    ) -> Result<()> {
        let group = self.group_of(target);
        if self.groups[group].has(GroupFlags::ENDING) {
            return Ok(()); // SIG-16: dying, or a zombie
        }
        let (info, from_above) = self.as_seen(target, info, source);
        self.prepare(group, info.signal, sink);
        // A thread that has exited takes nothing more, though its process may.
        let lost = scope == Scope::Thread && !self.tasks[target].is_live();
        if lost || self.is_ignored(target, info.signal, from_above) {
            return Ok(());
        }
        if info.signal == Signal::KILL {
            self.condemn(group, ExitStatus::signaled(Signal::KILL), sink);
            return Ok(());
        }
        if self.config.delivery == Delivery::Host {
            let group_wide = scope == Scope::Process;
            sink.emit(Effect::Deliver { task: self.task_id(target), group_wide, info });
            return Ok(());
        }
        if self.enqueue(target, scope, info)? {
            self.complete(target, scope, info.signal, sink);
        }
        Ok(())
    }

    /// Sends a signal whose maker cannot be told that there was no room.
    pub(crate) fn send_or_lose(
        &mut self,
        target: TaskIx,
        scope: Scope,
        info: SigInfo,
        source: Source,
        sink: Sink<'_, G, T>,
    ) {
        // A real-time one may be lost when its queue is full (kernel: the callers do not look either).
        let _lost = self.send(target, scope, info, source, sink);
    }

    /// Tells a parent of what its child did. The thread that forked it is asked first, and its mask decides whether a signal
    /// that would be ignored is kept (kernel: `do_notify_parent`). // SIG-26
    pub(crate) fn send_child_signal(
        &mut self,
        to: TaskIx,
        child: GroupIx,
        signal: Signal,
        (code, status): (SigCode, i32),
        sink: Sink<'_, G, T>,
    ) {
        let pid = Pid::raw_or_zero(self.group_nr(child, self.active_ns(to)));
        let info = SigInfo { signal, code, pid, uid: 0, value: status as u64 };
        let source = Source::Task(self.groups[child].leader);
        self.send_or_lose(to, Scope::Process, info, source, sink);
    }

    /// Side effects that happen even if the signal itself is then discarded (kernel: `prepare_signal`). // SIG-05
    fn prepare(&mut self, group: GroupIx, signal: Signal, sink: Sink<'_, G, T>) {
        if SigSet::STOPS.has(signal) {
            self.discard_pending(group, SigSet::of(&[Signal::CONT]));
        } else if signal == Signal::CONT {
            self.discard_pending(group, SigSet::STOPS);
            self.resume(group, sink);
        }
    }

    /// Puts a signal into a pending set; `false` if it is there already and does not queue.
    fn enqueue(&mut self, target: TaskIx, scope: Scope, info: SigInfo) -> Result<bool> {
        let group = self.group_of(target);
        let pending = match scope {
            Scope::Thread => self.tasks[target].pending,
            Scope::Process => self.groups[group].pending,
        };
        if !info.signal.is_realtime() && pending.has(info.signal) {
            return Ok(false);
        }
        let last = self.queue_end(target, scope);
        let room = self.queue_len(last) < self.config.max_queued as usize;
        match if room { self.push_queued(last, info) } else { Err(Errno::EAGAIN) } {
            Ok(record) => self.set_queue_end(target, scope, Some(record)),
            Err(_) if info.signal.is_realtime() && info.code != SigCode::USER => {
                return Err(Errno::EAGAIN);
            }
            Err(_) => {} // It is pending all the same, without its information.
        }
        match scope {
            Scope::Thread => self.tasks[target].pending = pending.with(info.signal),
            Scope::Process => self.groups[group].pending = pending.with(info.signal),
        }
        Ok(true)
    }

    /// Finds who takes it, and lets a fatal one be fatal at once (kernel: `complete_signal`).
    fn complete(&mut self, target: TaskIx, scope: Scope, signal: Signal, sink: Sink<'_, G, T>) {
        let group = self.group_of(target);
        let other = || self.threads(group).find(|&thread| self.wants(thread, signal));
        let taker = match scope {
            _ if self.wants(target, signal) => Some(target),
            Scope::Thread => None,
            Scope::Process => other(),
        };
        let Some(taker) = taker else { return };
        let mild = SigSet::IGNORED.union(SigSet::STOPS).has(signal);
        let fatal = !mild
            && self.disposition(group, signal) == Disposition::Default
            && self.tasks[target].trace.is_none()
            && !self.groups[group].has(GroupFlags::UNKILLABLE) // SIG-06: dropped when taken
            && !self.tasks[taker].blocked.has(signal) // It is awaited.
            && !SigSet::CORE.has(signal);
        if fatal {
            self.condemn(group, ExitStatus::signaled(signal), sink);
        } else {
            sink.emit(Effect::SignalPending { task: self.task_id(taker) });
        }
    }

    fn wants(&self, thread: TaskIx, signal: Signal) -> bool {
        let task = &self.tasks[thread];
        task.state == TaskState::Live
            && !task.closed().has(signal)
            && self.groups[task.group].stopped.is_none()
    }

    /// Has a thread look at signals that are pending for the whole process.
    pub(crate) fn notify_pending(&mut self, group: GroupIx, sink: Sink<'_, G, T>) {
        let pending = self.groups[group].pending;
        let mut at = self.groups[group].threads;
        while let Some(thread) = at {
            let task = &self.tasks[thread];
            if task.is_live() && pending.union(task.pending).minus(task.closed()) != SigSet::EMPTY {
                sink.emit(Effect::SignalPending { task: self.task_id(thread) });
            }
            at = self.thread_after(group, thread);
        }
    }

    /// Returns the last record of a queue.
    pub(crate) fn queue_end(&self, target: TaskIx, scope: Scope) -> Option<QueuedIx> {
        match scope {
            Scope::Thread => self.tasks[target].queue,
            Scope::Process => self.groups[self.group_of(target)].queue,
        }
    }

    fn set_queue_end(&mut self, target: TaskIx, scope: Scope, last: Option<QueuedIx>) {
        let group = self.group_of(target);
        match scope {
            Scope::Thread => self.tasks[target].queue = last,
            Scope::Process => self.groups[group].queue = last,
        }
    }

    /// Visits the records of a queue, oldest first.
    pub(crate) fn queue_iter(&self, last: Option<QueuedIx>) -> impl Iterator<Item = QueuedIx> {
        let first = last.map(|last| self.queued[last].next);
        core::iter::successors(first, move |&at| (Some(at) != last).then(|| self.queued[at].next))
    }

    /// Returns the record after one that is not the last.
    pub(crate) fn after_queued(&self, record: QueuedIx) -> QueuedIx {
        self.queued[record].next
    }

    fn queue_len(&self, last: Option<QueuedIx>) -> usize {
        self.queue_iter(last).count()
    }

    fn push_queued(&mut self, last: Option<QueuedIx>, info: SigInfo) -> Result<QueuedIx> {
        let record = self.queued.claim()?;
        let next = last.map_or(record, |last| self.queued[last].next);
        self.queued.fill(record, Queued { info, next });
        if let Some(last) = last {
            self.queued[last].next = record;
        }
        Ok(record)
    }

    /// Takes the oldest record of `signal` out of a queue; says whether another one of it is left.
    pub(crate) fn pop_queued(
        &mut self,
        target: TaskIx,
        scope: Scope,
        signal: Signal,
    ) -> (Option<SigInfo>, bool) {
        let last = self.queue_end(target, scope);
        let Some(end) = last else {
            return (None, false);
        };
        let mut before = end;
        let mut found = None;
        let mut at = self.queued[end].next;
        loop {
            if self.queued[at].info.signal == signal {
                if found.is_some() {
                    break;
                }
                found = Some((before, at));
            }
            if at == end {
                break;
            }
            before = at;
            at = self.queued[at].next;
        }
        let Some((before, record)) = found else {
            return (None, false);
        };
        let more = record != at && self.queued[at].info.signal == signal;
        let removed = self.queued.remove(record);
        if record == before {
            self.set_queue_end(target, scope, None);
        } else {
            self.queued[before].next = removed.next;
            if record == end {
                self.set_queue_end(target, scope, Some(before));
            }
        }
        (Some(removed.info), more)
    }
}
