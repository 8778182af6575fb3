//! The ends of children, by pidfd. See waitid(2).

use std::os::fd::{AsFd, AsRawFd};

use crate::pidfd::{self, PidfdInfo};
use crate::{Errno, Result};

/// What a child did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has ended with this exit code (0 to 255).
    Exited(i32),
    /// This signal has ended it.
    Killed(i32),
    /// This signal has ended it, and it dumped core.
    Dumped(i32),
    /// This signal has stopped it.
    Stopped(i32),
    /// It goes on.
    Continued,
}

/// Waits for what `wanted` names of the child behind `pidfd`, whatever its exit signal is (`__WALL`), and collects
/// it. `None` where nothing has happened, with [`Wanted::NOHANG`]. A signal handler that ran does not end the wait.
///
/// # Errors
/// `ECHILD` where it is no child of the caller, or has been collected already.
pub fn change_of(pidfd: impl AsFd, wanted: Wanted) -> Result<Option<Change>> {
    // SAFETY: an all-zero siginfo_t is a valid value of plain data.
    let mut info: libc::siginfo_t = unsafe { core::mem::zeroed() };
    loop {
        // SAFETY: `info` is a live siginfo_t that the kernel may fill.
        let ret = unsafe {
            libc::syscall(
                libc::SYS_waitid,
                libc::P_PIDFD,
                pidfd.as_fd().as_raw_fd(),
                &raw mut info,
                wanted.bits() | libc::__WALL,
                core::ptr::null::<libc::rusage>(),
            )
        };
        match crate::signal::check(ret) {
            Err(Errno::INTR) => {}
            Err(e) => return Err(e),
            Ok(_) => break,
        }
    }
    // SAFETY: waitid has succeeded, so the fields of SIGCHLD are set, or zero where nothing was found.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 && info.si_signo == 0 {
        return Ok(None);
    }
    Ok(change(info.si_code, status))
}

/// How the process behind `pidfd` ended, whoever has collected it; `None` where it has not been collected yet. See
/// ioctl_pidfd(2), `PIDFD_GET_INFO`.
///
/// # Errors
/// `ENOTTY` before Linux 6.13; `ENODATA` before Linux 6.15, which does not keep it.
pub fn collected(pidfd: impl AsFd) -> Result<Option<Change>> {
    match pidfd::info(pidfd, PidfdInfo::EXIT) {
        // A kernel that does not know the flag says that the process has gone.
        Err(Errno::SRCH) => Err(Errno::NODATA),
        Err(e) => Err(e),
        Ok(info) if info.mask & PidfdInfo::EXIT == 0 => Ok(None),
        Ok(info) => Ok(Some(from_status(info.exit_code))),
    }
}

/// What a wait status of an end says. See wait(2).
fn from_status(status: i32) -> Change {
    match status & 0x7f {
        0 => Change::Exited(status >> 8 & 0xff),
        signal if status & 0x80 != 0 => Change::Dumped(signal),
        signal => Change::Killed(signal),
    }
}

fn change(code: i32, status: i32) -> Option<Change> {
    match code {
        libc::CLD_EXITED => Some(Change::Exited(status)),
        libc::CLD_KILLED => Some(Change::Killed(status)),
        libc::CLD_DUMPED => Some(Change::Dumped(status)),
        libc::CLD_STOPPED | libc::CLD_TRAPPED => Some(Change::Stopped(status)),
        libc::CLD_CONTINUED => Some(Change::Continued),
        _ => None,
    }
}

bitflags::bitflags! {
    /// What to wait for. See waitid(2), "options".
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Wanted: i32 {
        /// Its end.
        const EXITED = libc::WEXITED;
        /// That it stops.
        const STOPPED = libc::WSTOPPED;
        /// That it goes on.
        const CONTINUED = libc::WCONTINUED;
        /// Do not wait.
        const NOHANG = libc::WNOHANG;
        /// Leave it to be collected again.
        const NOWAIT = libc::WNOWAIT;
    }
}
