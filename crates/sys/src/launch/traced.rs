//! Starts a process that the calling thread traces from before its exec, beneath a reaper of its own.
//!
//! ```text
//! calling thread --clone3(VM)--> reaper --clone3(VM|VFORK)--> child: gate, steps, exec
//! ```
//! The *reaper* shares the caller's memory, as the child of [`launch`](super::launch) does, but stays: it is the child
//! subreaper (prctl(2)) of all that comes from the child, ignores SIGCHLD, and so lets every orphan's zombie vanish at
//! once, whatever reaps outside. It holds no descriptor, takes no signal but SIGKILL, and goes with the calling thread
//! (`PR_SET_PDEATHSIG`) or with [`Reaper::end`].
//!
//! The child waits at a gate until it is traced with `PTRACE_O_EXITKILL`; before that it dies with the reaper. So there
//! is no moment in which the caller's death would leave it behind.

use std::ffi::c_void;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use super::stack::Stack;
use super::{Failure, OnFailure, Shared, Step, child};
use crate::clone3::{self, CloneArgs};
use crate::ptrace::{self, Event, Options, Resume, Stop, Tid};
use crate::signal::{Blocked, Signal};
use crate::{Errno, Result};

/// A process that has executed its program, and is stopped at that ([`Stop::Exec`]).
#[derive(Debug)]
pub struct Traced {
    /// The process.
    pub tid: Tid,
    /// Its parent.
    pub reaper: Reaper,
    /// As in [`Launched`](super::Launched).
    pub skipped: u64,
}

/// The parent of the traced process.
#[derive(Debug)]
pub struct Reaper {
    tid: Tid,
    ended: bool,
    // The reaper runs on it.
    _stack: Stack,
}

impl Reaper {
    /// Its number.
    pub fn tid(&self) -> Tid {
        self.tid
    }

    /// Notes that it has been collected by [`ptrace::next_event`].
    pub fn collected(&mut self) {
        self.ended = true;
    }

    /// Ends it and collects it. Orphans that are left pass to the caller's own reaper.
    pub fn end(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        // It is our child and not collected, so the number is its own.
        let _ = ptrace::signal_process(self.tid, libc::SIGKILL);
        while wait_for(self.tid).is_ok_and(|event| matches!(event, Event::Stopped(_))) {}
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the three share. All of it lives in the caller's frame until the child has executed; the reaper uses it no
/// longer than that.
struct Plan<'a> {
    shared: Shared<'a>,
    stack: &'a Stack,
    reaper: AtomicI32,
    /// 0 at first, then the child's number, or a negated errno.
    child: AtomicI32,
    /// 1 once the child is traced.
    gate: AtomicU32,
}

/// Makes the reaper and the child, seizes the child with `options`, does `steps` in it, and returns once it has become
/// its program. The calling thread is the tracer.
///
/// # Errors
/// The step that failed; none for what comes before: `EPERM` where tracing is not allowed, `EAGAIN`, `ENOMEM`.
pub fn launch_traced(
    options: Options,
    steps: &[(Step<'_>, OnFailure)],
) -> core::result::Result<Traced, Failure> {
    let early = |errno| Failure { step: None, errno };
    let stack = Stack::new().map_err(early)?;
    let plan = Plan {
        shared: Shared {
            steps,
            skipped: AtomicU64::new(0),
            failed_step: AtomicI32::new(-1),
            errno: AtomicI32::new(0),
        },
        stack: &stack,
        reaper: AtomicI32::new(0),
        child: AtomicI32::new(0),
        gate: AtomicU32::new(0),
    };
    // From here on `plan` is in use by others; it is not left before they have done with it.
    let mut reaper = start_reaper(&plan).map_err(early)?;
    let tid = match child_of(&plan, &mut reaper) {
        Ok(tid) => tid,
        Err(errno) => return Err(early(errno)),
    };
    if let Err(errno) = ptrace::seize(tid, options) {
        // The child is at the gate, and goes with its parent.
        reaper.end();
        await_end_of(tid);
        return Err(early(errno));
    }
    plan.gate.store(1, Ordering::Release);
    wake(plan.gate.as_ptr().cast_const());
    await_exec(tid).map_err(|errno| {
        match usize::try_from(plan.shared.failed_step.load(Ordering::Acquire)) {
            Ok(step) => Failure {
                step: Some(step),
                errno: Errno::from_raw_os_error(plan.shared.errno.load(Ordering::Relaxed)),
            },
            Err(_) => early(errno),
        }
    })?;
    let skipped = plan.shared.skipped.load(Ordering::Relaxed);
    Ok(Traced { tid, reaper, skipped })
}

fn start_reaper(plan: &Plan<'_>) -> Result<Reaper> {
    let stack = Stack::new()?;
    let mut tid = 0i32;
    let mut args = CloneArgs {
        flags: (libc::CLONE_VM | libc::CLONE_PARENT_SETTID) as u64,
        parent_tid: &raw mut tid as u64,
        stack: stack.base() as u64,
        stack_size: stack.size() as u64,
        ..CloneArgs::default()
    };
    let _signals = Blocked::new();
    // SAFETY: the stack lives in the `Reaper`, which ends the process before it is freed; the plan outlives its use, see
    // `launch_traced`.
    let made = unsafe {
        clone3::clone3(&mut args, reaper_main, std::ptr::from_ref(plan).cast_mut().cast::<c_void>())
    };
    let tid = Tid::new(made?).ok_or(Errno::SRCH)?;
    plan.reaper.store(tid.number(), Ordering::Release);
    Ok(Reaper { tid, ended: false, _stack: stack })
}

/// The child's number, once the reaper has made it.
fn child_of(plan: &Plan<'_>, reaper: &mut Reaper) -> Result<Tid> {
    loop {
        match plan.child.load(Ordering::Acquire) {
            0 => {}
            number @ 1.. => return Tid::new(number).ok_or(Errno::SRCH),
            errno => return Err(Errno::from_raw_os_error(-errno)),
        }
        sleep_while(plan.child.as_ptr().cast_const().cast(), 0, Some(20_000_000));
        if has_ended(reaper.tid) {
            reaper.ended = true;
            return Err(Errno::CHILD);
        }
    }
}

/// Lets the child run to its exec stop.
fn await_exec(tid: Tid) -> Result<()> {
    loop {
        let signal = match wait_for(tid)? {
            Event::Stopped(Stop::Exec) => return Ok(()),
            Event::Exited(_) | Event::Killed { .. } => return Err(Errno::CHILD),
            Event::Stopped(Stop::Signal(signal)) => signal,
            Event::Stopped(_) => 0,
        };
        // An error means that it has been killed, which the next wait tells.
        let _ = ptrace::resume(tid, Resume::Freely, signal);
    }
}

fn await_end_of(tid: Tid) {
    // It is no child of ours and not traced: it exists until its parent's reaper, or ours, has collected it.
    while ptrace::signal_process(tid, 0).is_ok() && !is_zombie(tid) {
        std::thread::yield_now();
    }
}

fn is_zombie(tid: Tid) -> bool {
    std::fs::read_to_string(format!("/proc/{tid}/stat")).map_or(true, |stat| {
        stat.rsplit(") ").next().is_none_or(|rest| rest.starts_with(['Z', 'X']))
    })
}

fn wait_for(tid: Tid) -> Result<Event> {
    ptrace::wait::event_of(tid, ptrace::Wait::Block).map(|event| event.expect("a blocking wait"))
}

fn has_ended(tid: Tid) -> bool {
    matches!(
        ptrace::wait::event_of(tid, ptrace::Wait::Poll),
        Ok(Some(Event::Exited(_) | Event::Killed { .. })) | Err(_)
    )
}

/// Sleeps until the word is no longer `value`, a wake, or the time (in nanoseconds) is over. See futex(2).
///
/// The C library's errno is one for the three processes. It stays that of the caller's thread: without a limit this
/// call cannot fail but where there is nothing to wait for, and nobody reads errno then.
fn sleep_while(word: *const u32, value: u32, nanoseconds: Option<i64>) {
    let time = nanoseconds.map(|tv_nsec| libc::timespec { tv_sec: 0, tv_nsec });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: a live word of memory that the three processes share; null or a live timespec.
    unsafe {
        libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, value, time);
    }
}

fn wake(word: *const u32) {
    // SAFETY: the address only is used.
    unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, i32::MAX) };
}

/// The reaper. Between here and the end of the file: system calls only, no allocation, no lock, no panic.
extern "C" fn reaper_main(plan: *mut c_void) -> ! {
    // SAFETY: `launch_traced` passes its plan, which outlives the call of `make_child`.
    unsafe {
        prepare_reaper();
        make_child(plan.cast_const().cast::<Plan<'_>>());
        // Nothing of the plan from here on.
        libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0);
        loop {
            libc::syscall(libc::SYS_pause);
        }
    }
}

/// # Safety
/// In the reaper.
unsafe fn prepare_reaper() {
    // SAFETY: numbers, and a C string of less than 16 bytes.
    unsafe {
        libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
        libc::syscall(libc::SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        libc::syscall(libc::SYS_prctl, libc::PR_SET_NAME, c"pidns-reaper".as_ptr(), 0, 0, 0);
    }
    let _ = child::set_action(Signal::CHLD, libc::SIG_IGN);
}

/// # Safety
/// In the reaper, with the plan alive until the child has executed or ended.
unsafe fn make_child(plan: *const Plan<'_>) {
    // SAFETY: says the caller.
    let shared = unsafe { &*plan };
    let mut args = CloneArgs {
        flags: (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PARENT_SETTID) as u64,
        parent_tid: shared.child.as_ptr() as u64,
        exit_signal: libc::SIGCHLD as u64,
        stack: shared.stack.base() as u64,
        stack_size: shared.stack.size() as u64,
        ..CloneArgs::default()
    };
    // SAFETY: the child has a stack of its own; this process is suspended until the child has done with the plan.
    if let Err(errno) = unsafe { clone3::clone3(&mut args, child_main, plan.cast_mut().cast()) } {
        shared.child.store(-errno.raw_os_error(), Ordering::Release);
        wake(shared.child.as_ptr().cast_const().cast());
    }
}

extern "C" fn child_main(plan: *mut c_void) -> ! {
    // SAFETY: as in `make_child`.
    let plan = unsafe { &*plan.cast_const().cast::<Plan<'_>>() };
    // SAFETY: numbers only. If the reaper is gone already, nobody would ever open the gate.
    unsafe {
        libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
        let parent = libc::syscall(libc::SYS_getppid);
        let reaper = plan.reaper.load(Ordering::Acquire);
        if reaper != 0 && parent != i64::from(reaper) {
            libc::syscall(libc::SYS_exit_group, 127);
        }
    }
    wake(plan.child.as_ptr().cast_const().cast());
    while plan.gate.load(Ordering::Acquire) == 0 {
        sleep_while(plan.gate.as_ptr().cast_const(), 0, None);
    }
    // SAFETY: numbers only.
    unsafe { libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, 0, 0, 0, 0) };
    let _ = child::set_action(Signal::CHLD, libc::SIG_DFL);
    child::main((&raw const plan.shared).cast_mut().cast::<c_void>())
}
