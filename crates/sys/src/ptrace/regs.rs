//! The registers of a stopped task: where a system call has its number, arguments and result.
//!
//! All that differs between architectures is in this file. Only x86_64 is there; elsewhere the engine is unavailable.

use super::{Tid, request};
use crate::Result;

/// All integer registers of a task. See `PTRACE_GETREGS`.
#[derive(Clone, Copy)]
pub struct Registers(libc::user_regs_struct);

impl std::fmt::Debug for Registers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registers(call {} = {}, at {:#x})", self.call(), self.result(), self.0.rip)
    }
}

/// The length of the instruction that enters the kernel.
const SYSCALL_LENGTH: u64 = 2;

/// The kernel's own errno for a call that is made again whatever the signal's handler wants.
const ERESTARTNOINTR: i64 = 513;

impl Registers {
    /// Reads the registers of a stopped task.
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn of(tid: Tid) -> Result<Self> {
        // SAFETY: plain integers, for which zero is a value.
        let mut regs: libc::user_regs_struct = unsafe { core::mem::zeroed() };
        request(libc::PTRACE_GETREGS, tid, 0, (&raw mut regs).cast())?;
        Ok(Self(regs))
    }

    /// Writes them back.
    ///
    /// # Errors
    /// `ESRCH`, `EIO` for values that no task can have.
    pub fn store(&self, tid: Tid) -> Result<()> {
        request(libc::PTRACE_SETREGS, tid, 0, (&raw const self.0).cast_mut().cast())
    }

    /// The number of the system call that the task is in; negative if none.
    pub const fn call(&self) -> i64 {
        self.0.orig_rax.cast_signed()
    }

    /// Makes it another system call, at its entry.
    pub const fn set_call(&mut self, call: i64) {
        self.0.orig_rax = call.cast_unsigned();
    }

    /// Says whether a system call that waited was interrupted by a signal and may be restarted.
    ///
    /// The kernel's `ERESTARTSYS`, `ERESTARTNOINTR`, `ERESTARTNOHAND`, `ERESTART_RESTARTBLOCK`: seen by tracers only.
    pub const fn interrupted(&self) -> bool {
        self.call() >= 0 && Self::is_interruption(self.result())
    }

    /// Says whether this result of a system call is one of those.
    pub const fn is_interruption(result: i64) -> bool {
        matches!(result, -516 | -514 | -513 | -512)
    }

    /// Argument `index` (0 to 5) of the system call.
    ///
    /// # Panics
    /// For other indices.
    pub const fn argument(&self, index: usize) -> u64 {
        match index {
            0 => self.0.rdi,
            1 => self.0.rsi,
            2 => self.0.rdx,
            3 => self.0.r10,
            4 => self.0.r8,
            5 => self.0.r9,
            _ => panic!("system calls have six arguments"),
        }
    }

    /// Sets argument `index` (0 to 5).
    ///
    /// # Panics
    /// For other indices.
    pub const fn set_argument(&mut self, index: usize, value: u64) {
        match index {
            0 => self.0.rdi = value,
            1 => self.0.rsi = value,
            2 => self.0.rdx = value,
            3 => self.0.r10 = value,
            4 => self.0.r8 = value,
            5 => self.0.r9 = value,
            _ => panic!("system calls have six arguments"),
        }
    }

    /// The result: a value, or a negated errno.
    pub const fn result(&self) -> i64 {
        self.0.rax.cast_signed()
    }

    /// Sets the result of the call that the task leaves.
    pub const fn set_result(&mut self, result: i64) {
        self.0.rax = result.cast_unsigned();
    }

    /// At the entry of a call: makes the kernel skip it and return `result`.
    pub const fn skip_with(&mut self, result: i64) {
        self.0.orig_rax = u64::MAX;
        self.0.rax = result.cast_unsigned();
    }

    /// At the end of a call, or a stop by SIGSYS: makes the task execute `call` next, with the arguments as set.
    pub const fn again(&mut self, call: i64) {
        self.0.rip -= SYSCALL_LENGTH;
        self.0.rax = call.cast_unsigned();
        self.0.orig_rax = u64::MAX;
    }

    /// At a stop by a filter's SIGSYS: the call that was not made.
    pub const fn trapped_call(&self) -> i64 {
        self.0.orig_rax.cast_signed()
    }

    /// At a stop by a filter's SIGSYS: lets the task go on as after a call with this `result`.
    pub const fn answer_trap(&mut self, result: i64) {
        self.0.orig_rax = u64::MAX;
        self.0.rax = result.cast_unsigned();
    }

    /// At a signal's stop in a call that waited: as if the kernel had found the signal in the call `call`, so that it is
    /// made again or fails with `EINTR`, as the signal's handler has it (sigaction(2), `SA_RESTART`); or is made again in any
    /// case, as fork(2) is, if the kernel wants that.
    pub const fn interrupt(&mut self, call: i64) {
        const ERESTARTSYS: i64 = 512;
        self.0.orig_rax = call.cast_unsigned();
        if self.result() != -ERESTARTNOINTR {
            self.0.rax = (-ERESTARTSYS).cast_unsigned();
        }
    }

    /// At a signal's stop in a call that was interrupted: the call is made again, whatever the signal's handler wants.
    pub const fn interrupt_unnoticed(&mut self) {
        self.0.rax = (-ERESTARTNOINTR).cast_unsigned();
    }

    /// Takes the arguments of `before`.
    pub const fn restore_arguments(&mut self, before: &Self) {
        self.0.rdi = before.0.rdi;
        self.0.rsi = before.0.rsi;
        self.0.rdx = before.0.rdx;
        self.0.r10 = before.0.r10;
        self.0.r8 = before.0.r8;
        self.0.r9 = before.0.r9;
    }

    /// Says whether a store would change nothing that matters to a call.
    pub const fn equals(&self, other: &Self) -> bool {
        self.same_call(other) && self.0.rax == other.0.rax
    }

    /// Says whether call and arguments are the same.
    pub const fn same_call(&self, other: &Self) -> bool {
        let (a, b) = (&self.0, &other.0);
        a.orig_rax == b.orig_rax
            && a.rdi == b.rdi
            && a.rsi == b.rsi
            && a.rdx == b.rdx
            && a.r10 == b.r10
            && a.r8 == b.r8
            && a.r9 == b.r9
            && a.rip == b.rip
    }

    /// Says whether the task is in the same call, made from the same place.
    pub const fn same_place(&self, other: &Self) -> bool {
        let (a, b) = (&self.0, &other.0);
        a.orig_rax == b.orig_rax && a.rip == b.rip && a.rsp == b.rsp
    }

    /// Where the task's stack ends.
    pub const fn stack_pointer(&self) -> u64 {
        self.0.rsp
    }

    /// Where the next instruction is.
    pub const fn instruction_pointer(&self) -> u64 {
        self.0.rip
    }

    /// Sets where its stack ends.
    pub const fn set_stack_pointer(&mut self, at: u64) {
        self.0.rsp = at;
    }

    /// Sets where the next instruction is.
    pub const fn jump(&mut self, to: u64) {
        self.0.rip = to;
    }

    /// Says whether the task runs 32-bit code: it has come by an exec of an i386 program, or by a far jump.
    pub const fn is_compat(&self) -> bool {
        self.0.cs == 0x23
    }
}
