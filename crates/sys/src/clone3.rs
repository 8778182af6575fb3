//! `clone3(2)` for a child that shares the caller's memory and has a stack of its own.
//!
//! The only assembly of the crate: a child on another stack cannot return through a compiled function, so the call
//! and the jump into the child's function have to be one piece.

use core::ffi::c_void;

use crate::{Errno, Result};

/// The kernel's `struct clone_args`, up to `cgroup` (`CLONE_ARGS_SIZE_VER2`).
#[repr(C)]
#[derive(Default)]
pub(crate) struct CloneArgs {
    pub(crate) flags: u64,
    pub(crate) pidfd: u64,
    pub(crate) child_tid: u64,
    pub(crate) parent_tid: u64,
    pub(crate) exit_signal: u64,
    pub(crate) stack: u64,
    pub(crate) stack_size: u64,
    pub(crate) tls: u64,
    pub(crate) set_tid: u64,
    pub(crate) set_tid_size: u64,
    pub(crate) cgroup: u64,
}

/// Makes a child that runs `entry(arg)` on the stack of `args`, and returns its pid. Where clone3(2) is not to be had,
/// as in containers, by clone(2), which takes these arguments too.
///
/// # Safety
/// As for [`by_clone3`].
pub(crate) unsafe fn clone3(
    args: &mut CloneArgs,
    entry: extern "C" fn(*mut c_void) -> !,
    arg: *mut c_void,
) -> Result<i32> {
    // SAFETY: says the caller.
    match unsafe { by_clone3(args, entry, arg) } {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: says the caller; the failed call has done nothing.
        Err(Errno::NOSYS) if args.set_tid == 0 && args.cgroup == 0 => unsafe {
            by_clone(args, entry, arg)
        },
        result => result,
    }
}

/// The same by clone(2).
///
/// # Safety
/// As for [`by_clone3`].
#[cfg(target_arch = "x86_64")]
unsafe fn by_clone(
    args: &CloneArgs,
    entry: extern "C" fn(*mut c_void) -> !,
    arg: *mut c_void,
) -> Result<i32> {
    let mut ret = libc::SYS_clone;
    let third = if args.pidfd != 0 { args.pidfd } else { args.parent_tid };
    // SAFETY: as in `by_clone3`.
    unsafe {
        core::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r13",
            "call r12",
            "ud2",
            "2:",
            inlateout("rax") ret,
            in("rdi") args.flags | args.exit_signal,
            in("rsi") args.stack + args.stack_size,
            in("rdx") third,
            in("r10") args.child_tid,
            in("r8") args.tls,
            in("r12") entry,
            in("r13") arg,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    pid_or_errno(ret)
}

/// Makes a child that runs `entry(arg)` on the stack of `args`, and returns its pid.
///
/// # Safety
/// `args` has to name a stack of its own for the child, big enough for `entry`, and pointers that the kernel may
/// write to. With `CLONE_VM`, `arg` and all that `entry` touches has to live as long as the child uses it, which
/// `CLONE_VFORK` ensures for what the caller's frame holds.
#[cfg(target_arch = "x86_64")]
unsafe fn by_clone3(
    args: &mut CloneArgs,
    entry: extern "C" fn(*mut c_void) -> !,
    arg: *mut c_void,
) -> Result<i32> {
    let mut ret = libc::SYS_clone3;
    // SAFETY: the caller vouches for `args`; the parent's side of the call clobbers what is declared; the child never
    // leaves the block but into `entry`, which does not return.
    unsafe {
        core::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r13",
            "call r12",
            "ud2",
            "2:",
            inlateout("rax") ret,
            in("rdi") args as *mut CloneArgs,
            in("rsi") size_of::<CloneArgs>(),
            in("r12") entry,
            in("r13") arg,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    pid_or_errno(ret)
}

/// Makes a child that runs `entry(arg)` on the stack of `args`, and returns its pid.
///
/// # Safety
/// As on x86_64.
#[cfg(target_arch = "aarch64")]
unsafe fn by_clone3(
    args: &mut CloneArgs,
    entry: extern "C" fn(*mut c_void) -> !,
    arg: *mut c_void,
) -> Result<i32> {
    let ret: i64;
    // SAFETY: as on x86_64.
    unsafe {
        core::arch::asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, {arg}",
            "blr {entry}",
            "brk 1",
            "2:",
            inlateout("x0") args as *mut CloneArgs => ret,
            in("x1") size_of::<CloneArgs>(),
            in("x8") libc::SYS_clone3,
            entry = in(reg) entry,
            arg = in(reg) arg,
        );
    }
    pid_or_errno(ret)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("pidns-sys knows clone3 on x86_64 and aarch64 only");

fn pid_or_errno(ret: i64) -> Result<i32> {
    let ret = i32::try_from(ret).expect("the kernel returns a pid or a small negative number");
    if ret < 0 { Err(Errno::from_raw_os_error(-ret)) } else { Ok(ret) }
}
