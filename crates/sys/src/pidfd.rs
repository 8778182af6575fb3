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

/// `struct pidfd_info` of the kernel, as far as `PIDFD_INFO_SIZE_VER0`.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroupid: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// The end of a process that has been collected, by whomever: its wait status, as waitpid(2) gives it. `None` where the
/// kernel does not tell: before 6.15, or before it has been collected. See ioctl_pidfd(2), `PIDFD_INFO_EXIT`.
///
/// # Errors
/// None in practice.
pub fn exit_status(pidfd: impl AsFd) -> Result<Option<i32>> {
    const PIDFD_INFO_EXIT: u64 = 1 << 3;
    const PIDFD_GET_INFO: libc::c_ulong = 0xc040_ff0b;
    let mut info = Info { mask: PIDFD_INFO_EXIT, ..Info::default() };
    // SAFETY: `info` is a live structure of the size that is part of the request's number.
    let ret = unsafe { libc::ioctl(pidfd.as_fd().as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    match crate::signal::check(ret.into()) {
        // A kernel that does not know the request, or cannot tell any more.
        Err(Errno::NOTTY | Errno::INVAL | Errno::SRCH) => Ok(None),
        Err(errno) => Err(errno),
        Ok(_) => Ok((info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code)),
    }
}
