//! A process of its own that shares all memory and descriptors with the caller: a *twin*.
//!
//! What a library cannot do without being noticed, a twin can: have children and tracees that a `waitpid(-1)` elsewhere
//! in the program does not find, be a child subreaper, be sent SIGCHLD. It differs from a thread in nothing else. It
//! runs on the calling thread's stack allowance and thread-local storage, while that thread sleeps.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

use crate::clone::{self, CloneArgs};
use crate::signal::Blocked;
use crate::{Errno, Result};

const STACK: usize = 2 * 1024 * 1024;
const GUARD: usize = 4096;

/// What the two share.
struct Job<F, R> {
    work: Option<F>,
    result: Option<R>,
    parent: i64,
    done: AtomicBool,
}

/// Runs `work` in a twin and returns its result once the twin has ended. All signals are blocked in the twin and, for
/// that time, in the calling thread. The twin is killed when the calling thread ends, by whatever cause.
///
/// A panic in `work` ends the twin, by SIGABRT: it does not unwind into the caller.
///
/// # Errors
/// `EAGAIN`, `ENOMEM`; `EINTR` if the twin was killed before `work` was done.
pub fn run<R, F: FnOnce() -> R>(work: F) -> Result<R> {
    let parent = i64::from(rustix::process::getpid().as_raw_nonzero().get());
    let mut job = Job { work: Some(work), result: None, parent, done: AtomicBool::new(false) };
    let stack = Stack::new()?;
    let _signals = Blocked::new();
    let share = libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_FILES | libc::CLONE_SYSVSEM;
    let mut args = CloneArgs {
        flags: share as u64,
        stack: stack.base() as u64,
        stack_size: STACK as u64,
        ..CloneArgs::default()
    };
    // SAFETY: the stack is the twin's alone; stack and job outlive it, for it is waited for below, by a thread that does
    // nothing else and so leaves its thread-local storage to the twin.
    let made = unsafe { clone::clone(&mut args, main::<F, R>, (&raw mut job).cast::<c_void>()) };
    let twin = made?;
    loop {
        // SAFETY: a system call on numbers and null pointers. On success it does not touch errno.
        let ret = unsafe {
            let null = std::ptr::null_mut::<c_void>();
            libc::syscall(libc::SYS_wait4, twin, null, libc::__WALL, null)
        };
        // Signals are blocked, so that only a stray collector of children can make it fail.
        if ret == i64::from(twin) || ret < 0 {
            break;
        }
    }
    if !job.done.load(Ordering::Acquire) {
        // It was killed in the middle of its work: what it held is lost, but nothing of it is used.
        std::mem::forget(job.work.take());
        return Err(Errno::INTR);
    }
    job.result.take().ok_or(Errno::INTR)
}

extern "C" fn main<F: FnOnce() -> R, R>(job: *mut c_void) -> ! {
    // SAFETY: `run` passes its job and does not look at it before this process has ended.
    let job = unsafe { &mut *job.cast::<Job<F, R>>() };
    // SAFETY: numbers.
    let orphaned = unsafe {
        libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
        libc::syscall(libc::SYS_getppid) != job.parent
    };
    if !orphaned && let Some(work) = job.work.take() {
        job.result = Some(work());
        job.done.store(true, Ordering::Release);
    }
    loop {
        // SAFETY: ends this process, which is no thread of the caller's.
        unsafe { libc::syscall(libc::SYS_exit_group, 0) };
    }
}

struct Stack(*mut c_void);

impl Stack {
    fn new() -> Result<Self> {
        // SAFETY: a new private mapping at an address that the kernel chooses; then its first page, which nothing uses.
        unsafe {
            let mapping = rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                GUARD + STACK,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::STACK | MapFlags::NORESERVE,
            )?;
            let stack = Self(mapping);
            rustix::mm::mprotect(mapping, GUARD, MprotectFlags::empty())?;
            Ok(stack)
        }
    }

    fn base(&self) -> *mut c_void {
        self.0.wrapping_byte_add(GUARD)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our own mapping; the twin that used it has ended.
        let _ = unsafe { rustix::mm::munmap(self.0, GUARD + STACK) };
    }
}

/// Makes the calling process, the twin, the reaper of all orphans among its descendants. See `PR_SET_CHILD_SUBREAPER`.
///
/// # Errors
/// None since Linux 3.4.
pub fn adopt_orphans() -> Result<()> {
    // SAFETY: numbers.
    let ret = unsafe { libc::syscall(libc::SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
    crate::signal::check(ret).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twin_is_another_process_in_the_same_memory() {
        let here = std::process::id();
        let mut seen = Vec::new();
        let there = run(|| {
            seen.push(1);
            rustix::process::getpid().as_raw_nonzero().get().unsigned_abs()
        });
        assert_ne!(there.unwrap(), here);
        assert_eq!(seen, [1]);
    }

    #[test]
    fn a_twin_that_is_killed_is_an_error() {
        let killed = run(|| {
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
        });
        assert_eq!(killed, Err(Errno::INTR));
    }

    #[test]
    fn a_child_of_a_twin_is_not_found_by_the_program() {
        let status = run(|| {
            adopt_orphans().unwrap();
            std::process::Command::new("true").status()
        });
        assert!(status.unwrap().unwrap().success());
    }
}
