//! System calls on x86-64: numbers and the instruction.

use core::arch::asm;
use core::ffi::c_void;

pub(super) mod nr {
    pub(crate) const READ: usize = 0;
    pub(crate) const WRITE: usize = 1;
    pub(crate) const CLOSE: usize = 3;
    pub(crate) const MMAP: usize = 9;
    pub(crate) const RT_SIGACTION: usize = 13;
    pub(crate) const RT_SIGPROCMASK: usize = 14;
    pub(crate) const IOCTL: usize = 16;
    pub(crate) const PREAD64: usize = 17;
    pub(crate) const GETPID: usize = 39;
    pub(crate) const SENDTO: usize = 44;
    pub(crate) const RECVFROM: usize = 45;
    pub(crate) const SENDMSG: usize = 46;
    pub(crate) const RECVMSG: usize = 47;
    pub(crate) const CLONE: usize = 56;
    pub(crate) const EXECVE: usize = 59;
    pub(crate) const WAIT4: usize = 61;
    pub(crate) const KILL: usize = 62;
    pub(crate) const FCNTL: usize = 72;
    pub(crate) const CHDIR: usize = 80;
    pub(crate) const FCHDIR: usize = 81;
    pub(crate) const SETPGID: usize = 109;
    pub(crate) const SETSID: usize = 112;
    pub(crate) const SETGROUPS: usize = 116;
    pub(crate) const SETRESUID: usize = 117;
    pub(crate) const SETRESGID: usize = 119;
    pub(crate) const RT_SIGTIMEDWAIT: usize = 128;
    pub(crate) const SETPRIORITY: usize = 141;
    pub(crate) const PRCTL: usize = 157;
    pub(crate) const CHROOT: usize = 161;
    pub(crate) const GETDENTS64: usize = 217;
    pub(crate) const CLOCK_GETTIME: usize = 228;
    pub(crate) const EXIT_GROUP: usize = 231;
    pub(crate) const WAITID: usize = 247;
    pub(crate) const OPENAT: usize = 257;
    pub(crate) const MKDIRAT: usize = 258;
    pub(crate) const UNLINKAT: usize = 263;
    pub(crate) const PPOLL: usize = 271;
    pub(crate) const SCHED_YIELD: usize = 24;
    pub(crate) const SIGNALFD4: usize = 289;
    pub(crate) const EVENTFD2: usize = 290;
    pub(crate) const DUP3: usize = 292;
    pub(crate) const SETNS: usize = 308;
    pub(crate) const EXECVEAT: usize = 322;
    pub(crate) const STATX: usize = 332;
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
    // SAFETY: the `syscall` instruction changes rax, rcx and r11, all named here; memory as the caller promised.
    unsafe {
        asm!("syscall", inlateout("rax") number => result, in("rdi") a, in("rsi") b, in("rdx") c,
             lateout("rcx") _, lateout("r11") _, options(nostack));
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
        asm!("syscall", inlateout("rax") number => result, in("rdi") a, in("rsi") b, in("rdx") c,
             in("r10") d, in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
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
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "sub rsp, 128",
            "and rsp, -16",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") number => result,
            in("rdi") arguments[0], in("rsi") arguments[1],
            in("rdx") 0, in("r10") 0, in("r8") 0,
            in("r12") argument, in("r13") run,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    result
}
