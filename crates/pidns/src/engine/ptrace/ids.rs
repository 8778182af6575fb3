//! Who one is: getpid(2) and its like, and the numbers that the kernel stores.

use pidns_core::Pid;
use pidns_sys::abi;
use pidns_sys::ptrace::Tid;

use super::call::{Entry, Handled, Outcome, errno};
use super::task::{After, Meaning, TidAddress};
use super::tracer::Tracer;
use super::{other, switches};

pub(super) fn enter(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    let set = &tracer.set;
    let number = match entry.registers.call() {
        abi::SYS_getpid => {
            let number = set.getpid(entry.id).map_err(errno)?.raw();
            // A process that asks often is to know its number.
            switches::note(tracer, entry);
            switches::turn_on(tracer, entry.tid);
            return Ok(Outcome::Done(i64::from(number)));
        }
        abi::SYS_gettid => set.gettid(entry.id).map(Some),
        abi::SYS_getppid => set.getppid(entry.id),
        abi::SYS_getpgrp => set.getpgid(entry.id, 0),
        abi::SYS_getpgid => set.getpgid(entry.id, entry.int(0)),
        abi::SYS_getsid => set.getsid(entry.id, entry.int(0)),
        _ => {
            let number = i64::from(set.gettid(entry.id).map_err(errno)?.raw());
            return Ok(set_tid_address(tracer, entry, number));
        }
    };
    Ok(Outcome::Done(i64::from(Pid::raw_or_zero(number.map_err(errno)?))))
}

/// The address is the kernel's matter, if not at once; the number is ours.
fn set_tid_address(tracer: &mut Tracer, entry: &Entry, number: i64) -> Outcome {
    let task = tracer.tasks.get_mut(&entry.tid);
    let Some(TidAddress::Owed(address)) = task.map(|task| &mut task.tid_address) else {
        return Outcome::Then(After::Return(number));
    };
    *address = Some(entry.long(0));
    // A program calls this when it has loaded its libraries.
    switches::have_loaded(tracer, entry.tid);
    Outcome::Done(number)
}

/// Has a task make the call that it owes, before the one that it wants to make.
pub(super) fn pay(tracer: &Tracer, entry: &mut Entry) -> Option<Outcome> {
    let TidAddress::Owed(Some(address)) = tracer.tasks.get(&entry.tid)?.tid_address else {
        return None;
    };
    entry.registers.set_call(abi::SYS_set_tid_address);
    entry.registers.set_argument(0, address);
    Some(Outcome::Then(After::Owed))
}

/// A result that is a number of the host's, as the caller knows it.
pub(super) fn visible(tracer: &Tracer, tid: Tid, result: i64, meaning: Meaning) -> i64 {
    let Some(id) = tracer.id(tid) else { return 0 };
    i32::try_from(result).map_or(0, |host| i64::from(other::visible(tracer, id, host, meaning)))
}
