//! Who one is: getpid(2) and its like, and the numbers that the kernel stores.

use pidns_core::Pid;
use pidns_sys::abi;
use pidns_sys::ptrace::Tid;

use super::call::{self, Entry, Handled, Outcome, errno};
use super::other;
use super::task::{After, Meaning, TidAddress};
use super::tracer::Tracer;

pub(super) fn enter(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    let set = &tracer.set;
    let number = match entry.registers.call() {
        abi::SYS_getpid => {
            let number = set.getpid(entry.id).map_err(errno)?.raw();
            know(tracer, entry, number);
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

/// A process that asks often is to know its number: see [`site`](super::site).
fn know(tracer: &mut Tracer, entry: &Entry, number: i32) {
    let after = entry.registers.instruction_pointer();
    let process = tracer.tasks.get(&entry.tid).map(|task| task.process);
    let process = process.and_then(|process| tracer.processes.get_mut(&process));
    if let (Some(process), Some(sites)) = (process, &tracer.shared.sites)
        && !process.borrows_memory
        && process.threads.len() == 1
        && !sites.arm(&mut process.armed, entry.tid, after, number)
    {
        call::learn(tracer, entry);
    }
}

/// The address is the kernel's matter, if not at once; the number is ours.
fn set_tid_address(tracer: &mut Tracer, entry: &Entry, number: i64) -> Outcome {
    let task = tracer.tasks.get_mut(&entry.tid);
    let Some(TidAddress::Owed(address)) = task.map(|task| &mut task.tid_address) else {
        return Outcome::Then(After::Return(number));
    };
    *address = Some(entry.long(0));
    if let Some(sites) = &tracer.shared.sites {
        // A program calls this when it has loaded its libraries.
        sites.have_loaded(&mut tracer.begun, entry.tid);
    }
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
