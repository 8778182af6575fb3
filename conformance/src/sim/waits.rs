//! The waits: for children, and for signals.

use super::cast::Sleep;
use super::{Progress, SimWorld};
use crate::answer;
use crate::script::call::Request;
use pidns_core::{Errno, Pid, SigSet, WaitOptions, WaitOutcome, WaitTarget, wait_abi};

const P_PIDFD: i64 = 3;

impl SimWorld {
    /// wait4.
    pub(super) fn wait4(&mut self, slot: usize, request: &Request) -> Progress {
        match wait_abi::wait4(request.int32(0), request.int(1) as u32) {
            Ok((target, options)) => self.wait(slot, target, options, false),
            Err(errno) => Progress::Done(answer::error(errno.raw())),
        }
    }

    /// waitid.
    pub(super) fn waitid(&mut self, slot: usize, request: &Request) -> Progress {
        let options = request.int(2) as u32;
        if request.int(0) == P_PIDFD {
            return self.waitid_pidfd(slot, request.int32(1), options);
        }
        match wait_abi::waitid(request.int(0) as u32, request.int32(1), options) {
            Ok((target, options)) => self.wait(slot, target, options, true),
            Err(errno) => Progress::Done(answer::error(errno.raw())),
        }
    }

    fn waitid_pidfd(&mut self, slot: usize, fd: i32, options: u32) -> Progress {
        const EAGAIN: i32 = 11;
        let (pidfd, nonblocking) = match self.pidfd(slot, fd) {
            Ok(found) => found,
            Err(errno) => return Progress::Done(answer::error(errno)),
        };
        let (target, mut wanted) = match wait_abi::waitid_pidfd(pidfd, options) {
            Ok(read) => read,
            Err(errno) => return Progress::Done(answer::error(errno.raw())),
        };
        let patient = !wanted.contains(WaitOptions::NOHANG);
        if nonblocking {
            wanted |= WaitOptions::NOHANG;
        }
        match self.wait(slot, target, wanted, true) {
            Progress::Done(text) if nonblocking && patient && text == "0" => {
                Progress::Done(answer::error(EAGAIN))
            }
            other => other,
        }
    }

    /// Looks for something to report.
    pub(super) fn wait(
        &mut self,
        slot: usize,
        target: WaitTarget,
        options: WaitOptions,
        by_id: bool,
    ) -> Progress {
        let task = self.task(slot);
        match self.set.wait(task, target, options, &mut self.effects) {
            Err(errno) => Progress::Done(answer::error(errno.raw())),
            Ok(WaitOutcome::Block) => Progress::Asleep(Sleep::Wait { target, options, by_id }),
            Ok(WaitOutcome::Nothing) => Progress::Done("0".to_owned()),
            Ok(WaitOutcome::Ready(report)) => {
                let pid = Pid::raw_or_zero(report.pid);
                Progress::Done(if by_id {
                    answer::waited_id(Ok(Some((report.info.0.0, pid, report.info.1))))
                } else {
                    answer::waited(Ok((pid, report.status.raw())))
                })
            }
        }
    }

    /// sigtimedwait that does not wait.
    pub(super) fn sigpoll(&mut self, slot: usize, set: u64) -> String {
        let task = self.task(slot);
        match self.set.sigwait(task, SigSet::from_bits(set)) {
            Ok(info) => answer::caught(info.signal.raw(), info.code.0, info.pid),
            Err(errno) => answer::error(errno.raw()),
        }
    }

    /// sigwaitinfo.
    pub(super) fn sigwait(&mut self, slot: usize, set: u64) -> Progress {
        let task = self.task(slot);
        match self.set.sigwait(task, SigSet::from_bits(set)) {
            Err(Errno::EAGAIN) => {}
            Ok(info) => {
                return Progress::Done(answer::caught(info.signal.raw(), info.code.0, info.pid));
            }
            Err(errno) => return Progress::Done(answer::error(errno.raw())),
        }
        match self.set.set_awaited(task, SigSet::from_bits(set)) {
            Ok(()) => Progress::Asleep(Sleep::Signal(set)),
            Err(errno) => Progress::Done(answer::error(errno.raw())),
        }
    }

    /// Ends a sigwaitinfo if one of its signals has come.
    pub(super) fn take_awaited(&mut self, slot: usize, set: u64) -> bool {
        let task = self.task(slot);
        let taken = self.set.sigwait(task, SigSet::from_bits(set));
        let Ok(info) = taken else { return false };
        self.finish(slot, answer::caught(info.signal.raw(), info.code.0, info.pid));
        true
    }
}
