//! The filters that are put into a running process, between two of its own calls.
//!
//! The task is at the end of a call. It is made to call seccomp(2) with a program below its stack, and then put where it
//! was. Signals wait meanwhile. All threads of its process get the filter (`SECCOMP_FILTER_FLAG_TSYNC`), and all that it starts inherits it.

use pidns_sys::ptrace::regs::Registers;
use pidns_sys::ptrace::{self, Resume};
use pidns_sys::signal::SignalSet;
use pidns_sys::{Errno, abi};

use super::call::negated;
use super::memory;
use super::task::{After, Filter, Install, Pending, Phase, Stopped};
use super::tracer::Tracer;

/// Installs a filter, if the process has not got it, and lets the task go on with `registers`.
pub(super) fn filter(tracer: &mut Tracer, stopped: Stopped, registers: Registers, filter: Filter) {
    let tid = stopped.tid();
    let has_it = tracer.process_of_mut(tid).is_none_or(|process| *process.filtered(filter));
    match ptrace::signal_mask(tid) {
        Ok(mask) if !has_it => {
            // A signal's handler would run before the call, on the stack that the program is put on.
            let _ = ptrace::set_signal_mask(tid, SignalSet::ALL);
            again(tracer, stopped, Box::new(Install { filter, registers, mask }));
        }
        _ => {
            let _ = registers.store(tid);
            stopped.run();
        }
    }
}

/// Has the task make the call.
pub(super) fn again(tracer: &mut Tracer, stopped: Stopped, install: Box<Install>) {
    match prepare(tracer, &stopped, install.registers, install.filter) {
        Some(call) => make(tracer, stopped, call, After::Filtered(install)),
        None => go_on(stopped, &install),
    }
}

fn make(tracer: &mut Tracer, stopped: Stopped, call: Registers, after: After) {
    let tid = stopped.tid();
    let _ = call.store(tid);
    tracer.set_phase(tid, Phase::InCall(Pending { after, before: None, entering: true }));
    stopped.resume(Resume::ToSyscallStop, 0);
}

fn go_on(stopped: Stopped, install: &Install) {
    let _ = ptrace::set_signal_mask(stopped.tid(), install.mask);
    let _ = install.registers.store(stopped.tid());
    stopped.run();
}

/// Writes the program, and a `struct sock_fprog` that points to it.
fn prepare(
    tracer: &Tracer,
    stopped: &Stopped,
    registers: Registers,
    filter: Filter,
) -> Option<Registers> {
    const HEADER: usize = 16;
    const INSTRUCTION: usize = 8;
    let program = &tracer.filters[filter as usize];
    let at = memory::scratch(registers.stack_pointer(), HEADER + program.len());
    let count = u16::try_from(program.len() / INSTRUCTION).ok()?;
    let mut bytes = [0u8; HEADER].to_vec();
    bytes[0..2].copy_from_slice(&count.to_ne_bytes());
    bytes[8..16].copy_from_slice(&(at + HEADER as u64).to_ne_bytes());
    bytes.extend(program);
    memory::write(stopped.tid(), at, &bytes).ok()?;
    let mut call = registers;
    call.set_argument(0, abi::SECCOMP_SET_MODE_FILTER);
    call.set_argument(1, abi::SECCOMP_FILTER_FLAG_TSYNC);
    call.set_argument(2, at);
    call.again(abi::SYS_seccomp);
    Some(call)
}

/// The filter is there; or it was refused, once to a task that has given up its privilege since the job was started with
/// it, and then takes a promise first (`PR_SET_NO_NEW_PRIVS`).
pub(super) fn done(tracer: &mut Tracer, stopped: Stopped, install: Box<Install>, result: i64) {
    if result == 0
        && let Some(process) = tracer.process_of_mut(stopped.tid())
    {
        *process.filtered(install.filter) = true;
    }
    if result == negated(Errno::ACCESS) {
        let mut promise = install.registers;
        let words = [abi::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0];
        for (index, word) in words.into_iter().enumerate() {
            promise.set_argument(index, u64::from(word.unsigned_abs()));
        }
        promise.again(abi::SYS_prctl);
        return make(tracer, stopped, promise, After::Promised(install));
    }
    go_on(stopped, &install);
}
