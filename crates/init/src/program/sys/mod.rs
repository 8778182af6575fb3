//! The kernel, called without a libc: one small function per system call that number 1 makes.
//!
//! All unsafe system calls of the program are here, except for the start of a process, which [`spawn`](super::spawn)
//! builds on [`clone_vfork`]. Numbers and instructions differ per architecture and are in the files beside this one.

use core::ffi::{CStr, c_char, c_void};
use core::ptr;

#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod arch;
#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod arch;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("pidns-init speaks to Linux on x86-64 and AArch64 only");

mod entry;
mod files;
mod processes;
mod socket;

use arch::{nr, syscall3, syscall6};
pub(crate) use entry::*;
pub(crate) use files::*;
pub(crate) use processes::*;
pub(crate) use socket::*;

/// Why a system call failed: a number of errno(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

impl Errno {
    pub(crate) const EPERM: Self = Self(1);
    pub(crate) const ENOENT: Self = Self(2);
    pub(crate) const ESRCH: Self = Self(3);
    pub(crate) const EINTR: Self = Self(4);
    pub(crate) const E2BIG: Self = Self(7);
    pub(crate) const ENOEXEC: Self = Self(8);
    pub(crate) const EIO: Self = Self(5);
    pub(crate) const ENXIO: Self = Self(6);
    pub(crate) const EBADF: Self = Self(9);
    pub(crate) const ECHILD: Self = Self(10);
    pub(crate) const EAGAIN: Self = Self(11);
    pub(crate) const ENOMEM: Self = Self(12);
    pub(crate) const EACCES: Self = Self(13);
    pub(crate) const EBUSY: Self = Self(16);
    pub(crate) const ENODEV: Self = Self(19);
    pub(crate) const ENOTDIR: Self = Self(20);
    pub(crate) const EISDIR: Self = Self(21);
    pub(crate) const EINVAL: Self = Self(22);
    pub(crate) const ENOTTY: Self = Self(25);
    pub(crate) const ETXTBSY: Self = Self(26);
    pub(crate) const ENAMETOOLONG: Self = Self(36);
    pub(crate) const ELOOP: Self = Self(40);
    pub(crate) const ECONNRESET: Self = Self(104);
    pub(crate) const ETIMEDOUT: Self = Self(110);
    pub(crate) const ESTALE: Self = Self(116);
}

/// What a system call gives.
pub(crate) type Result<T> = core::result::Result<T, Errno>;

/// Tells results from errors: the kernel returns -4095 ..= -1 for the latter.
fn check(result: isize) -> Result<usize> {
    if result < 0 { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}

/// A set of signals, as the kernel has it: bit n-1 stands for signal n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct SignalSet(pub(crate) u64);

impl SignalSet {
    /// Every signal there is.
    pub(crate) const ALL: Self = Self(!0);

    /// The set of `signals` alone.
    pub(crate) const fn of(signals: &[i32]) -> Self {
        let mut bits = 0;
        let mut rest = signals;
        while let [first, others @ ..] = rest {
            bits |= 1 << (*first - 1);
            rest = others;
        }
        Self(bits)
    }

    /// This set less `others`.
    pub(crate) const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

pub(crate) const SIGILL: i32 = 4;
pub(crate) const SIGTRAP: i32 = 5;
pub(crate) const SIGABRT: i32 = 6;
pub(crate) const SIGBUS: i32 = 7;
pub(crate) const SIGFPE: i32 = 8;
pub(crate) const SIGKILL: i32 = 9;
pub(crate) const SIGSEGV: i32 = 11;
pub(crate) const SIGPIPE: i32 = 13;
pub(crate) const SIGCHLD: i32 = 17;
pub(crate) const SIGCONT: i32 = 18;
/// SIGHUP, SIGINT, SIGQUIT, SIGTERM: they ask for an end.
pub(crate) const ENDS: [i32; 4] = [1, 2, 3, 15];
pub(crate) const SIGSTOP: i32 = 19;
pub(crate) const SIGTTIN: i32 = 21;
pub(crate) const SIGTTOU: i32 = 22;
pub(crate) const SIGSYS: i32 = 31;
/// The last signal: a real-time one.
pub(crate) const SIGRTMAX: i32 = 64;

/// How a signal is taken where there is no handler: sigaction(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Disposition {
    /// `SIG_DFL`.
    Default = 0,
    /// `SIG_IGN`.
    Ignore = 1,
}

/// The kernel's own `struct sigaction`, which differs from a libc's.
#[repr(C)]
struct KernelSigaction {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

/// Sets how `signal` is taken and tells how it was taken before: rt_sigaction(2).
pub(crate) fn set_disposition(signal: i32, disposition: Disposition) -> Disposition {
    let new = KernelSigaction { handler: disposition as usize, flags: 0, restorer: 0, mask: 0 };
    let mut old = KernelSigaction { handler: 0, flags: 0, restorer: 0, mask: 0 };
    // SAFETY: both structures are of the kernel's layout; no handler is installed, so no code can be run by it.
    let _ = unsafe {
        syscall6(
            nr::RT_SIGACTION,
            [signal as usize, &raw const new as usize, &raw mut old as usize, 8, 0, 0],
        )
    };
    if old.handler == Disposition::Ignore as usize {
        Disposition::Ignore
    } else {
        Disposition::Default
    }
}

/// Replaces the signal mask and returns the one before: rt_sigprocmask(2).
pub(crate) fn set_mask(mask: SignalSet) -> SignalSet {
    const SIG_SETMASK: usize = 2;
    let mut old = SignalSet(0);
    // SAFETY: both sets are of the eight bytes that the kernel asks for.
    let _ = unsafe {
        syscall6(
            nr::RT_SIGPROCMASK,
            [SIG_SETMASK, &raw const mask as usize, &raw mut old as usize, 8, 0, 0],
        )
    };
    old
}

/// Waits for a signal of `set`, all of which must be blocked, and takes it; `EAGAIN` if none has come after
/// `timeout_ns`: rt_sigtimedwait(2).
pub(crate) fn take_signal(set: SignalSet, timeout_ns: Option<u64>) -> Result<i32> {
    let time = timeout_ns.map(timespec);
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: a set of eight bytes, a time or none; no information is asked for.
    let result = unsafe {
        syscall6(nr::RT_SIGTIMEDWAIT, [&raw const set as usize, 0, time as usize, 8, 0, 0])
    };
    check(result).map(|signal| signal as i32)
}

/// A time as the kernel has it: seconds and nanoseconds, two words on 64-bit machines.
fn timespec(ns: u64) -> [u64; 2] {
    [ns / NS_PER_S, ns % NS_PER_S]
}

/// Makes a non-blocking descriptor on which signals of `set` can be polled for and taken: signalfd(2).
pub(crate) fn signal_fd(set: SignalSet) -> Result<i32> {
    const SFD_CLOEXEC_NONBLOCK: usize = 0o2_000_000 | 0o4000;
    // SAFETY: the set is of eight bytes.
    let result = unsafe {
        syscall6(
            nr::SIGNALFD4,
            [usize::MAX, &raw const set as usize, 8, SFD_CLOEXEC_NONBLOCK, 0, 0],
        )
    };
    check(result).map(|fd| fd as i32)
}

/// Standard output.
pub(crate) const STDOUT: i32 = 1;
/// Standard error.
pub(crate) const STDERR: i32 = 2;

/// Reads what is there, up to the size of `buffer`: read(2).
pub(crate) fn read(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most the given length.
    check(unsafe { syscall3(nr::READ, fd as usize, buffer.as_mut_ptr() as usize, buffer.len()) })
}

/// Writes `bytes`, possibly only some of them: write(2).
pub(crate) fn write(fd: i32, bytes: &[u8]) -> Result<usize> {
    // SAFETY: the kernel only reads the bytes.
    check(unsafe { syscall3(nr::WRITE, fd as usize, bytes.as_ptr() as usize, bytes.len()) })
}

/// One descriptor to wait for: poll(2).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct PollFd {
    /// Passed over if negative.
    pub(crate) fd: i32,
    pub(crate) events: i16,
    pub(crate) revents: i16,
}

impl PollFd {
    const READABLE: i16 = 1;
    const WRITABLE: i16 = 4;

    /// Waits for something to read, or for the end of it.
    pub(crate) fn input(fd: i32) -> Self {
        Self { fd, events: Self::READABLE, revents: 0 }
    }

    /// Waits for room to write, too.
    pub(crate) fn both(fd: i32) -> Self {
        Self { fd, events: Self::READABLE | Self::WRITABLE, revents: 0 }
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.revents & Self::READABLE != 0
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.revents & Self::WRITABLE != 0
    }

    /// Whether there is anything to know about it: what was waited for, an end, an error, no such descriptor.
    pub(crate) fn is_ready(&self) -> bool {
        self.revents != 0
    }

    /// Whether there is more to know about it than what was waited for.
    pub(crate) fn is_broken(&self) -> bool {
        self.revents & !self.events != 0
    }
}

/// Waits until one of `fds` has something to tell or `timeout_ns` is over: ppoll(2).
pub(crate) fn poll(fds: &mut [PollFd], timeout_ns: Option<u64>) -> Result<usize> {
    let mut time = timeout_ns.map(timespec);
    let time = time.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    // SAFETY: the descriptors and the time are ours to be written to; the signal mask is left alone.
    check(unsafe {
        syscall6(nr::PPOLL, [fds.as_mut_ptr() as usize, fds.len(), time as usize, 0, 8, 0])
    })
}

/// The same, but stays awake up to `awake_until_ns` before it sleeps: to wake a cpu that has just gone idle takes long.
/// Whoever else wants this cpu has it: sched_yield(2).
pub(crate) fn poll_awake(
    fds: &mut [PollFd],
    timeout_ns: Option<u64>,
    awake_until_ns: u64,
) -> Result<usize> {
    while now_ns() < awake_until_ns {
        match poll(fds, Some(0)) {
            // SAFETY: no arguments.
            Ok(0) => drop(unsafe { syscall3(nr::SCHED_YIELD, 0, 0, 0) }),
            result => return result,
        }
    }
    poll(fds, timeout_ns)
}

const NS_PER_S: u64 = 1_000_000_000;

/// The time of the monotonic clock in nanoseconds: clock_gettime(2).
pub(crate) fn now_ns() -> u64 {
    const CLOCK_MONOTONIC: usize = 1;
    let mut time = [0_u64; 2];
    // SAFETY: the kernel writes one `timespec`, which is two words on 64-bit machines.
    let _ = unsafe { syscall3(nr::CLOCK_GETTIME, CLOCK_MONOTONIC, time.as_mut_ptr() as usize, 0) };
    time[0].saturating_mul(NS_PER_S).saturating_add(time[1])
}

/// What a child has used: getrusage(2). Only the first fields are of interest here.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) user_s: u64,
    pub(crate) user_us: u64,
    pub(crate) system_s: u64,
    pub(crate) system_us: u64,
    pub(crate) max_rss_kb: u64,
    _rest: [u64; 13],
}

/// A wait status as wait4(2) gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Exited { code: i32 },
    Signaled { signal: i32, core_dumped: bool },
    Stopped { signal: i32 },
    Continued,
}

impl Change {
    /// Takes a wait status apart: wait(2).
    pub(crate) fn from_status(status: i32) -> Self {
        match status & 0x7f {
            _ if status == 0xffff => Self::Continued,
            0 => Self::Exited { code: status >> 8 & 0xff },
            0x7f => Self::Stopped { signal: status >> 8 & 0xff },
            signal => Self::Signaled { signal, core_dumped: status & 0x80 != 0 },
        }
    }
}

/// Which changes of children [`wait`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changes {
    Ends,
    All,
}

/// Takes one change of any child, if there is one: `Ok(None)` if not, `ECHILD` if there is no child at all: wait4(2).
pub(crate) fn wait(changes: Changes, usage: &mut Usage) -> Result<Option<(i32, Change)>> {
    const WNOHANG: usize = 1;
    const WUNTRACED: usize = 2;
    const WCONTINUED: usize = 8;
    const WALL: usize = 0x4000_0000;
    let options = match changes {
        Changes::Ends => WNOHANG | WALL,
        Changes::All => WNOHANG | WALL | WUNTRACED | WCONTINUED,
    };
    let mut status = 0_i32;
    let arguments =
        [usize::MAX, &raw mut status as usize, options, ptr::from_mut(usage) as usize, 0, 0];
    // SAFETY: status and usage are of the kernel's layout and ours to be written to.
    let pid = check(unsafe { syscall6(nr::WAIT4, arguments) })? as i32;
    Ok((pid != 0).then(|| (pid, Change::from_status(status))))
}

/// This process's number: getpid(2).
pub(crate) fn pid() -> i32 {
    // SAFETY: takes nothing, cannot fail.
    (unsafe { syscall3(nr::GETPID, 0, 0, 0) }) as i32
}

/// Sends `signal` to a process, a group (negative), or all there are (-1): kill(2).
pub(crate) fn kill(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe { syscall3(nr::KILL, pid as usize, signal as usize, 0) }).map(|_| ())
}

/// Sends `signal` to the process of a pidfd: pidfd_send_signal(2).
pub(crate) fn pidfd_kill(pidfd: i32, signal: i32) -> Result<()> {
    // SAFETY: takes numbers and no information.
    check(unsafe { syscall6(nr::PIDFD_SEND_SIGNAL, [pidfd as usize, signal as usize, 0, 0, 0, 0]) })
        .map(|_| ())
}

/// Makes this process the leader of a process group of its own: setpgid(2).
pub(crate) fn lead_group() -> Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe { syscall3(nr::SETPGID, 0, 0, 0) }).map(|_| ())
}

/// Puts this process's group into the foreground of the terminal `fd`: TIOCSPGRP of ioctl_tty(2).
pub(crate) fn take_foreground(fd: i32) -> Result<()> {
    const TIOCSPGRP: usize = 0x5410;
    let group = pid();
    // SAFETY: the kernel reads one `pid_t`.
    check(unsafe { syscall3(nr::IOCTL, fd as usize, TIOCSPGRP, &raw const group as usize) })
        .map(|_| ())
}

/// Names this process: PR_SET_NAME of prctl(2).
pub(crate) fn set_name(name: &CStr) {
    const PR_SET_NAME: usize = 15;
    // SAFETY: the kernel reads up to 16 bytes and stops at the zero. Naming cannot fail then.
    let _ = unsafe { syscall3(nr::PRCTL, PR_SET_NAME, name.as_ptr() as usize, 0) };
}

/// Has `signal` sent to this process when its parent ends: PR_SET_PDEATHSIG(2const).
pub(crate) fn set_parent_death_signal(signal: i32) -> Result<()> {
    const PR_SET_PDEATHSIG: usize = 1;
    // SAFETY: takes numbers only.
    check(unsafe { syscall3(nr::PRCTL, PR_SET_PDEATHSIG, signal as usize, 0) }).map(|_| ())
}

/// Makes this process the one that adopts its orphaned descendants: PR_SET_CHILD_SUBREAPER(2const).
pub(crate) fn become_subreaper() -> Result<()> {
    const PR_SET_CHILD_SUBREAPER: usize = 36;
    // SAFETY: takes numbers only.
    check(unsafe { syscall6(nr::PRCTL, [PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0, 0]) }).map(|_| ())
}

/// Tells whether this process adopts its orphaned descendants: PR_GET_CHILD_SUBREAPER(2const).
pub(crate) fn is_subreaper() -> bool {
    const PR_GET_CHILD_SUBREAPER: usize = 37;
    let mut flag = 0_i32;
    // SAFETY: the kernel writes one `int`.
    let _ = unsafe {
        syscall6(nr::PRCTL, [PR_GET_CHILD_SUBREAPER, &raw mut flag as usize, 0, 0, 0, 0])
    };
    flag != 0
}

/// Closes `fd`, if it is open: close(2).
pub(crate) fn close(fd: i32) {
    // SAFETY: the program has no owner types for descriptors; nothing uses `fd` after this.
    let _ = unsafe { syscall3(nr::CLOSE, fd as usize, 0, 0) };
}

/// Makes `to` a copy of `from` that passes an exec: dup3(2).
pub(crate) fn duplicate(from: i32, to: i32) -> Result<()> {
    // SAFETY: two numbers; the program has no owner types for descriptors.
    check(unsafe { syscall3(nr::DUP3, from as usize, to as usize, 0) }).map(|_| ())
}

/// Closes all descriptors from `first` to `last`: close_range(2).
pub(crate) fn close_range(first: u32, last: u32) -> Result<()> {
    // SAFETY: as `close`.
    check(unsafe { syscall3(nr::CLOSE_RANGE, first as usize, last as usize, 0) }).map(|_| ())
}

/// Replaces this process's program; returns only if that failed: execve(2).
///
/// # Safety
/// Both vectors must be arrays of strings that end with a null pointer.
pub(crate) unsafe fn exec(
    path: &CStr,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> Errno {
    // SAFETY: as the caller promised; `path` ends with a zero byte.
    let result =
        unsafe { syscall3(nr::EXECVE, path.as_ptr() as usize, argv as usize, envp as usize) };
    Errno(-result as i32)
}

/// Starts a child that runs `run(argument)` in this memory while this process sleeps, until the child has executed
/// a program or has ended: clone(2) with `CLONE_VM | CLONE_VFORK`. Its exit signal is SIGCHLD.
///
/// # Safety
/// `argument` must be what `run` expects, and `run` must leave the memory as this process can bear it.
pub(crate) unsafe fn clone_vfork(
    run: extern "C" fn(*mut c_void) -> !,
    argument: *mut c_void,
) -> Result<i32> {
    let flags = CLONE_VM | CLONE_VFORK | SIGCHLD as usize;
    // SAFETY: both flags are set, no stack is given; the rest as the caller promised.
    check(unsafe { arch::clone_vfork(nr::CLONE, [flags, 0], run, argument) }).map(|pid| pid as i32)
}

const CLONE_VM: usize = 0x100;
const CLONE_VFORK: usize = 0x4000;

/// As [`clone_vfork`], with the child in the cgroup of which `cgroup` is the directory: clone3(2), `CLONE_INTO_CGROUP`.
///
/// # Safety
/// As [`clone_vfork`].
pub(crate) unsafe fn clone_vfork_into(
    cgroup: i32,
    run: extern "C" fn(*mut c_void) -> !,
    argument: *mut c_void,
) -> Result<i32> {
    /// `struct clone_args`, up to `cgroup`.
    #[repr(C)]
    #[derive(Default)]
    struct Arguments {
        flags: u64,
        _pidfd_child_tid_and_parent_tid: [u64; 3],
        exit_signal: u64,
        _stack_and_size: [u64; 2],
        _tls: u64,
        _set_tid_and_size: [u64; 2],
        cgroup: u64,
    }
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let arguments = Arguments {
        flags: (CLONE_VM | CLONE_VFORK) as u64 | CLONE_INTO_CGROUP,
        exit_signal: SIGCHLD as u64,
        cgroup: cgroup as u64,
        ..Arguments::default()
    };
    let call = [&raw const arguments as usize, size_of::<Arguments>()];
    // SAFETY: both flags are set, no stack is given, the structure is of the kernel's layout; the rest as the caller
    // promised.
    check(unsafe { arch::clone_vfork(nr::CLONE3, call, run, argument) }).map(|pid| pid as i32)
}

/// Ends this process: exit_group(2).
pub(crate) fn exit(code: i32) -> ! {
    loop {
        // SAFETY: ends the process.
        unsafe { syscall3(nr::EXIT_GROUP, code as usize, 0, 0) };
    }
}
