//! Calls that a task is made to make, outside a call of its own: because it was kept from entering that, by a trap or while
//! it was asked about.
//!
//! The registers are then as after a call that did nothing. To answer, a result is set; to let the kernel do something, the
//! task is put before the instruction by which it enters the kernel.

use pidns_sys::Errno;
use pidns_sys::ptrace::regs::Registers;
use pidns_sys::ptrace::{Resume, Tid};

use super::call::{self, Entry, Outcome, negated};
use super::memory::PathBuffer;
use super::task::{Pending, Phase, Stopped};
use super::tracer::Tracer;
use super::{filter, path, signal};

/// A task was stopped by our trap. What of it is not ours does not exist.
pub(super) fn trapped(tracer: &mut Tracer, stopped: Stopped) {
    signal::repair_sigsys(tracer, stopped.tid());
    match Registers::of(stopped.tid()) {
        Ok(before) => go_on(tracer, stopped, before, |_, _, registers| {
            registers.answer_trap(negated(Errno::NOSYS));
        }),
        Err(_) => stopped.run(),
    }
}

/// A call that was asked about is the tracer's: see [`asked`](super::asked). It was interrupted; unless a handler has come
/// first, and it is made again after that.
pub(super) fn handed_over(tracer: &mut Tracer, stopped: Stopped) {
    match Registers::of(stopped.tid()) {
        Ok(before) if before.interrupted() && filter::asks_about(before.call()) => {
            go_on(tracer, stopped, before, |tracer, tid, registers| {
                give_pass(tracer, tid, registers);
                registers.again(registers.call());
            });
        }
        _ => tracer.go_on_in_phase(stopped, 0),
    }
}

/// Lets the task go on as the call's handler decides. `native` says what becomes of a call that is none of our business.
fn go_on(
    tracer: &mut Tracer,
    stopped: Stopped,
    before: Registers,
    native: fn(&Tracer, Tid, &mut Registers),
) {
    let tid = stopped.tid();
    let Some(id) = tracer.id(tid) else { return stopped.run() };
    let mut entry = Entry { tid, id, registers: before };
    let mut registers = before;
    match call::dispatch(tracer, &mut entry) {
        Ok(Outcome::Done(result)) => registers.answer_trap(result),
        Err(errno) => registers.answer_trap(negated(errno)),
        Ok(Outcome::Native) => native(tracer, tid, &mut registers),
        Ok(Outcome::Then(after)) => {
            give_pass(tracer, tid, &entry.registers);
            let mut again = entry.registers;
            again.again(again.call());
            let _ = again.store(tid);
            let pending = Pending { after, before: Some(before), entering: true };
            tracer.set_phase(tid, Phase::InCall(pending));
            // It stops at the entry of the new call, unless a filter answers it, and at its end.
            return stopped.resume(Resume::ToSyscallStop, 0);
        }
    }
    let _ = registers.store(tid);
    stopped.run();
}

/// A call with a path is about to be asked about, though the tracer has looked at it.
fn give_pass(tracer: &Tracer, tid: Tid, registers: &Registers) {
    let call = registers.call();
    if filter::asks_about(call) {
        let (index, _) = path::argument(call, registers.argument(0) as i32);
        let mut buffer = PathBuffer::default();
        let path = buffer.read(tid, registers.argument(index)).unwrap_or_default();
        tracer.shared.give_pass(tid, call, path.to_vec());
    }
}

/// A signal comes before the task has entered the call that it was to make: it shall make its own again, after the
/// signal's handler.
pub(super) fn put_off(tracer: &mut Tracer, tid: Tid) {
    match tracer.take_phase(tid) {
        Phase::InCall(Pending { after, before: Some(mut before), entering: true }) => {
            call::undo(tracer, tid, after);
            before.interrupt_unnoticed();
            let _ = before.store(tid);
        }
        other => tracer.set_phase(tid, other),
    }
}
