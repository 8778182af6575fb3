//! Who one is: getpid(2) and its like, and the numbers that the kernel stores.

use pidns_core::Pid;
use pidns_sys::abi;
use pidns_sys::ptrace::Tid;

use super::call::{Entry, Handled, Outcome, errno};
use super::task::After;
use super::tracer::Tracer;

pub(super) fn enter(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    let set = &tracer.set;
    let number = match entry.registers.call() {
        abi::SYS_getpid => set.getpid(entry.id).map(Some),
        abi::SYS_gettid => set.gettid(entry.id).map(Some),
        abi::SYS_getppid => set.getppid(entry.id),
        abi::SYS_getpgrp => set.getpgid(entry.id, None),
        abi::SYS_getpgid => about(entry, |of| set.getpgid(entry.id, of))?,
        abi::SYS_getsid => about(entry, |of| set.getsid(entry.id, of))?,
        _ => {
            // set_tid_address(2): the address is the kernel's matter, the number ours.
            let number = set.gettid(entry.id).map_err(errno)?;
            return Ok(Outcome::Then(After::Return(i64::from(number.raw()))));
        }
    };
    Ok(Outcome::Done(i64::from(Pid::raw_or_zero(number.map_err(errno)?))))
}

type Number = pidns_core::Result<Option<Pid>>;

/// A call about the process with the number in its first argument, or the caller for 0.
fn about(entry: &Entry, ask: impl FnOnce(Option<Pid>) -> Number) -> Result<Number, pidns_sys::Errno> {
    match entry.int(0) {
        0 => Ok(ask(None)),
        number => Pid::from_raw(number).map(|pid| ask(Some(pid))).ok_or(pidns_sys::Errno::SRCH),
    }
}

/// A result that is a number of the host's, as the caller knows it.
pub(super) fn visible(tracer: &Tracer, tid: Tid, result: i64) -> i64 {
    let Some(id) = tracer.id(tid) else { return 0 };
    i32::try_from(result).map_or(0, |host| i64::from(tracer.number_of(id, host)))
}
