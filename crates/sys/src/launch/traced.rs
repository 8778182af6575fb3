//! Starts a process that the calling thread traces from before its exec.
//!
//! The child runs in the caller's memory on a stack of its own, as with [`launch`](super::launch), but the caller is not
//! suspended: the child waits at a gate until it is traced with `PTRACE_O_EXITKILL`, and until then it has the caller's
//! death as its own (`PR_SET_PDEATHSIG`). So there is no moment in which the caller's end would leave it behind.

use std::ffi::c_void;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use super::stack::Stack;
use super::{Failure, OnFailure, Shared, Step, child};
use crate::clone::{self, CloneArgs};
use crate::ptrace::{self, Event, Options, Resume, Stop, Tid};
use crate::signal::Blocked;
use crate::{Errno, Result};

/// A process that has executed its program, and is stopped at that ([`Stop::Exec`]).
#[derive(Debug)]
pub struct Traced {
    /// The process.
    pub tid: Tid,
    /// As in [`Launched`](super::Launched).
    pub skipped: u64,
}

/// What caller and child share. It lives in the caller's frame until the child has executed or ended.
struct Plan<'a> {
    shared: Shared<'a>,
    parent: i64,
    /// 1 once the child is traced.
    gate: AtomicU32,
}

/// Makes a child, seizes it with `options`, does `steps` in it, and returns once it has become its program. Its exit
/// signal is SIGCHLD. Other threads of the caller's process must not wait for any child meanwhile.
///
/// # Errors
/// The step that failed; none for what comes before: `EPERM` where tracing is not allowed, `EAGAIN`, `ENOMEM`.
pub fn launch_traced(
    options: Options,
    steps: &[(Step<'_>, OnFailure)],
) -> core::result::Result<Traced, Failure> {
    let early = |errno| Failure { step: None, errno };
    let mut stack = Stack::new();
    let plan = Plan {
        shared: Shared {
            steps,
            skipped: AtomicU64::new(0),
            failed_step: AtomicI32::new(-1),
            errno: AtomicI32::new(0),
        },
        parent: i64::from(rustix::process::getpid().as_raw_nonzero().get()),
        gate: AtomicU32::new(0),
    };
    let tid = start(&plan, &mut stack).map_err(early)?;
    if let Err(errno) = ptrace::seize(tid, options) {
        // It is our child and not collected, so the number is its own.
        let _ = ptrace::signal_process(tid, libc::SIGKILL);
        let _ = await_exec(tid);
        return Err(early(errno));
    }
    plan.gate.store(1, Ordering::Release);
    open(&plan.gate);
    await_exec(tid).map_err(|errno| failure(&plan.shared, errno))?;
    Ok(Traced { tid, skipped: plan.shared.skipped.load(Ordering::Relaxed) })
}

fn start(plan: &Plan<'_>, stack: &mut Stack) -> Result<Tid> {
    let mut args = CloneArgs {
        flags: libc::CLONE_VM as u64,
        exit_signal: libc::SIGCHLD as u64,
        stack: stack.base() as u64,
        stack_size: stack.size() as u64,
        ..CloneArgs::default()
    };
    let _signals = Blocked::new();
    // SAFETY: the stack is the child's alone; stack and plan outlive its use, for `launch_traced` leaves only after its
    // exec or end.
    let made = unsafe {
        clone::clone(&mut args, child_main, std::ptr::from_ref(plan).cast_mut().cast::<c_void>())
    };
    Tid::new(made?).ok_or(Errno::SRCH)
}

/// Lets the child run to its exec stop, or to its end.
fn await_exec(tid: Tid) -> Result<()> {
    loop {
        let event = ptrace::wait::event_of(tid, ptrace::Wait::Block)?;
        let signal = match event {
            Some(Event::Stopped(Stop::Exec)) => return Ok(()),
            Some(Event::Exited(_) | Event::Killed { .. }) => return Err(Errno::CHILD),
            Some(Event::Stopped(Stop::Signal(signal))) => signal,
            Some(Event::Stopped(_)) | None => 0,
        };
        // An error means that it has been killed, which the next wait tells.
        let _ = ptrace::resume(tid, Resume::Freely, signal);
    }
}

fn failure(shared: &Shared<'_>, errno: Errno) -> Failure {
    match usize::try_from(shared.failed_step.load(Ordering::Acquire)) {
        Ok(step) => {
            let errno = Errno::from_raw_os_error(shared.errno.load(Ordering::Relaxed));
            Failure { step: Some(step), errno }
        }
        Err(_) => Failure { step: None, errno },
    }
}

fn open(gate: &AtomicU32) {
    // SAFETY: the address only is used. See futex(2).
    unsafe { libc::syscall(libc::SYS_futex, gate.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
}

/// The child. System calls only: no allocation, no lock, no panic. It shares the C library's errno with the caller,
/// which is asleep in waitpid(2) whenever a call of a step can fail here.
extern "C" fn child_main(plan: *mut c_void) -> ! {
    // SAFETY: `start` passes its plan, which lives until our exec or end.
    let plan = unsafe { &*plan.cast_const().cast::<Plan<'_>>() };
    // SAFETY: numbers, and a live word that the two processes share.
    unsafe {
        libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
        if libc::syscall(libc::SYS_getppid) != plan.parent {
            // Nobody is left to open the gate.
            libc::syscall(libc::SYS_exit_group, 127);
        }
        while plan.gate.load(Ordering::Acquire) == 0 {
            let word = plan.gate.as_ptr();
            let forever = std::ptr::null::<libc::timespec>();
            libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, 0, forever);
        }
        libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, 0, 0, 0, 0);
    }
    child::main((&raw const plan.shared).cast_mut().cast::<c_void>())
}
