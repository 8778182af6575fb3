//! pidfds: handles of processes that never come to mean another process. See pidfd_open(2).

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::process::{Pid, PidfdFlags};

use crate::signal::Signal;
use crate::{Errno, Result};

/// Opens a pidfd of the process with the number `pid`; close-on-exec. See pidfd_open(2).
///
/// # Errors
/// `ESRCH` where there is no such process, `EINVAL` for a number below 1.
pub fn open(pid: u32) -> Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::INVAL)?;
    rustix::process::pidfd_open(pid, PidfdFlags::empty())
}

/// Opens a pidfd of the calling process.
///
/// # Errors
/// `EMFILE`, `ENFILE`, `ENOSYS`.
pub fn of_self() -> Result<OwnedFd> {
    rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
}

/// Sends `signal` to the process of `pidfd`. See pidfd_send_signal(2).
///
/// # Errors
/// `ESRCH` once the process has been reaped, `EPERM`, `EINVAL` for a signal that does not exist.
pub fn send_signal(pidfd: impl AsFd, signal: Signal) -> Result<()> {
    // SAFETY: a system call on a descriptor and a number; a null siginfo is allowed. rustix takes named signals only.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_fd().as_raw_fd(),
            signal.number(),
            core::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    crate::signal::check(ret).map(drop)
}
