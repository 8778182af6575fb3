//! Robust futexes of a task that ends: set_robust_list(2).
//!
//! Only tasks whose locks others may find stop before their end: those with threads, those in memory that processes share,
//! and inits, for the zap. Others end without a stop ([`stop_at_end`]).
//!
//! The word of a locked mutex holds its owner's number, which is ours. When the owner ends, the kernel looks for the
//! host's number in the words of its list, and marks those as left by a dead owner (`exit_robust_list`). So ours is
//! exchanged for the host's while the task is in its exit stop, just before the kernel looks.

use pidns_core::Pid;
use pidns_sys::ptrace::{self, Options, Tid};

use super::call::{Entry, Handled, Outcome};
use super::memory;
use super::tracer::Tracer;

const TID_MASK: u32 = 0x3fff_ffff;
const WAITERS: u32 = 0x8000_0000;
/// Where a `struct robust_list_head` has its parts, after the first entry.
const OFFSET: u64 = 8;
const PENDING: u64 = 16;
/// The kernel goes no further either (`ROBUST_LIST_LIMIT`).
const LIMIT: usize = 2048;

/// A process is to stop before the end of its tasks, or not any more. To be called in a stop of its only task.
pub(super) fn stop_at_end(tracer: &mut Tracer, tid: Tid, stops: bool) {
    let Some(process) = tracer.process_of_mut(tid) else { return };
    let stops = stops || process.is_init();
    if std::mem::replace(&mut process.stops_at_end, stops) != stops {
        // A task that was killed meanwhile is beyond that.
        let _ = ptrace::set_options(tid, options(stops));
    }
}

/// What a task is traced with.
pub(super) fn options(stops_at_end: bool) -> Options {
    let options = Options::SYSGOOD | Options::EXEC | Options::SECCOMP | Options::EXIT_KILL;
    if stops_at_end { options | Options::EXIT } else { options }
}

/// Memory that processes share is about to be mapped.
pub(super) fn enter(tracer: &mut Tracer, entry: &Entry) -> Handled {
    stop_at_end(tracer, entry.tid, true);
    Ok(Outcome::Native)
}

/// Makes the words of a dying task's list what the kernel expects.
pub(super) fn repair(tracer: &Tracer, tid: Tid) {
    let Ok(head) = ptrace::robust_list(tid) else { return };
    if head == 0 {
        return;
    }
    let Ok(list) = memory::read::<24>(tid, head) else { return };
    let word = |at: u64| {
        let at = at as usize;
        u64::from_ne_bytes(list[at..at + 8].try_into().expect("eight bytes"))
    };
    let (first, offset, pending) = (word(0), word(OFFSET), word(PENDING));
    if first == head && pending == 0 {
        return;
    }
    let Some(number) = tracer.id(tid).and_then(|id| tracer.set.gettid(id).ok()).map(Pid::raw)
    else {
        return;
    };
    let exchange = |entry: u64| exchange(tid, (entry & !1).wrapping_add(offset), number);
    let mut entry = first;
    for _ in 0..LIMIT {
        if entry & !1 == head || entry == 0 {
            break;
        }
        exchange(entry);
        entry = memory::read_u64(tid, entry & !1).unwrap_or(0);
    }
    if pending != 0 {
        exchange(pending);
    }
}

/// Others may note that they wait while we write: that is said in any case, and costs the kernel a look.
fn exchange(tid: Tid, at: u64, number: i32) {
    let Ok(bytes) = memory::read::<4>(tid, at) else { return };
    let word = u32::from_ne_bytes(bytes);
    if word & TID_MASK == number.cast_unsigned() {
        let new = word & !TID_MASK | WAITERS | tid.number().cast_unsigned();
        let _ = memory::write(tid, at, &new.to_ne_bytes());
    }
}
