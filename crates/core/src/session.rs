//! session: ids as a caller sees them, process groups and sessions.
//!
//! Every answer is a number in the *caller's* namespace; `None` stands for "has no number here", which the ABI edge
//! reports as 0. // NUM-01..05

use crate::errno::{Errno, Result};
use crate::id::{GroupIx, Pid, PidIx, TaskId, TaskIx};
use crate::set::{Sink, TaskSet};
use crate::task::GroupFlags;

impl<G, T> TaskSet<G, T> {
    /// Returns the process's number in its own namespace (getpid(2)).
    ///
    /// # Errors
    /// `ESRCH` if the caller was released.
    pub fn getpid(&self, caller: TaskId) -> Result<Pid> {
        let me = self.task_ix(caller)?;
        self.group_nr(self.group_of(me), self.active_ns(me)).ok_or(Errno::ESRCH)
    }

    /// Returns the thread's number in its own namespace (gettid(2)).
    ///
    /// # Errors
    /// `ESRCH` if the caller was released.
    pub fn gettid(&self, caller: TaskId) -> Result<Pid> {
        let me = self.task_ix(caller)?;
        self.nr_in(self.tasks[me].pid, self.active_ns(me)).ok_or(Errno::ESRCH)
    }

    /// Returns the parent's number, `None` if it is outside (getppid(2)). // NUM-02
    ///
    /// # Errors
    /// `ESRCH` if the caller was released.
    pub fn getppid(&self, caller: TaskId) -> Result<Option<Pid>> {
        let me = self.task_ix(caller)?;
        let parent = self.groups[self.group_of(me)].parent;
        Ok(parent.and_then(|parent| self.group_nr(self.group_of(parent), self.active_ns(me))))
    }

    /// Returns the process group of the process of thread `pid`, 0 for the caller (getpgid(2)). // NUM-03 NUM-04
    ///
    /// # Errors
    /// `ESRCH` if `pid` is nobody's number here.
    pub fn getpgid(&self, caller: TaskId, pid: i32) -> Result<Option<Pid>> {
        let (me, group) = self.caller_and_target(caller, pid)?;
        Ok(self.nr_in(self.groups[group].pgrp, self.active_ns(me)))
    }

    /// Returns the session of the process of thread `pid`, 0 for the caller (getsid(2)). // NUM-03 NUM-04
    ///
    /// # Errors
    /// `ESRCH` if `pid` is nobody's number here.
    pub fn getsid(&self, caller: TaskId, pid: i32) -> Result<Option<Pid>> {
        let (me, group) = self.caller_and_target(caller, pid)?;
        Ok(self.nr_in(self.groups[group].session, self.active_ns(me)))
    }

    fn caller_and_target(&self, caller: TaskId, pid: i32) -> Result<(TaskIx, GroupIx)> {
        let me = self.task_ix(caller)?;
        let target = if pid == 0 { Some(me) } else { self.named_task(me, pid) };
        target.map(|target| (me, self.group_of(target))).ok_or(Errno::ESRCH)
    }

    /// Returns the thread of this raw number in the namespace of `me`.
    pub(crate) fn named_task(&self, me: TaskIx, pid: i32) -> Option<TaskIx> {
        self.task_at(self.active_ns(me), Pid::from_raw(pid)?)
    }

    /// Makes a session and a process group of the caller's process alone (setsid(2)); returns the number of both.
    ///
    /// # Errors
    /// `EPERM` if the caller leads a session, or its number names a process group.
    pub fn setsid(&mut self, caller: TaskId, sink: Sink<'_, G, T>) -> Result<Pid> {
        let me = self.caller(caller)?;
        let group = self.group_of(me);
        let pid = self.group_pid(group);
        if self.groups[group].has(GroupFlags::SESSION_LEADER) || self.pids[pid].pgrp.is_some() {
            return Err(Errno::EPERM);
        }
        self.groups[group].flags |= GroupFlags::SESSION_LEADER;
        self.leave_session(group, sink);
        self.join_session(group, pid);
        self.leave_pgrp(group, sink);
        self.join_pgrp(group, pid);
        self.getpid(caller)
    }

    /// Moves the process `pid` (0: the caller's) to the process group `pgid` (0: its own) (setpgid(2)). An outer parent
    /// may move an inner child, also an init that is dying. // NUM-05 ZAP-22
    ///
    /// # Errors
    /// Those of setpgid(2): `EINVAL`, `ESRCH`, `EPERM`, `EACCES`.
    pub fn setpgid(
        &mut self,
        caller: TaskId,
        pid: i32,
        pgid: i32,
        sink: Sink<'_, G, T>,
    ) -> Result<()> {
        let me = self.caller(caller)?;
        if pgid < 0 {
            return Err(Errno::EINVAL);
        }
        let target = self.setpgid_target(me, pid)?;
        let own = self.group_pid(target);
        let pgrp = if pgid == 0 { own } else { self.setpgid_group(me, own, pgid)? };
        if self.groups[target].pgrp != pgrp {
            self.leave_pgrp(target, sink);
            self.join_pgrp(target, pgrp);
        }
        Ok(())
    }

    fn setpgid_target(&self, me: TaskIx, pid: i32) -> Result<GroupIx> {
        let own = self.group_of(me);
        let task = match pid {
            0 => self.groups[own].leader,
            _ => self.named_task(me, pid).ok_or(Errno::ESRCH)?,
        };
        let target = self.group_of(task);
        let entry = &self.groups[target];
        if entry.leader != task {
            return Err(Errno::EINVAL);
        }
        let is_child = entry.parent.is_some_and(|parent| self.group_of(parent) == own);
        if is_child && entry.session != self.groups[own].session {
            return Err(Errno::EPERM);
        }
        if is_child && entry.has(GroupFlags::DID_EXEC) {
            return Err(Errno::EACCES);
        }
        if !is_child && target != own {
            return Err(Errno::ESRCH);
        }
        if entry.has(GroupFlags::SESSION_LEADER) { Err(Errno::EPERM) } else { Ok(target) }
    }

    /// The group must exist in the caller's session, unless it is the one that the process founds.
    fn setpgid_group(&self, me: TaskIx, own: PidIx, pgid: i32) -> Result<PidIx> {
        let session = self.groups[self.group_of(me)].session;
        let pgrp = Pid::from_raw(pgid)
            .and_then(|nr| self.pid_at(self.active_ns(me), nr))
            .ok_or(Errno::EPERM)?;
        if pgrp == own {
            return Ok(pgrp);
        }
        match self.pids[pgrp].pgrp {
            Some(member) if self.groups[member].session == session => Ok(pgrp),
            _ => Err(Errno::EPERM),
        }
    }
}
