//! Tracing other tasks: the requests of ptrace(2) that an event loop needs, one function each.
//!
//! A request works on a task that is in a ptrace-stop and traced by the calling *thread*; else it fails with `ESRCH`,
//! also when the task has just been killed. [`next_event`] tells which task stopped, and why. Tasks are seized
//! (`PTRACE_SEIZE`), so that group stops are what they are without a tracer.
//!
//! * [`Registers`](regs::Registers): the arguments and the result of a stopped system call.
//! * [`SignalInfo`](siginfo::SignalInfo): the signal that is about to be delivered.

pub mod regs;
pub mod siginfo;
pub(crate) mod wait;

use std::ffi::c_void;
use std::fmt;
use std::ptr;

use crate::signal::SignalSet;
use crate::{Errno, Result};

pub use wait::{Event, Stop, Wait, event_of, next_event};

/// A task's number in the tracer's PID namespace, as gettid(2) gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tid(i32);

impl Tid {
    /// The task with this number, if it can be one.
    pub const fn new(number: i32) -> Option<Self> {
        if number > 0 { Some(Self(number)) } else { None }
    }

    /// The number.
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

bitflags::bitflags! {
    /// What a tracer wants to be told, and what becomes of the tracee. See ptrace(2), `PTRACE_SETOPTIONS`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Options: u64 {
        /// Marks syscall stops so that they differ from SIGTRAP.
        const SYSGOOD = libc::PTRACE_O_TRACESYSGOOD as u64;
        /// Stop after execve(2).
        const EXEC = libc::PTRACE_O_TRACEEXEC as u64;
        /// Stop before the end.
        const EXIT = libc::PTRACE_O_TRACEEXIT as u64;
        /// Stop where a filter says `SECCOMP_RET_TRACE`.
        const SECCOMP = libc::PTRACE_O_TRACESECCOMP as u64;
        /// Kill the tracee when the tracer goes.
        const EXIT_KILL = libc::PTRACE_O_EXITKILL as u64;
    }
}

/// How a stopped task goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Until something of note happens.
    Freely,
    /// Until the end (or the beginning) of a system call, at the latest.
    ToSyscallStop,
}

/// What libc takes the number of a request for.
#[cfg(target_env = "musl")]
type Request = libc::c_int;
#[cfg(not(target_env = "musl"))]
type Request = libc::c_uint;

fn request(request: Request, tid: Tid, addr: usize, data: *mut c_void) -> Result<()> {
    // SAFETY: the callers below pass what their request wants; the kernel checks the rest.
    let ret = unsafe { libc::ptrace(request, tid.0, addr as *mut c_void, data) };
    crate::signal::check(ret).map(drop)
}

/// Starts to trace a running task, without stopping it. See `PTRACE_SEIZE`.
///
/// # Errors
/// `EPERM` where it may not be traced, `ESRCH`.
pub fn seize(tid: Tid, options: Options) -> Result<()> {
    let bits = options.bits() as usize;
    request(libc::PTRACE_SEIZE, tid, 0, bits as *mut c_void)
}

/// Changes the options of a stopped task. See `PTRACE_SETOPTIONS`.
///
/// # Errors
/// `ESRCH`.
pub fn set_options(tid: Tid, options: Options) -> Result<()> {
    let bits = options.bits() as usize;
    request(libc::PTRACE_SETOPTIONS, tid, 0, bits as *mut c_void)
}

/// Lets a stopped task go on, delivering `signal` (0 for none). See `PTRACE_CONT`, `PTRACE_SYSCALL`.
///
/// # Errors
/// `ESRCH`.
pub fn resume(tid: Tid, how: Resume, signal: i32) -> Result<()> {
    let how = match how {
        Resume::Freely => libc::PTRACE_CONT,
        Resume::ToSyscallStop => libc::PTRACE_SYSCALL,
    };
    request(how, tid, 0, signal as usize as *mut c_void)
}

/// Leaves a task in its group stop, and lets it take SIGCONT. See `PTRACE_LISTEN`.
///
/// # Errors
/// `ESRCH`, `EIO` where it is in no group stop.
pub fn listen(tid: Tid) -> Result<()> {
    request(libc::PTRACE_LISTEN, tid, 0, ptr::null_mut())
}

/// Makes a running task stop ([`Stop::Trap`]); interrupts a system call that waits. See `PTRACE_INTERRUPT`.
///
/// # Errors
/// `ESRCH`.
pub fn interrupt(tid: Tid) -> Result<()> {
    request(libc::PTRACE_INTERRUPT, tid, 0, ptr::null_mut())
}

/// Stops tracing a stopped task and lets it go on. See `PTRACE_DETACH`.
///
/// # Errors
/// `ESRCH`.
pub fn detach(tid: Tid) -> Result<()> {
    request(libc::PTRACE_DETACH, tid, 0, ptr::null_mut())
}

/// The number that comes with an event: the new task's, the former number, the wait status. See `PTRACE_GETEVENTMSG`.
///
/// # Errors
/// `ESRCH`.
pub fn event_message(tid: Tid) -> Result<u64> {
    let mut message: libc::c_ulong = 0;
    request(libc::PTRACE_GETEVENTMSG, tid, 0, (&raw mut message).cast())?;
    Ok(message)
}

/// The signals that a stopped task blocks. See `PTRACE_GETSIGMASK`.
///
/// # Errors
/// `ESRCH`.
pub fn signal_mask(tid: Tid) -> Result<SignalSet> {
    let mut bits = 0u64;
    request(libc::PTRACE_GETSIGMASK as Request, tid, 8, (&raw mut bits).cast())?;
    Ok(SignalSet::from_bits(bits))
}

/// Sets the signals that a stopped task blocks. See `PTRACE_SETSIGMASK`.
///
/// # Errors
/// `ESRCH`.
pub fn set_signal_mask(tid: Tid, set: SignalSet) -> Result<()> {
    let mut bits = set.bits();
    request(libc::PTRACE_SETSIGMASK as Request, tid, 8, (&raw mut bits).cast())
}

/// Sends `signal` to one task of a process. See tgkill(2).
///
/// # Errors
/// `ESRCH`, `EPERM`, `EAGAIN`.
pub fn signal_task(process: Tid, task: Tid, signal: i32) -> Result<()> {
    // SAFETY: a system call on three numbers.
    let ret = unsafe { libc::syscall(libc::SYS_tgkill, process.0, task.0, signal) };
    crate::signal::check(ret).map(drop)
}

/// Sends `signal` to a process. See kill(2).
///
/// # Errors
/// `ESRCH`, `EPERM`.
pub fn signal_process(process: Tid, signal: i32) -> Result<()> {
    // SAFETY: a system call on two numbers, the first of them above 0: one process, no group.
    let ret = unsafe { libc::syscall(libc::SYS_kill, process.0, signal) };
    crate::signal::check(ret).map(drop)
}

/// Queues a signal with information of the caller's choice, for a process or one of its tasks. The kernel takes no
/// `si_code` of its own making from others than the task itself: `SI_QUEUE` it is. See rt_sigqueueinfo(2).
///
/// # Errors
/// `ESRCH`, `EPERM`, `EAGAIN` where too many are queued.
pub fn queue_signal(process: Tid, task: Option<Tid>, info: &siginfo::SignalInfo) -> Result<()> {
    let (signal, bytes) = (info.signal(), info.to_bytes());
    // SAFETY: numbers, and a live siginfo_t that the kernel reads.
    let ret = unsafe {
        match task {
            Some(task) => libc::syscall(
                libc::SYS_rt_tgsigqueueinfo,
                process.0,
                task.0,
                signal,
                bytes.as_ptr(),
            ),
            None => libc::syscall(libc::SYS_rt_sigqueueinfo, process.0, signal, bytes.as_ptr()),
        }
    };
    crate::signal::check(ret).map(drop)
}

/// The process group of a process; 0 if there is no such process. See getpgid(2).
pub fn group_of(process: Tid) -> i32 {
    // SAFETY: a system call on a number.
    unsafe { libc::getpgid(process.0).max(0) }
}

/// Moves a child of the caller to a process group. See setpgid(2).
///
/// # Errors
/// `EACCES`, `EPERM`, `ESRCH`.
pub fn set_group(process: Tid, group: i32) -> Result<()> {
    // SAFETY: a system call on two numbers.
    let ret = unsafe { libc::syscall(libc::SYS_setpgid, process.0, group) };
    crate::signal::check(ret).map(drop)
}

/// The session of a process; 0 if there is no such process. See getsid(2).
pub fn session_of(process: Tid) -> i32 {
    // SAFETY: a system call on a number.
    unsafe { libc::getsid(process.0).max(0) }
}

/// Where a task's list of robust futexes starts; 0 for none. See get_robust_list(2).
///
/// # Errors
/// `ESRCH`, `EPERM`.
pub fn robust_list(tid: Tid) -> Result<u64> {
    let mut head = 0u64;
    let mut size = 0usize;
    // SAFETY: two live integers that the kernel fills.
    let ret =
        unsafe { libc::syscall(libc::SYS_get_robust_list, tid.0, &raw mut head, &raw mut size) };
    crate::signal::check(ret)?;
    Ok(head)
}

/// Reads memory of a traced task, up to `buffer.len()` bytes; returns how many. See process_vm_readv(2).
///
/// # Errors
/// `EFAULT` where nothing can be read there, `ESRCH`, `EPERM`.
pub fn read_memory(tid: Tid, address: u64, buffer: &mut [u8]) -> Result<usize> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = libc::iovec { iov_base: address as *mut c_void, iov_len: buffer.len() };
    // SAFETY: `local` is a live buffer of its length; `remote` is in another process, where the kernel checks it.
    let ret =
        unsafe { libc::process_vm_readv(tid.0, &raw const local, 1, &raw const remote, 1, 0) };
    crate::signal::check(ret as i64).map(|n| n.unsigned_abs() as usize)
}

/// Reads several pieces of a traced task's memory at once, each an address and where its bytes go. See process_vm_readv(2).
///
/// # Errors
/// `EFAULT` where not all can be read, `EINVAL` for more than 1024 pieces, `ESRCH`, `EPERM`.
pub fn read_pieces(tid: Tid, pieces: &mut [(u64, &mut [u8])]) -> Result<()> {
    let whole: usize = pieces.iter().map(|(_, bytes)| bytes.len()).sum();
    let (local, remote): (Vec<_>, Vec<_>) = pieces
        .iter_mut()
        .map(|(address, bytes)| {
            let iov_len = bytes.len();
            let remote = libc::iovec { iov_base: *address as *mut c_void, iov_len };
            (libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len }, remote)
        })
        .unzip();
    let count = local.len() as libc::c_ulong;
    // SAFETY: `local` are live buffers of their lengths, each borrowed for itself; `remote` is in another process, where the
    // kernel checks it.
    let ret =
        unsafe { libc::process_vm_readv(tid.0, local.as_ptr(), count, remote.as_ptr(), count, 0) };
    match crate::signal::check(ret as i64) {
        Ok(n) if n.unsigned_abs() as usize == whole => Ok(()),
        Ok(_) => Err(Errno::FAULT),
        Err(errno) => Err(errno),
    }
}

/// Writes a word of a stopped task's memory, wherever it is: code too, of which the process has its own copy then. See
/// `PTRACE_POKEDATA`.
///
/// # Errors
/// `EIO` where nothing is mapped, `ESRCH`.
pub fn write_word(tid: Tid, address: u64, word: u64) -> Result<()> {
    request(libc::PTRACE_POKEDATA, tid, address as usize, word as *mut c_void)
}

/// Writes memory of a traced task, all of `bytes`. See process_vm_writev(2).
///
/// # Errors
/// `EFAULT` where not all of it can be written, `ESRCH`, `EPERM`.
pub fn write_memory(tid: Tid, address: u64, bytes: &[u8]) -> Result<()> {
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: address as *mut c_void, iov_len: bytes.len() };
    // SAFETY: `local` is a live buffer that is only read; `remote` is in another process, where the kernel checks it.
    let ret =
        unsafe { libc::process_vm_writev(tid.0, &raw const local, 1, &raw const remote, 1, 0) };
    match crate::signal::check(ret as i64) {
        Ok(n) if n.unsigned_abs() as usize == bytes.len() => Ok(()),
        Ok(_) => Err(Errno::FAULT),
        Err(errno) => Err(errno),
    }
}
