//! The calls, one line each.

use super::{Progress, SimWorld};
use crate::answer;
use crate::script::call::Request;
use crate::script::verb::Verb;
use crate::script::words;
use pidns_core::{
    ActionFlags, ChildSubreaper, Disposition, Errno, ExitStatus, OnTracerExit, Pid, RebootCommand,
    RebootOutcome, Root, SigCode, SigSet, Signal, TaskId, UserInfo,
};

impl SimWorld {
    /// Makes a call.
    pub(super) fn call(&mut self, slot: usize, r: &Request) -> Progress {
        match r.verb {
            Verb::Fork => self.fork(slot, r),
            Verb::Vfork => self.vfork(slot, r),
            Verb::Clone => self.clone(slot, r),
            Verb::OldClone => self.old_clone(slot, r),
            Verb::Thread => self.thread(slot, r),
            Verb::Exec => self.exec(slot),
            Verb::Wait => self.wait4(slot, r),
            Verb::Waitid => self.waitid(slot, r),
            Verb::Sigwait => self.sigwait(slot, r.int(0) as u64),
            Verb::Exit | Verb::ExitGroup => self.exit(slot, r),
            Verb::Reboot => self.reboot(slot, r),
            _ => Progress::Done(self.text(slot, r)),
        }
    }

    fn text(&mut self, slot: usize, r: &Request) -> String {
        match r.verb {
            Verb::Crowd => self.crowd(slot, r.int(0)),
            Verb::Sigpending => {
                let pending = self.set.sigpending(self.task(slot));
                answer::signals(pending.map(SigSet::bits).map_err(Errno::raw))
            }
            Verb::Sigpoll => self.sigpoll(slot, r.int(0) as u64),
            Verb::Caught => {
                let caught = std::mem::take(&mut self.cast.actor(slot).memory.borrow_mut().caught);
                answer::all_caught(&caught)
            }
            Verb::PidfdPoll => self.poll_text(slot, r.int32(0)),
            Verb::PidfdInfo => answer::info(self.info(slot, r.int32(0), r.int(1))),
            Verb::NsSame => answer::same(self.same(slot, r.int32(0), r.int32(1))),
            _ => answer::number(self.number(slot, r)),
        }
    }

    /// Makes a call whose result is a number.
    fn number(&mut self, slot: usize, r: &Request) -> Result<i64, i32> {
        let me = self.task(slot);
        let result = match r.verb {
            Verb::ChildTid => return Ok(self.cast.actor(slot).child_tid.into()),
            Verb::Sigaction => self.sigaction(slot, r),
            Verb::Sigmask => self.sigmask(slot, r),
            Verb::Getpid => self.set.getpid(me).map(raw),
            Verb::Gettid => self.set.gettid(me).map(raw),
            Verb::Getppid => self.set.getppid(me).map(raw_or_zero),
            Verb::Getpgid => self.set.getpgid(me, r.int32(0)).map(raw_or_zero),
            Verb::Getsid => self.set.getsid(me, r.int32(0)).map(raw_or_zero),
            Verb::Setsid => self.set.setsid(me, &mut self.effects).map(raw),
            Verb::Setpgid => {
                self.set.setpgid(me, r.int32(0), r.int32(1), &mut self.effects).map(|()| 0)
            }
            Verb::SchedGet => self.look_up(me, r.int32(0)),
            Verb::Unshare => self.unshare(me, r.int(0)),
            Verb::Fault => self.set.fault(me, Signal::SEGV, &mut self.effects).map(|()| 0),
            Verb::Seize => self.seize(me, r.int32(0)),
            Verb::SetSubreaper => {
                let mark = if r.int(0) == 0 { ChildSubreaper::No } else { ChildSubreaper::Yes };
                self.set.set_child_subreaper(me, mark).map(|()| 0)
            }
            Verb::GetSubreaper => {
                self.set.child_subreaper(me).map(|mark| i64::from(mark == ChildSubreaper::Yes))
            }
            Verb::SetPdeathsig => self.set.set_death_signal(me, r.int32(0)).map(|()| 0),
            Verb::GetPdeathsig => {
                self.set.death_signal(me).map(|signal| signal.map_or(0, Signal::raw).into())
            }
            Verb::GetLastPid => self.set.ns_last_pid(me).map(i64::from),
            Verb::SetLastPid => self.set.set_ns_last_pid(me, r.int32(0), &Root).map(|()| 0),
            Verb::GetPidMax => self.set.pid_max(me).map(i64::from),
            Verb::SetPidMax => {
                let value = u32::try_from(r.int(0)).unwrap_or(0);
                self.set.set_pid_max(me, value).map(|()| 0)
            }
            Verb::Kill | Verb::Tkill | Verb::Tgkill | Verb::Sigqueue | Verb::PidfdSendSignal => {
                return self.send(slot, r);
            }
            _ => return self.file_call(slot, r),
        };
        result.map_err(Errno::raw)
    }

    fn send(&mut self, slot: usize, r: &Request) -> Result<i64, i32> {
        let me = self.task(slot);
        let (first, second, third) = (r.int32(0), r.int32(1), r.int32(2));
        let effects = &mut self.effects;
        let sent = match r.verb {
            Verb::Kill => self.set.kill(me, first, second, &Root, effects),
            Verb::Tkill => self.set.tgkill(me, None, first, second, &Root, effects),
            Verb::Tgkill => self.set.tgkill(me, Some(first), second, third, &Root, effects),
            Verb::Sigqueue => {
                let code = r.optional(2).map_or(SigCode::QUEUE, |code| SigCode(code as i32));
                let info = UserInfo { code, pid: r.int32(3), uid: 0, value: 0 };
                self.set.sigqueue(me, first, second, info, &Root, effects)
            }
            _ => {
                let (pid, _) = self.pidfd(slot, first)?;
                if !self.is_visible(slot, first)? {
                    return Err(Errno::EINVAL.raw());
                }
                self.set.pidfd_send_signal(me, pid, second, None, &Root, &mut self.effects)
            }
        };
        sent.map(|()| 0).map_err(Errno::raw)
    }

    fn sigaction(&mut self, slot: usize, r: &Request) -> Result<i64, Errno> {
        let signal = Signal::from_raw(r.int32(0)).ok_or(Errno::EINVAL)?;
        let disposition = match r.int(1) {
            0 => Disposition::Default,
            1 => Disposition::Ignore,
            _ => Disposition::Handler,
        };
        let flags = r.int(2) as u32;
        let actor = self.cast.actor(slot);
        self.set.sigaction(
            actor.group,
            signal,
            disposition,
            ActionFlags::from_bits_retain(flags),
        )?;
        actor.handlers.borrow_mut().flags.insert(signal.raw(), flags);
        Ok(0)
    }

    fn sigmask(&mut self, slot: usize, r: &Request) -> Result<i64, Errno> {
        let bits = SigSet::from_bits(r.int(1) as u64).minus(SigSet::UNSTOPPABLE);
        let old = self.cast.actor(slot).mask;
        let mask = match r.int(0) {
            0 => old.union(bits),
            1 => old.minus(bits),
            2 => bits,
            _ => return Err(Errno::EINVAL),
        };
        self.set_mask(slot, mask).map(|()| 0)
    }

    /// Changes an actor's mask.
    pub(super) fn set_mask(&mut self, slot: usize, mask: SigSet) -> Result<(), Errno> {
        let actor = self.cast.actor_mut(slot);
        actor.mask = mask;
        let task = actor.task;
        self.set.set_blocked(task, mask, &mut self.effects)
    }

    /// A call that only looks a number up, 0 for the caller.
    fn look_up(&self, me: TaskId, number: i32) -> Result<i64, Errno> {
        if number < 0 {
            return Err(Errno::EINVAL);
        }
        let ns = self.set.ns_of(me)?;
        let found = Pid::from_raw(number).is_none_or(|pid| self.set.find_task(ns, pid).is_some());
        if found { Ok(0) } else { Err(Errno::ESRCH) }
    }

    fn seize(&mut self, me: TaskId, number: i32) -> Result<i64, Errno> {
        let ns = self.set.ns_of(me)?;
        let target = Pid::from_raw(number)
            .and_then(|pid| self.set.find_task(ns, pid))
            .ok_or(Errno::ESRCH)?;
        self.set.attach(me, target, OnTracerExit::Release).map(|()| 0)
    }

    fn unshare(&mut self, me: TaskId, flags: i64) -> Result<i64, Errno> {
        if flags & words::NEWPID != 0 {
            self.set.unshare(me, &Root, &mut self.effects)?;
        }
        Ok(0)
    }

    fn exit(&mut self, slot: usize, r: &Request) -> Progress {
        let task = self.task(slot);
        let status = ExitStatus::exited(r.int32(0));
        self.note_end(task);
        let outcome = match r.verb {
            Verb::Exit => self.set.exit(task, status, &mut self.effects),
            _ => self.set.exit_group(task, status, &mut self.effects),
        };
        self.left(task, outcome);
        Progress::Left
    }

    fn reboot(&mut self, slot: usize, r: &Request) -> Progress {
        let magic = r.optional(1).unwrap_or(words::REBOOT_MAGIC);
        if magic != words::REBOOT_MAGIC {
            return Progress::Done(answer::error(Errno::EINVAL.raw()));
        }
        let command = match words::name(words::REBOOT, r.int(0)) {
            Some("RESTART" | "RESTART2") => RebootCommand::Restart,
            Some("HALT") => RebootCommand::Halt,
            Some("POWER_OFF") => RebootCommand::PowerOff,
            _ => RebootCommand::Other,
        };
        let task = self.task(slot);
        match self.set.reboot(task, command, &Root, &mut self.effects) {
            Err(errno) => Progress::Done(answer::error(errno.raw())),
            Ok(RebootOutcome::Machine) => Progress::Done("machine".to_owned()),
            Ok(RebootOutcome::CallerExits) => {
                let outcome = self.set.exit(task, ExitStatus::exited(0), &mut self.effects);
                self.left(task, outcome);
                Progress::Left
            }
        }
    }
}

fn raw(pid: Pid) -> i64 {
    pid.raw().into()
}

fn raw_or_zero(pid: Option<Pid>) -> i64 {
    Pid::raw_or_zero(pid).into()
}
