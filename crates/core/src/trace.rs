//! trace: who traces whom, as far as it changes who is told of a death.
//!
//! Stops, registers and events of ptrace(2) are the embedder's. Here a tracer holds the zombie of its tracee first,
//! signals of a traced task go past the tracer, and a dying tracer lets go. Neighbours: `exit.rs`, `wait.rs`.

use crate::errno::{Errno, Result};
use crate::id::{GroupIx, TaskId, TaskIx, TraceIx};
use crate::ring::{self, Linked, Links};
use crate::set::{Sink, TaskSet};
use crate::signal::{ExitStatus, Signal};
use crate::task::{GroupFlags, TaskState};

/// A tracer and its tracee.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(crate) tracer: TaskIx,
    pub(crate) tracee: TaskIx,
    /// `PTRACE_O_EXITKILL`.
    kill: bool,
    links: Links<TraceIx>,
}

/// Ring of the pairs of one tracer, headed by `Task::tracees`.
pub(crate) enum Tracees {}

impl Linked<TraceIx, Tracees> for Trace {
    fn links(&self) -> &Links<TraceIx> {
        &self.links
    }
    fn links_mut(&mut self) -> &mut Links<TraceIx> {
        &mut self.links
    }
}

/// What happens to a tracee whose tracer dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnTracerExit {
    /// It runs on, untraced.
    Release,
    /// It is killed (`PTRACE_O_EXITKILL`).
    Kill,
}

impl<G, T> TaskSet<G, T> {
    /// Makes `tracer` trace one task (ptrace(2) `PTRACE_SEIZE`, `PTRACE_TRACEME`); who may is the embedder's question.
    ///
    /// # Errors
    /// `EPERM` if it is traced already, is a thread of the tracer's own process, or has ended; `ESRCH` if either does
    /// not exist, `ENOMEM`.
    pub fn attach(&mut self, tracer: TaskId, tracee: TaskId, then: OnTracerExit) -> Result<()> {
        let tracer = self.caller(tracer)?;
        let tracee = self.task_ix(tracee)?;
        let own = self.group_of(tracer) == self.group_of(tracee);
        if own
            || self.tasks[tracee].trace.is_some()
            || self.tasks[tracee].state == TaskState::Zombie
        {
            return Err(Errno::EPERM);
        }
        let pair =
            Trace { tracer, tracee, kill: then == OnTracerExit::Kill, links: Links::UNLINKED };
        let pair = self.traces.insert(pair)?;
        ring::push_back::<_, _, Tracees>(&mut self.traces, &mut self.tasks[tracer].tracees, pair);
        self.tasks[tracee].trace = Some(pair);
        let group = self.group_of(tracee);
        self.recount(group);
        Ok(())
    }

    /// Ends the tracing of one task (`PTRACE_DETACH`). If it is a zombie, its parent is told now. // ZAP-18
    ///
    /// # Errors
    /// `ESRCH` if `tracer` does not trace it.
    pub fn detach(&mut self, tracer: TaskId, tracee: TaskId, sink: Sink<'_, G, T>) -> Result<()> {
        let tracer = self.task_ix(tracer)?;
        let tracee = self.task_ix(tracee)?;
        if self.tracer_of(tracee) != Some(tracer) {
            return Err(Errno::ESRCH);
        }
        self.let_go(tracee, tracer, sink);
        Ok(())
    }

    /// Returns the tracer of a task. // PTR-04
    ///
    /// # Errors
    /// `ESRCH` if the task was released.
    pub fn tracer(&self, task: TaskId) -> Result<Option<TaskId>> {
        let task = self.task_ix(task)?;
        Ok(self.tracer_of(task).map(|tracer| self.task_id(tracer)))
    }

    pub(crate) fn tracer_of(&self, task: TaskIx) -> Option<TaskIx> {
        self.tasks[task].trace.map(|pair| self.traces[pair].tracer)
    }

    /// Says whether a process outside its parent's traces the leader (kernel: `ptrace_reparented`).
    pub(crate) fn is_traced_by_other(&self, group: GroupIx) -> bool {
        let entry = &self.groups[group];
        let Some(tracer) = self.tracer_of(entry.leader) else {
            return false;
        };
        entry.parent.map(|parent| self.group_of(parent)) != Some(self.group_of(tracer))
    }

    /// Visits the tasks that `tracer` traces.
    pub(crate) fn tracees(&self, tracer: TaskIx) -> impl Iterator<Item = TaskIx> {
        ring::iter::<_, _, Tracees>(&self.traces, self.tasks[tracer].tracees)
            .map(|pair| self.traces[pair].tracee)
    }

    /// Ends a pair without telling anybody.
    pub(crate) fn unlink_trace(&mut self, tracee: TaskIx) {
        if let Some(pair) = self.tasks[tracee].trace.take() {
            let tracer = self.traces[pair].tracer;
            ring::remove::<_, _, Tracees>(&mut self.traces, &mut self.tasks[tracer].tracees, pair);
            self.traces.remove(pair);
        }
    }

    /// An exiting tracer lets go of everything it traces (kernel: `exit_ptrace`). // ZAP-37
    pub(crate) fn release_tracees(&mut self, tracer: TaskIx, sink: Sink<'_, G, T>) {
        while let Some(pair) = self.tasks[tracer].tracees {
            let (tracee, kill) = (self.traces[pair].tracee, self.traces[pair].kill);
            let group = self.group_of(tracee);
            if kill && !self.groups[group].has(GroupFlags::ENDING) {
                self.condemn(group, ExitStatus::signaled(Signal::KILL), sink);
            }
            self.let_go(tracee, tracer, sink);
        }
    }

    /// Detaches; a zombie that waited for this goes to its parent or away (kernel: `__ptrace_detach`).
    fn let_go(&mut self, tracee: TaskIx, tracer: TaskIx, sink: Sink<'_, G, T>) {
        self.unlink_trace(tracee);
        let group = self.group_of(tracee);
        if self.tasks[tracee].state != TaskState::Zombie {
            return;
        }
        let leads = self.groups[group].leader == tracee;
        if !leads {
            self.release_task(tracee, sink);
            return;
        }
        if !self.has_ended(group) {
            return;
        }
        let parent = self.groups[group].parent.map(|parent| self.group_of(parent));
        let own_child = parent == Some(self.group_of(tracer));
        let nobody_wants_it = if own_child {
            self.groups[self.group_of(tracer)].ignored.has(Signal::CHLD)
        } else {
            self.notify_end(group, sink)
        };
        if nobody_wants_it {
            self.release_task(tracee, sink);
        } else {
            self.recount(group);
        }
    }
}
