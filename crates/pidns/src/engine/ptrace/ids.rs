//! Who one is: getpid(2) and its like, and the numbers that the kernel stores.

use pidns_core::Pid;
use pidns_sys::abi;
use pidns_sys::ptrace::Tid;

use super::call::{Entry, Handled, Outcome, errno};
use super::other;
use super::task::{After, Meaning};
use super::tracer::Tracer;

pub(super) fn enter(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    let set = &tracer.set;
    let number = match entry.registers.call() {
        abi::SYS_getpid => set.getpid(entry.id).map(Some),
        abi::SYS_gettid => set.gettid(entry.id).map(Some),
        abi::SYS_getppid => set.getppid(entry.id),
        abi::SYS_getpgrp => set.getpgid(entry.id, 0),
        abi::SYS_getpgid => set.getpgid(entry.id, entry.int(0)),
        abi::SYS_getsid => set.getsid(entry.id, entry.int(0)),
        _ => {
            // set_tid_address(2): the address is the kernel's matter, the number ours.
            let number = set.gettid(entry.id).map_err(errno)?;
            if let Some(sites) = &tracer.shared.sites
                && tracer.process_of(entry.tid).is_some_and(|process| process.threads.len() == 1)
            {
                // A program calls this when it has loaded its libraries.
                sites.apply(entry.tid, 0);
            }
            return Ok(Outcome::Then(After::Return(i64::from(number.raw()))));
        }
    };
    Ok(Outcome::Done(i64::from(Pid::raw_or_zero(number.map_err(errno)?))))
}

/// A result that is a number of the host's, as the caller knows it.
pub(super) fn visible(tracer: &Tracer, tid: Tid, result: i64, meaning: Meaning) -> i64 {
    let Some(id) = tracer.id(tid) else { return 0 };
    i32::try_from(result).map_or(0, |host| i64::from(other::visible(tracer, id, host, meaning)))
}
