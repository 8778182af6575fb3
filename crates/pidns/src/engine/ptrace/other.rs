//! Calls about a task by its number, that the host does once the number is its own.

use pidns_core::ChildSubreaper;
use pidns_sys::ptrace::Tid;
use pidns_sys::{Errno, abi, privilege};

use super::call::{Entry, Handled, Outcome, errno};
use super::task::{After, Meaning};
use super::tracer::Tracer;
use super::{ids, memory, session, switches};

pub(super) fn enter(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    match entry.registers.call() {
        abi::SYS_getpriority | abi::SYS_setpriority => {
            let kind = entry.int(0).cast_unsigned();
            by_kind(tracer, entry, [abi::PRIO_PROCESS, abi::PRIO_PGRP].map(|known| known == kind))
        }
        abi::SYS_ioprio_get | abi::SYS_ioprio_set => {
            const PROCESS: i32 = 1;
            const GROUP: i32 = 2;
            let kind = entry.int(0);
            by_kind(tracer, entry, [PROCESS, GROUP].map(|known| known == kind))
        }
        abi::SYS_kcmp => {
            task_argument(tracer, entry, 0)?;
            task_argument(tracer, entry, 1)
        }
        abi::SYS_perf_event_open => match entry.int(1) {
            0 => Ok(Outcome::Native),
            // All processes of a cpu: those outside too.
            number if number < 0 => Err(Errno::ACCESS),
            _ => task_argument(tracer, entry, 1),
        },
        abi::SYS_capget | abi::SYS_capset => capabilities(tracer, entry),
        abi::SYS_timer_create => timer_create(tracer, entry),
        abi::SYS_clock_gettime
        | abi::SYS_clock_getres
        | abi::SYS_clock_nanosleep
        | abi::SYS_clock_settime
        | abi::SYS_clock_adjtime => {
            clock(tracer, entry)?;
            Ok(Outcome::Then(After::Restore))
        }
        abi::SYS_prctl => prctl(tracer, entry),
        abi::SYS_seccomp => Ok(filters(tracer, entry)),
        _ => task_argument(tracer, entry, 0),
    }
}

/// The argument is a task's number: `ESRCH` if it is not visible.
fn task_argument(tracer: &Tracer, entry: &mut Entry, index: usize) -> Handled {
    let number = entry.int(index);
    if number < 0 {
        // The call's own errors apply.
        return Ok(Outcome::Native);
    }
    if number != 0 {
        let host = tracer.host_of(entry.id, number).ok_or(Errno::SRCH)?;
        entry.set_int(index, host.number());
    }
    Ok(Outcome::Then(After::Restore))
}

/// The second argument is a process's, a group's, or a user's number, by the first.
fn by_kind(tracer: &Tracer, entry: &mut Entry, [process, group]: [bool; 2]) -> Handled {
    if process {
        return task_argument(tracer, entry, 1);
    }
    if group {
        let host = session::host_group(tracer, entry.id, entry.int(1)).ok_or(Errno::SRCH)?;
        entry.set_int(1, host);
        return Ok(Outcome::Then(After::Restore));
    }
    Ok(Outcome::Native)
}

/// The number is in the header: a version, then a number.
fn capabilities(tracer: &Tracer, entry: &Entry) -> Handled {
    exchange_number(tracer, entry, entry.long(0) + 4)
}

/// The number is in the `struct sigevent`, for `SIGEV_THREAD_ID`.
fn timer_create(tracer: &Tracer, entry: &mut Entry) -> Handled {
    clock(tracer, entry)?;
    const NOTIFY: u64 = 12;
    const THREAD: u64 = 16;
    let at = entry.long(1);
    if at == 0 || memory::read_i32(entry.tid, at + NOTIFY)? != abi::SIGEV_THREAD_ID {
        return Ok(Outcome::Then(After::Restore));
    }
    exchange_number(tracer, entry, at + THREAD).map_err(|errno| {
        // timer_create(2) has its own word for it.
        if errno == Errno::SRCH { Errno::INVAL } else { errno }
    })
}

/// The clock in the first argument may be a task's: the complement of its number, above three bits that say which of its
/// clocks. See clock_getcpuclockid(3); kernel: `CPUCLOCK_PID`.
fn clock(tracer: &Tracer, entry: &mut Entry) -> Result<(), Errno> {
    const KIND: i32 = 0b111;
    const OF_DESCRIPTOR: i32 = 0b011;
    let clock = entry.int(0);
    let number = !(clock >> 3);
    if clock >= 0 || clock & OF_DESCRIPTOR == OF_DESCRIPTOR || number == 0 {
        return Ok(());
    }
    let host = tracer.host_of(entry.id, number).ok_or(Errno::INVAL)?;
    entry.set_int(0, !host.number() << 3 | clock & KIND);
    Ok(())
}

fn exchange_number(tracer: &Tracer, entry: &Entry, at: u64) -> Handled {
    let before = memory::read::<4>(entry.tid, at)?;
    let number = i32::from_ne_bytes(before);
    if number <= 0 {
        return Ok(Outcome::Native);
    }
    let host = tracer.host_of(entry.id, number).ok_or(Errno::SRCH)?;
    memory::write_i32(entry.tid, at, host.number())?;
    Ok(Outcome::Then(After::Undo(at, before.to_vec())))
}

/// A guest is about to install a filter of its own.
fn filters(tracer: &mut Tracer, entry: &Entry) -> Outcome {
    switches::end_peeks(tracer, entry.tid);
    if let Some(process) = tracer.process_of_mut(entry.tid) {
        process.is_filtered = true;
    }
    Outcome::Native
}

fn prctl(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    match entry.int(0) {
        abi::PR_SET_CHILD_SUBREAPER => {
            let mark = if entry.long(1) == 0 { ChildSubreaper::No } else { ChildSubreaper::Yes };
            tracer.set.set_child_subreaper(entry.id, mark).map_err(errno)?;
            switches::end_peeks(tracer, entry.tid);
            Ok(Outcome::Done(0))
        }
        abi::PR_SET_SECCOMP => Ok(filters(tracer, entry)),
        abi::PR_GET_CHILD_SUBREAPER => {
            let mark = tracer.set.child_subreaper(entry.id).map_err(errno)?;
            memory::write_i32(entry.tid, entry.long(1), i32::from(mark == ChildSubreaper::Yes))?;
            Ok(Outcome::Done(0))
        }
        // Nobody could read the paths of a process that hides its memory: it stays as it is.
        abi::PR_SET_DUMPABLE if entry.int(1) == 0 && privilege::has_sys_ptrace() != Ok(true) => {
            Ok(Outcome::Done(0))
        }
        abi::PR_SET_DUMPABLE => Ok(Outcome::Native),
        abi::PR_GET_TID_ADDRESS => Ok(ids::pay(tracer, entry).unwrap_or(Outcome::Native)),
        // PR_SET_PTRACER: there is no tracing inside; PR_SCHED_CORE: as where it is not configured.
        _ => Err(Errno::INVAL),
    }
}

/// Words that the host has stored, each a number of its own.
pub(super) fn translate_words(tracer: &Tracer, tid: Tid, at: u64, count: u64) {
    for index in 0..count {
        translate_word(tracer, tid, at + 4 * index, Meaning::Task);
    }
}

/// A word that the host has stored.
pub(super) fn translate_word(tracer: &Tracer, tid: Tid, at: u64, meaning: Meaning) {
    if let (Some(id), Ok(host)) = (tracer.id(tid), memory::read_i32(tid, at)) {
        let _ = memory::write_i32(tid, at, visible(tracer, id, host, meaning));
    }
}

/// A number of the host's, as `viewer` knows what it means.
pub(super) fn visible(
    tracer: &Tracer,
    viewer: pidns_core::TaskId,
    host: i32,
    meaning: Meaning,
) -> i32 {
    match meaning {
        Meaning::Group => session::visible_group(tracer, viewer, host),
        Meaning::Session => session::visible_session(tracer, viewer, host),
        Meaning::Owner if host < 0 => -session::visible_group(tracer, viewer, -host),
        Meaning::Task | Meaning::Owner => tracer.number_of(viewer, host),
    }
}
