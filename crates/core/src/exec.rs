//! exec: one thread takes the whole process over (kernel: `de_thread`).
//!
//! The other threads are killed; a thread that is not the leader waits until the leader is a zombie, then takes its
//! number and its place. Number 1 stays number 1. // NUM-14 REP-14 CRE-02

use crate::effect::Effect;
use crate::errno::{Errno, Result};
use crate::id::{GroupIx, TaskId, TaskIx};
use crate::set::{Sink, TaskSet};
use crate::signal::Signal;
use crate::task::{GroupFlags, TaskFlags, TaskState};

/// How far an exec got.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ExecOutcome {
    /// The caller is the only thread and leads its group.
    Done,
    /// Other threads are dying: sleep until [`Effect::ExecReady`], then call again.
    AwaitThreads,
}

impl<G, T> TaskSet<G, T> {
    /// Passes the point of no return of execve(2).
    ///
    /// # Errors
    /// `EAGAIN` if the process is being killed or another thread is in exec, `ESRCH` if the caller ended.
    pub fn exec(&mut self, caller: TaskId, sink: Sink<'_, G, T>) -> Result<ExecOutcome> {
        let task = self.caller(caller)?;
        let group = self.group_of(task);
        if self.groups[group].has(GroupFlags::ENDING)
            || self.tasks[task].flags.contains(TaskFlags::KILLED)
        {
            return Err(Errno::EAGAIN);
        }
        if !self.tasks[task].flags.contains(TaskFlags::EXECING) {
            self.tasks[task].flags |= TaskFlags::EXECING;
            self.kill_other_threads(task, sink);
        }
        if !self.is_alone(group, task) {
            return Ok(ExecOutcome::AwaitThreads);
        }
        self.take_over(group, task, sink);
        self.tasks[task].flags -= TaskFlags::EXECING;
        self.groups[group].flags |= GroupFlags::DID_EXEC;
        self.set_exit_signal(group, Some(Signal::CHLD));
        self.tame_children(task);
        self.reset_handlers(group); // SIG-11
        self.release_memory(task, sink); // CRE-27
        Ok(ExecOutcome::Done)
    }

    /// Says whether nobody but `task`, and perhaps the zombie of the leader, is left.
    fn is_alone(&self, group: GroupIx, task: TaskIx) -> bool {
        let entry = &self.groups[group];
        if entry.leader == task {
            entry.count == 1
        } else {
            entry.count == 2 && self.tasks[entry.leader].state == TaskState::Zombie
        }
    }

    /// Exchanges numbers with the leader and releases it.
    fn take_over(&mut self, group: GroupIx, task: TaskIx, sink: Sink<'_, G, T>) {
        let leader = self.groups[group].leader;
        if leader == task {
            return;
        }
        let (own, leading) = (self.tasks[task].pid, self.tasks[leader].pid);
        self.attach_tid(leading, task);
        self.attach_tid(own, leader);
        self.groups[group].leader = task;
        self.release_task(leader, sink);
    }

    /// The children must not be able to send the new program what the old one asked for (kernel: `parent_exec_id`).
    fn tame_children(&mut self, task: TaskIx) {
        let mut at = self.tasks[task].children;
        while let Some(child) = at {
            self.groups[child].flags |= GroupFlags::PARENT_EXECED;
            at = self.sibling_after(task, child);
        }
    }

    /// A thread of the group went or became a zombie: an exec that waits may go on.
    pub(crate) fn exec_check(&mut self, group: GroupIx, sink: Sink<'_, G, T>) {
        let execing = |&thread: &TaskIx| self.tasks[thread].flags.contains(TaskFlags::EXECING);
        if self.groups[group].live != 1 || self.groups[group].has(GroupFlags::ENDING) {
            return;
        }
        let Some(task) = self.live_thread(group).filter(execing) else {
            return;
        };
        if self.is_alone(group, task) {
            sink.emit(Effect::ExecReady { task: self.task_id(task) });
        }
    }
}
