//! `clone3(2)`, or `clone(2)` where a filter answers the newer call with `ENOSYS`, for a child that shares the caller's
//! memory and has a stack of its own.
//!
//! The only assembly of the crate: a child on another stack cannot return through a compiled function, so the call
//! and the jump into the child's function have to be one piece.

use core::ffi::c_void;

use crate::{Errno, Result};

/// The kernel's `struct clone_args`, up to `tls` (`CLONE_ARGS_SIZE_VER0`): what clone(2) can do as well.
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
}

/// Makes a child that runs `entry(arg)` on the stack of `args`, and returns its pid.
///
/// # Safety
/// `args` has to name a stack of its own for the child, big enough for `entry`, and pointers that the kernel may
/// write to. With `CLONE_VM`, `arg` and all that `entry` touches has to live as long as the child uses it, which
/// `CLONE_VFORK` ensures for what the caller's frame holds.
pub(crate) unsafe fn clone(
    args: &mut CloneArgs,
    entry: extern "C" fn(*mut c_void) -> !,
    arg: *mut c_void,
) -> Result<i32> {
    let size = size_of::<CloneArgs>() as u64;
    let clone3 = [std::ptr::from_mut(args) as u64, size, 0, 0, 0];
    // SAFETY: the caller vouches for `args`, which the kernel reads, `entry` and `arg`.
    match unsafe { call(libc::SYS_clone3, clone3, entry, arg) } {
        // Containers' filters cannot look into `args`, so that some refuse it as if it were not there.
        // SAFETY: as above; the arguments mean the same.
        Err(Errno::NOSYS) => unsafe { call(libc::SYS_clone, as_clone(args), entry, arg) },
        result => result,
    }
}

/// The arguments of clone(2) that mean what `args` means to clone3(2).
fn as_clone(args: &CloneArgs) -> [u64; 5] {
    let flags = args.flags | args.exit_signal;
    let stack = args.stack + args.stack_size;
    // One pointer serves both: clone(2) cannot be asked for a pidfd and a parent's tid.
    let parent = if args.pidfd == 0 { args.parent_tid } else { args.pidfd };
    if cfg!(target_arch = "x86_64") {
        [flags, stack, parent, args.child_tid, args.tls]
    } else {
        [flags, stack, parent, args.tls, args.child_tid]
    }
}

/// Calls the kernel; the child leaves by `entry(arg)`.
///
/// # Safety
/// As [`clone`], for whichever call `number` is.
#[cfg(target_arch = "x86_64")]
unsafe fn call(
    number: i64,
    args: [u64; 5],
    entry: extern "C" fn(*mut c_void) -> !,
    arg: *mut c_void,
) -> Result<i32> {
    let mut ret = number;
    // SAFETY: the caller vouches for the arguments; the parent's side of the call clobbers what is declared; the child
    // never leaves the block but into `entry`, which does not return.
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
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r12") entry,
            in("r13") arg,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    pid_or_errno(ret)
}

/// Calls the kernel; the child leaves by `entry(arg)`.
///
/// # Safety
/// As on x86_64.
#[cfg(target_arch = "aarch64")]
unsafe fn call(
    number: i64,
    args: [u64; 5],
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
            inlateout("x0") args[0] => ret,
            in("x1") args[1],
            in("x2") args[2],
            in("x3") args[3],
            in("x4") args[4],
            in("x8") number,
            entry = in(reg) entry,
            arg = in(reg) arg,
        );
    }
    pid_or_errno(ret)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("pidns-sys knows clone on x86_64 and aarch64 only");

fn pid_or_errno(ret: i64) -> Result<i32> {
    let ret = i32::try_from(ret).expect("the kernel returns a pid or a small negative number");
    if ret < 0 { Err(Errno::from_raw_os_error(-ret)) } else { Ok(ret) }
}
