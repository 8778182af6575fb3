//! pidfds: handles of processes that never come to mean another process. See pidfd_open(2).

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags};

use crate::poll;
use crate::ptrace::Tid;
use crate::ptrace::siginfo::SignalInfo;
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

/// Opens a pidfd of one task, whether or not it leads a process; close-on-exec. See pidfd_open(2), `PIDFD_THREAD`.
///
/// # Errors
/// `ESRCH`; `EINVAL` before Linux 6.9.
pub fn open_task(tid: Tid) -> Result<OwnedFd> {
    const PIDFD_THREAD: PidfdFlags = PidfdFlags::from_bits_retain(libc::O_EXCL.cast_unsigned());
    let tid = Pid::from_raw(tid.number()).ok_or(Errno::INVAL)?;
    rustix::process::pidfd_open(tid, PIDFD_THREAD)
}

/// The number of the parent of the process of `pidfd`; 0 if it has none in the caller's namespace. See ioctl_pidfd(2),
/// `PIDFD_GET_INFO`.
///
/// # Errors
/// `ENOTTY` before Linux 6.13; `ESRCH` once the process has been reaped.
pub fn parent(pidfd: impl AsFd) -> Result<i32> {
    let [_, _, parent, ..] = info(pidfd, 0)?.ids;
    Ok(parent.cast_signed())
}

/// `struct pidfd_info` as it was first.
#[repr(C)]
#[derive(Default)]
pub(crate) struct PidfdInfo {
    pub(crate) mask: u64,
    cgroup: u64,
    /// pid, tgid and ppid; real, effective, saved and file system ids, of the user and the group each.
    ids: [u32; 11],
    pub(crate) exit_code: i32,
}

impl PidfdInfo {
    /// `PIDFD_INFO_EXIT`.
    pub(crate) const EXIT: u64 = 1 << 3;
}

/// What the kernel tells of the process of `pidfd`: what is always told, and what `mask` asks for.
pub(crate) fn info(pidfd: impl AsFd, mask: u64) -> Result<PidfdInfo> {
    let mut info = PidfdInfo { mask, ..PidfdInfo::default() };
    // SAFETY: the request says how long the structure is, and the kernel fills no more.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_ioctl,
            pidfd.as_fd().as_raw_fd(),
            libc::_IOWR::<PidfdInfo>(0xff, 11),
            &raw mut info,
        )
    };
    crate::signal::check(ret)?;
    Ok(info)
}

/// Queues a signal with information of the caller's choice to the task, or process, of `pidfd`. See
/// pidfd_send_signal(2), and [`ptrace::queue_signal`](crate::ptrace::queue_signal).
///
/// # Errors
/// `ESRCH`, `EPERM`, `EAGAIN` where too many are queued.
pub fn queue_signal(pidfd: impl AsFd, info: &SignalInfo) -> Result<()> {
    let (signal, bytes) = (info.signal(), info.to_bytes());
    // SAFETY: numbers, and a live siginfo_t that the kernel reads.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_fd().as_raw_fd(),
            signal,
            bytes.as_ptr(),
            0,
        )
    };
    crate::signal::check(ret).map(drop)
}

/// Says whether the process of `pidfd` has ended: then its pidfd can be read. See pidfd_open(2).
///
/// # Errors
/// `ENOMEM`.
pub fn has_ended(pidfd: impl AsFd) -> Result<bool> {
    Ok(poll::readable([pidfd.as_fd()], Some(Duration::ZERO))?[0])
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
