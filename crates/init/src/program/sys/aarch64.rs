//! System calls on AArch64: numbers and the instruction.

use core::arch::asm;
use core::ffi::c_void;

pub(super) mod nr {
    pub(crate) const EVENTFD2: usize = 19;
    pub(crate) const DUP3: usize = 24;
    pub(crate) const FCNTL: usize = 25;
    pub(crate) const IOCTL: usize = 29;
    pub(crate) const MKDIRAT: usize = 34;
    pub(crate) const UNLINKAT: usize = 35;
    pub(crate) const CHDIR: usize = 49;
    pub(crate) const FCHDIR: usize = 50;
    pub(crate) const CHROOT: usize = 51;
    pub(crate) const OPENAT: usize = 56;
    pub(crate) const CLOSE: usize = 57;
    pub(crate) const GETDENTS64: usize = 61;
    pub(crate) const READ: usize = 63;
    pub(crate) const WRITE: usize = 64;
    pub(crate) const PREAD64: usize = 67;
    pub(crate) const PPOLL: usize = 73;
    pub(crate) const SCHED_YIELD: usize = 124;
    pub(crate) const SIGNALFD4: usize = 74;
    pub(crate) const EXIT_GROUP: usize = 94;
    pub(crate) const WAITID: usize = 95;
    pub(crate) const CLOCK_GETTIME: usize = 113;
    pub(crate) const KILL: usize = 129;
    pub(crate) const RT_SIGACTION: usize = 134;
    pub(crate) const RT_SIGPROCMASK: usize = 135;
    pub(crate) const RT_SIGTIMEDWAIT: usize = 137;
    pub(crate) const SETPRIORITY: usize = 140;
    pub(crate) const SETRESUID: usize = 147;
    pub(crate) const SETRESGID: usize = 149;
    pub(crate) const SETPGID: usize = 154;
    pub(crate) const SETSID: usize = 157;
    pub(crate) const SETGROUPS: usize = 159;
    pub(crate) const PRCTL: usize = 167;
    pub(crate) const GETPID: usize = 172;
    pub(crate) const SENDTO: usize = 206;
    pub(crate) const RECVFROM: usize = 207;
    pub(crate) const SENDMSG: usize = 211;
    pub(crate) const RECVMSG: usize = 212;
    pub(crate) const CLONE: usize = 220;
    pub(crate) const EXECVE: usize = 221;
    pub(crate) const MMAP: usize = 222;
    pub(crate) const WAIT4: usize = 260;
    pub(crate) const SETNS: usize = 268;
    pub(crate) const EXECVEAT: usize = 281;
    pub(crate) const STATX: usize = 291;
    pub(crate) const PIDFD_SEND_SIGNAL: usize = 424;
    pub(crate) const PIDFD_OPEN: usize = 434;
    pub(crate) const CLONE3: usize = 435;
    pub(crate) const CLOSE_RANGE: usize = 436;
}

/// Calls the kernel with up to three arguments.
///
/// # Safety
/// The arguments must be right for the call `number`, pointers among them valid for what it does with them.
#[inline(always)]
pub(super) unsafe fn syscall3(number: usize, a: usize, b: usize, c: usize) -> isize {
    let result;
    // SAFETY: `svc 0` changes x0 only; memory as the caller promised.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a => result, in("x1") b, in("x2") c, options(nostack));
    }
    result
}

/// Calls the kernel with up to six arguments.
///
/// # Safety
/// As [`syscall3`].
#[inline(always)]
pub(super) unsafe fn syscall6(number: usize, a: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = a;
    let result;
    // SAFETY: as in `syscall3`.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a => result, in("x1") b, in("x2") c,
             in("x3") d, in("x4") e, in("x5") f, options(nostack));
    }
    result
}

/// Calls the kernel with two arguments and lets the child that it makes call `run(argument)`, on this stack below what
/// is in use.
///
/// # Safety
/// The call must be a clone(2) or clone3(2) with `CLONE_VM` and `CLONE_VFORK` and without a stack, so that the parent
/// sleeps while the child uses its own, and `argument` must be what `run` expects.
#[inline(never)]
pub(super) unsafe fn clone_vfork(
    number: usize,
    arguments: [usize; 2],
    run: extern "C" fn(*mut c_void) -> !,
    argument: *mut c_void,
) -> isize {
    let result;
    // SAFETY: the parent is asleep until the child has left this memory, so that below the stack pointer is free for
    // the child; an asm block without `nostack` owns what is there. The child never comes back from `run`.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "sub sp, sp, #128",
            "mov x29, xzr",
            "mov x0, x9",
            "blr x10",
            "brk #1",
            "2:",
            in("x8") number,
            inlateout("x0") arguments[0] => result,
            in("x1") arguments[1],
            in("x2") 0, in("x3") 0, in("x4") 0,
            in("x9") argument, in("x10") run,
        );
    }
    result
}
