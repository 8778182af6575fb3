//! pidfd: what a file descriptor for a pid object can be asked. The descriptor itself is the embedder's and holds a
//! [`PidId`], which keeps nothing alive and never means another process. // PFD-11

use crate::errno::{Errno, Result};
use crate::id::{Pid, PidId, TaskId};
use crate::set::TaskSet;

/// What poll(2) on a pidfd finds. // PFD-02
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PidfdState {
    /// A thread of the process lives, or an init has not finished destroying its namespace. // PFD-03
    Running,
    /// It is a zombie: `POLLIN`.
    Exited,
    /// It was reaped: `POLLIN | POLLHUP`.
    Reaped,
}

/// What `PIDFD_GET_INFO` tells, in the caller's numbers. // PFD-08
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PidfdInfo {
    /// The thread's number.
    pub pid: Pid,
    /// The process's number.
    pub tgid: Pid,
    /// The parent's number, `None` if it is outside.
    pub ppid: Option<Pid>,
}

impl<G, T> TaskSet<G, T> {
    /// Returns the pid object of a process for a new pidfd (pidfd_open(2)), and has
    /// [`Effect::Pidfd`](crate::Effect::Pidfd) emitted for it from now on.
    ///
    /// # Errors
    /// `EINVAL` for no number, `ESRCH` for nobody's, `ENOENT` for that of a thread that is no leader. // PFD-01
    pub fn pidfd_open(&mut self, caller: TaskId, pid: i32) -> Result<PidId> {
        let me = self.caller(caller)?;
        let nr = Pid::from_raw(pid).ok_or(Errno::EINVAL)?;
        let pid = self.pid_at(self.active_ns(me), nr).ok_or(Errno::ESRCH)?;
        self.pids[pid].task.ok_or(Errno::ESRCH)?; // NUM-13: a number that only a group holds
        self.process_of(pid).ok_or(Errno::ENOENT)?;
        self.pids[pid].watched = true;
        Ok(self.pid_id(pid))
    }

    /// Returns what a pidfd is ready for.
    pub fn pidfd_poll(&self, pid: PidId) -> PidfdState {
        let process = self.pid_ix(pid).ok().and_then(|pid| self.process_of(pid));
        match process {
            None => PidfdState::Reaped,
            Some(group) if self.has_ended(group) => PidfdState::Exited,
            Some(_) => PidfdState::Running,
        }
    }

    /// Tells about the process of a pidfd (ioctl `PIDFD_GET_INFO`).
    ///
    /// # Errors
    /// `EREMOTE` if it has no number in the caller's namespace, `ESRCH` if it was reaped. // PFD-08
    pub fn pidfd_info(&self, caller: TaskId, pid: PidId) -> Result<PidfdInfo> {
        let ns = self.active_ns(self.caller(caller)?);
        let pid = self.pid_ix(pid)?;
        let task = self.pids[pid].task.ok_or(Errno::ESRCH)?;
        let group = self.group_of(task);
        let parent = self.groups[group].parent.map(|parent| self.group_of(parent));
        Ok(PidfdInfo {
            pid: self.nr_in(pid, ns).ok_or(Errno::EREMOTE)?,
            tgid: self.group_nr(group, ns).ok_or(Errno::EREMOTE)?,
            ppid: parent.and_then(|parent| self.group_nr(parent, ns)),
        })
    }

    /// Returns the task that a pidfd refers to, while it is not reaped.
    pub fn pidfd_task(&self, pid: PidId) -> Option<TaskId> {
        let pid = self.pid_ix(pid).ok()?;
        self.pids[pid].task.map(|task| self.task_id(task))
    }
}
