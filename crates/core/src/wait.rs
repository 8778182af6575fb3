//! wait: learning of the end, stop or continuation of children and tracees, and reaping them.
//!
//! A wait for any child with nothing to report looks at counts only, however many children there are. What is to be
//! reported comes in the order of the list of children, as on Linux. Neighbours: `family.rs` keeps the counts,
//! `wait_abi.rs` reads the arguments of wait4(2) and waitid(2), `exit.rs` releases.

use crate::errno::{Errno, Result};
use crate::id::{GroupId, GroupIx, Pid, PidId, PidIx, TaskId, TaskIx};
use crate::set::{Sink, TaskSet};
use crate::signal::{ExitStatus, SigCode, Signal};
use crate::task::{GroupFlags, TaskState};

/// Which children.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitTarget {
    /// Any (`-1`, `P_ALL`).
    Any,
    /// The one with this number in the caller's namespace (`P_PID`).
    Process(Pid),
    /// Those in the process group of this number in the caller's namespace (`P_PGID`).
    Group(Pid),
    /// Those in the caller's own process group, even if it has no number here. // WAI-03
    OwnGroup,
    /// The one that a pidfd refers to (`P_PIDFD`).
    Pidfd(PidId),
}

bitflags::bitflags! {
    /// Options of wait4(2) and waitid(2), with the kernel's bits.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct WaitOptions: u32 {
        /// Do not block.
        const NOHANG = 1;
        /// Report stops (`WUNTRACED` too).
        const STOPPED = 2;
        /// Report ends.
        const EXITED = 4;
        /// Report continuations.
        const CONTINUED = 8;
        /// Leave it to be reported again. // WAI-11
        const NOWAIT = 0x0100_0000;
        /// Only the calling thread's own children. // WAI-07
        const NOTHREAD = 0x2000_0000;
        /// Children of every kind. // WAI-06
        const ALL = 0x4000_0000;
        /// Only those whose exit signal is not SIGCHLD. // WAI-06
        const CLONE = 0x8000_0000;
        const _ = !0;
    }
}

/// What a wait ended in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitOutcome {
    /// Something to report.
    Ready(WaitReport),
    /// Nothing yet: sleep until [`Effect::WakeWaiters`](crate::Effect::WakeWaiters) or a signal, then call again.
    Block,
    /// Nothing yet, and `NOHANG` was given: the call returns 0.
    Nothing,
}

/// What happened to whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitReport {
    /// Its number in the caller's namespace.
    pub pid: Option<Pid>,
    /// The process it is about. Released now if it ended, unless `NOWAIT` or its parent has yet to know.
    pub group: GroupId,
    /// As wait4(2) stores it.
    pub status: ExitStatus,
    /// As waitid(2) stores them: `si_code` and `si_status`.
    pub info: (SigCode, i32),
}

/// What a child can have to report.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    Ended,
    Stopped(Signal),
    Continued,
}

/// What looking at one child or tracee told; three cases, see the kernel's `wait_consider_task`.
enum Considered {
    /// It is not for this wait.
    NotEligible,
    /// It may have something later.
    NotYet,
    /// It has something now.
    Report(Event),
}

/// A target with its number looked up.
#[derive(Clone, Copy)]
enum Selected {
    Any,
    Process(PidIx),
    Group(PidIx),
}

/// Whether a child is looked at by its parent or by its tracer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Parent,
    Tracer,
}

impl<G, T> TaskSet<G, T> {
    /// Waits for a change of state of children and tracees (wait4(2), waitid(2)).
    ///
    /// # Errors
    /// `ECHILD` if there is nobody to wait for: no child matches, or the number names nothing in the caller's
    /// namespace // WAI-02; `EINVAL` if no event is asked for // WAI-04; `ESRCH` if the caller does not exist.
    pub fn wait(
        &mut self,
        caller: TaskId,
        target: WaitTarget,
        options: WaitOptions,
        sink: Sink<'_, G, T>,
    ) -> Result<WaitOutcome> {
        let me = self.caller(caller)?;
        if !options.intersects(WaitOptions::EXITED | WaitOptions::STOPPED | WaitOptions::CONTINUED)
        {
            return Err(Errno::EINVAL);
        }
        let selected = self.select(me, target)?;
        let mut anybody = false;
        // The caller's own children first, then those of the threads after it, round to itself.
        let mut waiter = me;
        loop {
            if let Some((task, role, event)) = self.look(waiter, selected, options, &mut anybody) {
                return Ok(WaitOutcome::Ready(self.report(me, task, role, event, options, sink)));
            }
            waiter = self.thread_round(waiter);
            if waiter == me || options.contains(WaitOptions::NOTHREAD) {
                break;
            }
        }
        self.nothing_now(me, options, anybody)
    }

    fn nothing_now(
        &mut self,
        me: TaskIx,
        options: WaitOptions,
        anybody: bool,
    ) -> Result<WaitOutcome> {
        if !anybody {
            return Err(Errno::ECHILD);
        }
        if options.contains(WaitOptions::NOHANG) {
            return Ok(WaitOutcome::Nothing);
        }
        let group = self.group_of(me);
        self.groups[group].flags |= GroupFlags::WAITING;
        Ok(WaitOutcome::Block)
    }

    fn select(&self, me: TaskIx, target: WaitTarget) -> Result<Selected> {
        let ns = self.active_ns(me);
        match target {
            WaitTarget::Any => Ok(Selected::Any),
            WaitTarget::Process(nr) => {
                self.pid_at(ns, nr).map(Selected::Process).ok_or(Errno::ECHILD)
            }
            WaitTarget::Group(nr) => self.pid_at(ns, nr).map(Selected::Group).ok_or(Errno::ECHILD),
            WaitTarget::OwnGroup => Ok(Selected::Group(self.groups[self.group_of(me)].pgrp)),
            WaitTarget::Pidfd(pid) => {
                self.pid_ix(pid).map(Selected::Process).map_err(|_| Errno::ECHILD)
            }
        }
    }

    /// Looks for an event among the children and tracees of one thread.
    fn look(
        &self,
        waiter: TaskIx,
        selected: Selected,
        options: WaitOptions,
        anybody: &mut bool,
    ) -> Option<(TaskIx, Role, Event)> {
        let child = match selected {
            Selected::Any => self.look_at_children(waiter, selected, options, anybody),
            Selected::Process(pid) => self.look_at_process(waiter, pid, options, anybody),
            Selected::Group(_) => self.scan_children(waiter, selected, options, anybody),
        };
        if let Some((child, event)) = child {
            return Some((self.groups[child].leader, Role::Parent, event));
        }
        self.tracees(waiter).find_map(|tracee| {
            let event = self.consider_tracee(tracee, selected, options, anybody)?;
            Some((tracee, Role::Tracer, event))
        })
    }

    /// Any child: the counts tell whether looking is worth it.
    fn look_at_children(
        &self,
        waiter: TaskIx,
        selected: Selected,
        options: WaitOptions,
        anybody: &mut bool,
    ) -> Option<(GroupIx, Event)> {
        let counts = &self.tasks[waiter].counts;
        let eligible = if options.contains(WaitOptions::ALL) {
            counts.plain + counts.clone
        } else if options.contains(WaitOptions::CLONE) {
            counts.clone
        } else {
            counts.plain
        };
        if eligible == 0 {
            return None;
        }
        if options.contains(WaitOptions::EXITED) {
            *anybody = true;
            let changes = options.intersects(WaitOptions::STOPPED | WaitOptions::CONTINUED);
            if counts.ended == 0 && !(changes && counts.changed > 0) {
                return None;
            }
        }
        self.scan_children(waiter, selected, options, anybody)
    }

    fn scan_children(
        &self,
        waiter: TaskIx,
        selected: Selected,
        options: WaitOptions,
        anybody: &mut bool,
    ) -> Option<(GroupIx, Event)> {
        self.children(waiter).find_map(|child| {
            if let Selected::Group(pgrp) = selected
                && self.groups[child].pgrp != pgrp
            {
                return None;
            }
            self.consider_child(child, options, anybody).map(|event| (child, event))
        })
    }

    /// One process, without looking at its siblings.
    fn look_at_process(
        &self,
        waiter: TaskIx,
        pid: PidIx,
        options: WaitOptions,
        anybody: &mut bool,
    ) -> Option<(GroupIx, Event)> {
        let child = self.process_of(pid)?;
        if self.groups[child].parent != Some(waiter) {
            return None;
        }
        self.consider_child(child, options, anybody).map(|event| (child, event))
    }

    fn consider_child(
        &self,
        child: GroupIx,
        options: WaitOptions,
        anybody: &mut bool,
    ) -> Option<Event> {
        match self.consider(child, options) {
            Considered::NotEligible => None,
            Considered::NotYet => {
                *anybody = true;
                None
            }
            Considered::Report(event) => Some(event),
        }
    }

    /// What the natural parent gets to know of `child`.
    fn consider(&self, child: GroupIx, options: WaitOptions) -> Considered {
        let entry = &self.groups[child];
        let wrong_kind = entry.is_clone_child() != options.contains(WaitOptions::CLONE);
        if wrong_kind && !options.contains(WaitOptions::ALL) {
            return Considered::NotEligible; // WAI-06
        }
        if self.is_reapable(child) {
            let wanted = options.contains(WaitOptions::EXITED);
            return if wanted { Considered::Report(Event::Ended) } else { Considered::NotEligible };
        }
        if let Some(signal) = entry.stopped
            && entry.has(GroupFlags::STOP_REPORT)
            && options.contains(WaitOptions::STOPPED)
        {
            return Considered::Report(Event::Stopped(signal));
        }
        if entry.has(GroupFlags::CONT_REPORT) && options.contains(WaitOptions::CONTINUED) {
            return Considered::Report(Event::Continued);
        }
        Considered::NotYet // a leader with live threads // WAI-09, and another's tracee // ZAP-36
    }

    /// What a tracer gets to know: here only the end; stops are the embedder's.
    fn consider_tracee(
        &self,
        tracee: TaskIx,
        selected: Selected,
        options: WaitOptions,
        anybody: &mut bool,
    ) -> Option<Event> {
        let group = self.group_of(tracee);
        let leads = self.groups[group].leader == tracee;
        let matches = match selected {
            Selected::Any => true,
            Selected::Process(pid) => self.tasks[tracee].pid == pid,
            Selected::Group(pgrp) => self.groups[group].pgrp == pgrp,
        };
        if !matches {
            return None;
        }
        let ended = if leads {
            self.has_ended(group)
        } else {
            self.tasks[tracee].state == TaskState::Zombie
        };
        if ended && options.contains(WaitOptions::EXITED) {
            return Some(Event::Ended);
        }
        *anybody |= !ended;
        None
    }

    fn report(
        &mut self,
        me: TaskIx,
        task: TaskIx,
        role: Role,
        event: Event,
        options: WaitOptions,
        sink: Sink<'_, G, T>,
    ) -> WaitReport {
        let group = self.group_of(task);
        let (status, info) = match event {
            Event::Ended => {
                let status = self.end_status(task);
                (status, status.as_child_info())
            }
            Event::Stopped(signal) => {
                (ExitStatus::stopped(signal), (SigCode::STOPPED, signal.raw()))
            }
            Event::Continued => (ExitStatus::CONTINUED, (SigCode::CONTINUED, Signal::CONT.raw())),
        };
        let pid = self.nr_in(self.tasks[task].pid, self.active_ns(me));
        let report = WaitReport { pid, group: self.group_id(group), status, info };
        if !options.contains(WaitOptions::NOWAIT) {
            self.consume(task, role, event, sink);
        }
        report
    }

    fn end_status(&self, task: TaskIx) -> ExitStatus {
        let entry = &self.groups[self.group_of(task)];
        if entry.has(GroupFlags::ENDING) { entry.status } else { self.tasks[task].status }
    }

    /// Makes sure it is not reported again.
    fn consume(&mut self, task: TaskIx, role: Role, event: Event, sink: Sink<'_, G, T>) {
        let group = self.group_of(task);
        match event {
            Event::Ended => self.reap(task, role, sink),
            Event::Stopped(_) => {
                self.groups[group].flags -= GroupFlags::STOP_REPORT;
                self.recount(group);
            }
            Event::Continued => {
                self.groups[group].flags -= GroupFlags::CONT_REPORT;
                self.recount(group);
            }
        }
    }

    /// Releases a zombie; if an outside tracer had it first, its parent comes next. // ZAP-36
    fn reap(&mut self, task: TaskIx, role: Role, sink: Sink<'_, G, T>) {
        let group = self.group_of(task);
        let leads = self.groups[group].leader == task;
        if role == Role::Tracer && leads && self.is_traced_by_other(group) {
            self.unlink_trace(task);
            if !self.notify_end(group, sink) {
                self.recount(group);
                return;
            }
        }
        self.release_task(task, sink);
    }
}
