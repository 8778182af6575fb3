//! The filters that are put into a running process, between two of its own calls.
//!
//! The task is at the end of a call. It is made to call seccomp(2) with a program below its stack, and then put where it
//! was. All threads of its process get the filter (`SECCOMP_FILTER_FLAG_TSYNC`), and all that it starts inherits it.

use pidns_sys::ptrace::Resume;
use pidns_sys::ptrace::regs::Registers;
use pidns_sys::{Errno, abi};

use super::call::negated;
use super::memory;
use super::task::{After, Filter, Pending, Phase, Stopped};
use super::tracer::Tracer;

/// Installs a filter, if the process has not got it, and lets the task go on with `registers`.
pub(super) fn filter(tracer: &mut Tracer, stopped: Stopped, registers: Registers, filter: Filter) {
    let tid = stopped.tid();
    let has_it = tracer.process_of_mut(tid).is_none_or(|process| *process.filtered(filter));
    let call = if has_it { None } else { prepare(tracer, &stopped, registers, filter) };
    let Some(call) = call else {
        let _ = registers.store(tid);
        return stopped.run();
    };
    let _ = call.store(tid);
    let after = After::Filtered(Box::new(registers), filter);
    tracer.set_phase(tid, Phase::InCall(Pending { after, before: None, entering: true }));
    stopped.resume(Resume::ToSyscallStop, 0);
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
pub(super) fn done(
    tracer: &mut Tracer,
    stopped: Stopped,
    registers: Registers,
    filter: Filter,
    result: i64,
) {
    let tid = stopped.tid();
    if result == 0
        && let Some(process) = tracer.process_of_mut(tid)
    {
        *process.filtered(filter) = true;
    }
    if result == negated(Errno::ACCESS) {
        let mut promise = registers;
        let words = [abi::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0];
        for (index, word) in words.into_iter().enumerate() {
            promise.set_argument(index, u64::from(word.unsigned_abs()));
        }
        promise.again(abi::SYS_prctl);
        let _ = promise.store(tid);
        let after = After::Promised(Box::new(registers), filter);
        tracer.set_phase(tid, Phase::InCall(Pending { after, before: None, entering: true }));
        return stopped.resume(Resume::ToSyscallStop, 0);
    }
    let _ = registers.store(tid);
    stopped.run();
}
