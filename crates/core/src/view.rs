//! view: looking at the table without changing it: identities, numbers, kinship, payloads.

use crate::errno::{Errno, Result};
use crate::id::{GroupId, NsId, Pid, PidId, TaskId, Upid};
use crate::set::TaskSet;
use crate::signal::{ExitStatus, Signal};
use crate::task::{GroupFlags, TaskFlags, TaskState};

impl<G, T> TaskSet<G, T> {
    /// Returns the task that has this thread id in `ns`, a zombie too (kernel: `find_task_by_pid_ns`). // NUM-12
    pub fn find_task(&self, ns: NsId, nr: Pid) -> Option<TaskId> {
        self.task_at(self.ns_ix(ns).ok()?, nr).map(|task| self.task_id(task))
    }

    /// Returns the process that has this process id in `ns`.
    pub fn find_group(&self, ns: NsId, nr: Pid) -> Option<GroupId> {
        let pid = self.pid_at(self.ns_ix(ns).ok()?, nr)?;
        self.process_of(pid).map(|group| self.group_id(group))
    }

    /// Returns the pid object that has this number in `ns`, in whatever role. // NUM-13
    pub fn find_pid(&self, ns: NsId, nr: Pid) -> Option<PidId> {
        self.pid_at(self.ns_ix(ns).ok()?, nr).map(|pid| self.pid_id(pid))
    }

    /// Returns the first taken number of `ns` at or above `from`, and its pid object.
    pub fn next_pid(&self, ns: NsId, from: Pid) -> Option<(Pid, PidId)> {
        let (nr, pid) = self.pids_from(self.ns_ix(ns).ok()?, from.number()).next()?;
        Pid::from_number(nr).map(|nr| (nr, self.pid_id(pid)))
    }

    /// Returns the number of a pid object in `ns`, `None` if it is not visible there. // NUM-01
    pub fn number(&self, pid: PidId, ns: NsId) -> Option<Pid> {
        self.nr_in(self.pid_ix(pid).ok()?, self.ns_ix(ns).ok()?)
    }

    /// Visits all numbers of a pid object, from its own namespace outwards. // CRE-17
    pub fn numbers(&self, pid: PidId) -> impl Iterator<Item = Upid> {
        let ix = self.pid_ix(pid).ok();
        let spaces = ix.map(|ix| self.ancestors(self.pids[ix].ns));
        spaces.into_iter().flatten().filter_map(move |ns| {
            let nr = self.nr_in(ix?, ns)?;
            Some(Upid { ns: self.ns_id(ns), nr })
        })
    }

    /// Turns the number of a thread in one namespace into its number in another (ioctls `NS_GET_PID_FROM_PIDNS` and
    /// `NS_GET_PID_IN_PIDNS`). // IOC-03 IOC-04
    ///
    /// # Errors
    /// `ESRCH` if nobody has it, or it is not visible on the other side. // IOC-05
    pub fn translate(&self, from: NsId, nr: i32, to: NsId) -> Result<Pid> {
        let task = self.translated_task(from, nr)?;
        self.number(self.tid(task)?, to).ok_or(Errno::ESRCH)
    }

    /// As [`translate`](Self::translate), answering the number of the thread's process (`NS_GET_TGID_*`). // IOC-03
    ///
    /// # Errors
    /// As `translate`.
    pub fn translate_tgid(&self, from: NsId, nr: i32, to: NsId) -> Result<Pid> {
        let task = self.translated_task(from, nr)?;
        self.number(self.tgid(self.group(task)?)?, to).ok_or(Errno::ESRCH)
    }

    fn translated_task(&self, from: NsId, nr: i32) -> Result<TaskId> {
        Pid::from_raw(nr).and_then(|nr| self.find_task(from, nr)).ok_or(Errno::ESRCH)
    }

    /// Returns the pid object that is the thread id of a task.
    ///
    /// # Errors
    /// `ESRCH` if the task was released; so do the following.
    pub fn tid(&self, task: TaskId) -> Result<PidId> {
        self.task_ix(task).map(|task| self.pid_id(self.tasks[task].pid))
    }

    /// Returns the pid object that is the process id of a group.
    ///
    /// # Errors
    /// `ESRCH` if the group was released.
    pub fn tgid(&self, group: GroupId) -> Result<PidId> {
        self.group_ix(group).map(|group| self.pid_id(self.group_pid(group)))
    }

    /// Returns the process group of a process.
    ///
    /// # Errors
    /// `ESRCH` if the group was released.
    pub fn pgrp(&self, group: GroupId) -> Result<PidId> {
        self.group_ix(group).map(|group| self.pid_id(self.groups[group].pgrp))
    }

    /// Returns the session of a process.
    ///
    /// # Errors
    /// `ESRCH` if the group was released.
    pub fn session(&self, group: GroupId) -> Result<PidId> {
        self.group_ix(group).map(|group| self.pid_id(self.groups[group].session))
    }

    /// Returns the thread group of a task.
    ///
    /// # Errors
    /// `ESRCH` if the task was released.
    pub fn group(&self, task: TaskId) -> Result<GroupId> {
        self.task_ix(task).map(|task| self.group_id(self.group_of(task)))
    }

    /// Returns the leader of a thread group.
    ///
    /// # Errors
    /// `ESRCH` if the group was released.
    pub fn leader(&self, group: GroupId) -> Result<TaskId> {
        self.group_ix(group).map(|group| self.task_id(self.groups[group].leader))
    }

    /// Returns the task that is the parent of a task's process: the thread that forked it, or who adopted it.
    ///
    /// # Errors
    /// `ESRCH` if the task was released.
    pub fn parent(&self, task: TaskId) -> Result<Option<TaskId>> {
        let group = self.group_of(self.task_ix(task)?);
        Ok(self.groups[group].parent.map(|parent| self.task_id(parent)))
    }

    /// Visits the threads of a group, zombies too.
    pub fn group_threads(&self, group: GroupId) -> impl Iterator<Item = TaskId> {
        let group = self.group_ix(group).ok();
        group.into_iter().flat_map(|group| self.threads(group)).map(|task| self.task_id(task))
    }

    /// Visits the processes that a task is the parent of.
    pub fn child_groups(&self, task: TaskId) -> impl Iterator<Item = GroupId> {
        let task = self.task_ix(task).ok();
        task.into_iter().flat_map(|task| self.children(task)).map(|group| self.group_id(group))
    }

    /// Visits the members of a process group.
    pub fn pgrp_groups(&self, pgrp: PidId) -> impl Iterator<Item = GroupId> {
        let pgrp = self.pid_ix(pgrp).ok();
        pgrp.into_iter().flat_map(|pgrp| self.pgrp_members(pgrp)).map(|group| self.group_id(group))
    }

    /// Visits every task in no particular order that lasts.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> {
        self.tasks.iter().map(|(ix, _)| self.task_id(ix))
    }

    /// Visits every namespace.
    pub fn namespaces(&self) -> impl Iterator<Item = NsId> {
        self.spaces.iter().map(|(ix, _)| self.ns_id(ix))
    }

    /// Returns what is left of a task.
    ///
    /// # Errors
    /// `ESRCH` if nothing is.
    pub fn state(&self, task: TaskId) -> Result<TaskState> {
        self.task_ix(task).map(|task| self.tasks[task].state)
    }

    /// Says whether a task is being killed and only has to notice.
    pub fn is_killed(&self, task: TaskId) -> bool {
        self.task_ix(task).is_ok_and(|task| self.tasks[task].flags.contains(TaskFlags::KILLED))
    }

    /// Returns by which signal a process is stopped.
    ///
    /// # Errors
    /// `ESRCH` if the group was released.
    pub fn stopped_by(&self, group: GroupId) -> Result<Option<Signal>> {
        self.group_ix(group).map(|group| self.groups[group].stopped)
    }

    /// Returns with which status a process ends, once that is decided.
    ///
    /// # Errors
    /// `ESRCH` if the group was released.
    pub fn exit_status(&self, group: GroupId) -> Result<Option<ExitStatus>> {
        let entry = &self.groups[self.group_ix(group)?];
        Ok(entry.has(GroupFlags::ENDING).then_some(entry.status))
    }

    /// Says whether a process has ended as a whole and is a zombie.
    ///
    /// # Errors
    /// `ESRCH` if the group was released.
    pub fn is_zombie(&self, group: GroupId) -> Result<bool> {
        self.group_ix(group).map(|group| self.has_ended(group))
    }

    /// Returns the payload of a task; `None` once it is released.
    pub fn task_payload(&self, task: TaskId) -> Option<&T> {
        self.task_ix(task).ok().map(|task| &self.tasks[task].payload)
    }

    /// Returns the payload of a task, to change it.
    pub fn task_payload_mut(&mut self, task: TaskId) -> Option<&mut T> {
        let task = self.task_ix(task).ok()?;
        Some(&mut self.tasks[task].payload)
    }

    /// Returns the payload of a thread group; `None` once it is released.
    pub fn group_payload(&self, group: GroupId) -> Option<&G> {
        self.group_ix(group).ok().map(|group| &self.groups[group].payload)
    }

    /// Returns the payload of a thread group, to change it.
    pub fn group_payload_mut(&mut self, group: GroupId) -> Option<&mut G> {
        let group = self.group_ix(group).ok()?;
        Some(&mut self.groups[group].payload)
    }
}
