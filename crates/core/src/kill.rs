//! kill: the calls that send signals, whom they reach, and what they answer.
//!
//! Numbers are looked up in the caller's namespace, so nothing outside can be named // SIG-29; a process group is an
//! object, so `kill(0)` reaches outside if the group does // SIG-21. What then becomes of the signal is `send.rs`.

use crate::errno::{Errno, Result};
use crate::id::{GroupIx, Index, Pid, PidId, PidIx, TaskId, TaskIx};
use crate::privilege::Authority;
use crate::ring;
use crate::send::{Scope, Source};
use crate::set::{Sink, TaskSet};
use crate::signal::{SigCode, SigInfo, Signal};
use crate::task::Members;

/// The `siginfo_t` that a caller of rt_sigqueueinfo(2) or pidfd_send_signal(2) fills in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserInfo {
    /// `si_code`.
    pub code: SigCode,
    /// `si_pid`, as the caller claims it. // SIG-25
    pub pid: i32,
    /// `si_uid`.
    pub uid: u32,
    /// `si_value`.
    pub value: u64,
}

impl<G, T> TaskSet<G, T> {
    /// Sends a signal to a process, a process group, or everybody (kill(2)); signal 0 only asks.
    ///
    /// # Errors
    /// `ESRCH` if nobody is there, `EINVAL` for no signal, `EPERM` if the caller may not.
    pub fn kill(
        &mut self,
        caller: TaskId,
        pid: i32,
        signal: i32,
        auth: &dyn Authority,
        sink: Sink<'_, G, T>,
    ) -> Result<()> {
        let me = self.caller(caller)?;
        let ns = self.active_ns(me);
        let own_pgrp = self.groups[self.group_of(me)].pgrp;
        match pid {
            i32::MIN => Err(Errno::ESRCH),
            0 => self.kill_pgrp(me, own_pgrp, signal, auth, sink), // SIG-21
            -1 => self.kill_all(me, signal, auth, sink),           // SIG-20
            1.. => {
                let target =
                    Pid::from_raw(pid).and_then(|nr| self.task_at(ns, nr)).ok_or(Errno::ESRCH)?;
                let mut info = self.own_info(me, SigCode::USER, auth);
                self.kill_one(me, target, Scope::Process, signal, &mut info, auth, sink)
            }
            _ => {
                let pgrp =
                    Pid::from_raw(-pid).and_then(|nr| self.pid_at(ns, nr)).ok_or(Errno::ESRCH)?; // SIG-22
                self.kill_pgrp(me, pgrp, signal, auth, sink)
            }
        }
    }

    /// Sends a signal to one thread of a process (tgkill(2)), or to any thread of that number if `tgid` is `None`
    /// (tkill(2)).
    ///
    /// # Errors
    /// `EINVAL` for numbers that are none; else as [`kill`](Self::kill).
    pub fn tgkill(
        &mut self,
        caller: TaskId,
        tgid: Option<i32>,
        tid: i32,
        signal: i32,
        auth: &dyn Authority,
        sink: Sink<'_, G, T>,
    ) -> Result<()> {
        let me = self.caller(caller)?;
        let mut info = self.own_info(me, SigCode::TKILL, auth);
        let target = self.thread_named(me, tgid, tid)?;
        self.kill_one(me, target, Scope::Thread, signal, &mut info, auth, sink)
    }

    fn thread_named(&self, me: TaskIx, tgid: Option<i32>, tid: i32) -> Result<TaskIx> {
        let ns = self.active_ns(me);
        let tid = Pid::from_raw(tid).ok_or(Errno::EINVAL)?;
        let tgid = match tgid {
            Some(raw) => Some(Pid::from_raw(raw).ok_or(Errno::EINVAL)?),
            None => None,
        };
        let target = self.task_at(ns, tid).ok_or(Errno::ESRCH)?;
        match tgid {
            Some(tgid) if self.group_nr(self.group_of(target), ns) != Some(tgid) => {
                Err(Errno::ESRCH)
            }
            _ => Ok(target),
        }
    }

    /// Sends a signal with a record that the caller made (rt_sigqueueinfo(2)). // SIG-25
    ///
    /// # Errors
    /// `EPERM` for a record that only the kernel makes, unless sent to oneself; `EAGAIN` if the queue is full; else as
    /// [`kill`](Self::kill).
    pub fn sigqueue(
        &mut self,
        caller: TaskId,
        pid: i32,
        signal: i32,
        mut info: UserInfo,
        auth: &dyn Authority,
        sink: Sink<'_, G, T>,
    ) -> Result<()> {
        let me = self.caller(caller)?;
        let ns = self.active_ns(me);
        let own = Pid::raw_or_zero(self.nr_in(self.tasks[me].pid, ns));
        if is_kernel_record(info.code) && own != pid {
            return Err(Errno::EPERM);
        }
        let target = Pid::from_raw(pid).and_then(|nr| self.task_at(ns, nr)).ok_or(Errno::ESRCH)?;
        self.kill_one(me, target, Scope::Process, signal, &mut info, auth, sink)
    }

    /// Sends a signal to the process of a pidfd (pidfd_send_signal(2)); `None` for a record as kill(2) makes it.
    ///
    /// # Errors
    /// `EINVAL` if the process has no number in the caller's namespace // PFD-05, `ESRCH` if it was reaped; else as
    /// [`sigqueue`](Self::sigqueue).
    pub fn pidfd_send_signal(
        &mut self,
        caller: TaskId,
        target: PidId,
        signal: i32,
        info: Option<UserInfo>,
        auth: &dyn Authority,
        sink: Sink<'_, G, T>,
    ) -> Result<()> {
        let me = self.caller(caller)?;
        let pid = self.pid_ix(target)?;
        if self.nr_in(pid, self.active_ns(me)).is_none() {
            return Err(Errno::EINVAL);
        }
        let target = self.pids[pid].task.ok_or(Errno::ESRCH)?;
        let mut made = info.unwrap_or_else(|| self.own_info(me, SigCode::USER, auth));
        if info.is_some() && is_kernel_record(made.code) && self.tasks[me].pid != pid {
            return Err(Errno::EPERM);
        }
        self.kill_one(me, target, Scope::Process, signal, &mut made, auth, sink)
    }

    /// The record that the kernel makes for a caller: its number in its *own* namespace. Whoever sees it elsewhere sees
    /// that number untranslated, or 0 if the caller is invisible there. // SIG-21 SIG-24
    fn own_info(&self, me: TaskIx, code: SigCode, auth: &dyn Authority) -> UserInfo {
        let pid = Pid::raw_or_zero(self.group_nr(self.group_of(me), self.active_ns(me)));
        UserInfo { code, pid, uid: auth.uid(), value: 0 }
    }

    /// Sends to one process or thread. The record is the caller's own and stays blanked for those after it, as Linux
    /// passes one record along: behind a receiver in a descendant namespace, everybody sees sender 0.
    #[expect(clippy::too_many_arguments, reason = "the parts of one call, each of another type")]
    fn kill_one(
        &mut self,
        me: TaskIx,
        target: TaskIx,
        scope: Scope,
        signal: i32,
        info: &mut UserInfo,
        auth: &dyn Authority,
        sink: Sink<'_, G, T>,
    ) -> Result<()> {
        let signal = match signal {
            0 => None,
            raw => Some(Signal::from_raw(raw).ok_or(Errno::EINVAL)?),
        };
        self.check_permission(me, target, signal, auth)?;
        let Some(signal) = signal else { return Ok(()) };
        if self.is_above(me, target) {
            info.pid = 0;
        }
        let UserInfo { code, pid, uid, value } = *info;
        self.send(target, scope, SigInfo { signal, code, pid, uid, value }, Source::Task(me), sink)
    }

    /// (kernel: `check_kill_permission`)
    fn check_permission(
        &self,
        me: TaskIx,
        target: TaskIx,
        signal: Option<Signal>,
        auth: &dyn Authority,
    ) -> Result<()> {
        let (own, other) = (self.group_of(me), self.group_of(target));
        let same_session = self.groups[own].session == self.groups[other].session;
        let exempt = own == other || signal == Some(Signal::CONT) && same_session;
        if exempt || auth.may_signal(self.group_id(other), signal) {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }

    /// Every process of a group; succeeds if one does (kernel: `__kill_pgrp_info`). // SIG-22 SIG-23
    fn kill_pgrp(
        &mut self,
        me: TaskIx,
        pgrp: PidIx,
        signal: i32,
        auth: &dyn Authority,
        sink: Sink<'_, G, T>,
    ) -> Result<()> {
        let mut info = self.own_info(me, SigCode::USER, auth);
        let mut result = Err(Errno::ESRCH);
        let mut at = self.pids[pgrp].pgrp;
        while let Some(group) = at {
            let leader = self.groups[group].leader;
            let sent = self.kill_one(me, leader, Scope::Process, signal, &mut info, auth, sink);
            if result.is_err() {
                result = sent;
            }
            at = self.member_after(pgrp, group);
        }
        result
    }

    /// Every process with a number above 1 here, except the caller's own (kernel: `kill_something_info`). // SIG-20
    fn kill_all(
        &mut self,
        me: TaskIx,
        signal: i32,
        auth: &dyn Authority,
        sink: Sink<'_, G, T>,
    ) -> Result<()> {
        let ns = self.active_ns(me);
        let own = self.group_of(me);
        let mut info = self.own_info(me, SigCode::USER, auth);
        let mut result = None;
        let mut from = Pid::INIT.number() + 1;
        while let Some((nr, slot)) = self.spaces[ns].map.next(&self.maps, from) {
            from = nr + 1;
            let pid = PidIx::from_slot(slot);
            let Some(group) = self.process_of(pid).filter(|&group| group != own) else {
                continue;
            };
            let leader = self.groups[group].leader;
            let sent = self.kill_one(me, leader, Scope::Process, signal, &mut info, auth, sink);
            if sent != Err(Errno::EPERM) {
                result = Some(sent);
            } else {
                result = result.or(Some(Ok(())));
            }
        }
        result.unwrap_or(Err(Errno::ESRCH))
    }

    /// Returns the group after `group` in its process group.
    pub(crate) fn member_after(&self, pgrp: PidIx, group: GroupIx) -> Option<GroupIx> {
        ring::after::<_, _, Members>(&self.groups, self.pids[pgrp].pgrp, group)
    }
}

/// Says whether only the kernel makes such records.
fn is_kernel_record(code: SigCode) -> bool {
    code.0 >= 0 || code == SigCode::TKILL
}
