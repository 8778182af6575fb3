//! What happens to the calling thread's tracees. See waitpid(2), ptrace(2) "Stopped states".

use super::Tid;
use crate::{Errno, Result};

/// What happened to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It has ended with this exit code.
    Exited(i32),
    /// This signal has ended it.
    Killed {
        /// Which.
        signal: i32,
        /// With a core dump.
        dumped: bool,
    },
    /// It is in a ptrace-stop and stays there until it is resumed.
    Stopped(Stop),
}

/// Why a task stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// This signal is about to be delivered.
    Signal(i32),
    /// It enters or leaves a system call.
    Syscall,
    /// A filter has answered `SECCOMP_RET_TRACE`.
    Seccomp,
    /// It has executed a program.
    Exec,
    /// It is about to end.
    Exit,
    /// Its process is in a group stop by this signal.
    Group(i32),
    /// A new task's first stop, the end of a group stop, or an interrupt.
    Trap,
}

/// Waits for the next event of a child or tracee of the calling thread; `None` if there is none yet and `block` is
/// [`Wait::Poll`]. A task that ended is collected.
///
/// # Errors
/// `ECHILD` where the thread has neither children nor tracees.
pub fn next_event(wait: Wait) -> Result<Option<(Tid, Event)>> {
    wait_for(-1, wait)
}

/// Waits for the next event of this child or tracee of the calling thread. Unlike [`next_event`], this costs the same
/// however many there are.
///
/// # Errors
/// `ECHILD` where it is none, or has been collected.
pub fn event_of(tid: Tid, wait: Wait) -> Result<Option<Event>> {
    wait_for(tid.number(), wait).map(|found| found.map(|(_, event)| event))
}

fn wait_for(which: i32, wait: Wait) -> Result<Option<(Tid, Event)>> {
    let mut options = libc::__WALL | libc::__WNOTHREAD;
    if wait == Wait::Poll {
        options |= libc::WNOHANG;
    }
    loop {
        let mut status = 0;
        // SAFETY: a live integer that the kernel fills; no resource usage is asked for.
        let ret = unsafe { libc::waitpid(which, &raw mut status, options) };
        match crate::signal::check(i64::from(ret)) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Tid::new(ret).map(|tid| (tid, event(status)))),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Whether to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until something happens.
    Block,
    /// Not at all.
    Poll,
}

fn event(status: i32) -> Event {
    if libc::WIFEXITED(status) {
        Event::Exited(libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        Event::Killed { signal: libc::WTERMSIG(status), dumped: libc::WCOREDUMP(status) }
    } else {
        Event::Stopped(stop(libc::WSTOPSIG(status), status >> 16))
    }
}

fn stop(signal: i32, event: i32) -> Stop {
    const SYSCALL: i32 = libc::SIGTRAP | 0x80;
    match (event, signal) {
        (0, SYSCALL) => Stop::Syscall,
        (libc::PTRACE_EVENT_SECCOMP, _) => Stop::Seccomp,
        (libc::PTRACE_EVENT_EXEC, _) => Stop::Exec,
        (libc::PTRACE_EVENT_EXIT, _) => Stop::Exit,
        (libc::PTRACE_EVENT_STOP, libc::SIGTRAP) => Stop::Trap,
        (libc::PTRACE_EVENT_STOP, signal) => Stop::Group(signal),
        (_, signal) => Stop::Signal(signal),
    }
}
