//! Processes by pidfd, and their place in the tree of processes.

use core::mem::{MaybeUninit, size_of};

use super::{Result, SIGCHLD, check, nr, syscall3, syscall6};

/// Opens a pidfd of the process `pid`; close-on-exec: pidfd_open(2).
pub(crate) fn pidfd_open(pid: i32) -> Result<i32> {
    // SAFETY: takes numbers only.
    check(unsafe { syscall3(nr::PIDFD_OPEN, pid as usize, 0, 0) }).map(|fd| fd as i32)
}

/// Says whether the process of `pidfd` is a child of this process that it has not reaped: waitid(2) with `P_PIDFD`.
pub(crate) fn is_child(pidfd: i32) -> bool {
    const P_PIDFD: usize = 3;
    waits_for(P_PIDFD, pidfd)
}

/// Says whether the process `pid` is a child of this process that it has not reaped: waitid(2) with `P_PID`.
pub(crate) fn is_child_by_number(pid: i32) -> bool {
    const P_PID: usize = 1;
    waits_for(P_PID, pid)
}

/// Says whether this process has children that it has not reaped: waitid(2) with `P_ALL`.
pub(crate) fn has_children() -> bool {
    const P_ALL: usize = 0;
    waits_for(P_ALL, 0)
}

/// Whether there is such a child, whatever state it is in. Leaves it as it is.
fn waits_for(kind: usize, id: i32) -> bool {
    const WNOHANG: usize = 1;
    const WEXITED: usize = 4;
    const WNOWAIT: usize = 0x0100_0000;
    const WALL: usize = 0x4000_0000;
    let options = WNOHANG | WEXITED | WNOWAIT | WALL;
    // SAFETY: numbers, and no room for information or usage, which the kernel then leaves out.
    check(unsafe { syscall6(nr::WAITID, [kind, id as usize, 0, options, 0, 0]) }).is_ok()
}

/// The number of the parent of the process of `pidfd`: `PIDFD_GET_INFO` of ioctl_pidfd(2), since Linux 6.13; `ENOTTY`
/// or `EINVAL` before that, `ESRCH` for a process that has been reaped.
pub(crate) fn parent_of(pidfd: i32) -> Result<i32> {
    /// The first 64 bytes of `struct pidfd_info`, its first published form.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        mask: u64,
        cgroup: u64,
        pid: u32,
        tgid: u32,
        ppid: u32,
        ids: [u32; 8],
        exit_code: i32,
    }
    /// _IOWR(0xff, 11, struct pidfd_info)
    const PIDFD_GET_INFO: usize = 3 << 30 | size_of::<Info>() << 16 | 0xff << 8 | 11;
    let mut info = Info::default();
    // SAFETY: the request carries the size of what the kernel may write.
    check(unsafe { syscall3(nr::IOCTL, pidfd as usize, PIDFD_GET_INFO, &raw mut info as usize) })?;
    Ok(info.ppid as i32)
}

/// The two sides of [`fork`].
pub(crate) enum Forked {
    /// In the new process.
    Child,
    /// In the process that was there before.
    Parent {
        /// A pidfd of the new one; close-on-exec.
        child: i32,
    },
}

/// Makes a process that goes on from here with a copy of all memory: clone(2) as fork(2), with `CLONE_PIDFD`.
pub(crate) fn fork() -> Result<Forked> {
    const CLONE_PIDFD: usize = 0x1000;
    let mut child = MaybeUninit::<i32>::uninit();
    let flags = CLONE_PIDFD | SIGCHLD as usize;
    // SAFETY: no memory is shared and no stack given, so both go on from here, each in a memory of its own; the pidfd
    // is stored in the parent's.
    let pid =
        check(unsafe { syscall6(nr::CLONE, [flags, 0, child.as_mut_ptr() as usize, 0, 0, 0]) })?;
    match pid {
        0 => Ok(Forked::Child),
        // SAFETY: stored by the kernel, since the call has succeeded.
        _ => Ok(Forked::Parent { child: unsafe { child.assume_init() } }),
    }
}

/// Makes this process the leader of a session of its own, without a terminal: setsid(2).
pub(crate) fn lead_session() -> Result<()> {
    // SAFETY: takes nothing.
    check(unsafe { syscall3(nr::SETSID, 0, 0, 0) }).map(|_| ())
}

/// Asks for as much of the processor as an unprivileged or privileged process may: setpriority(2).
pub(crate) fn hurry() {
    const PRIO_PROCESS: usize = 0;
    const FIRST: usize = -20_isize as usize;
    // SAFETY: takes numbers only. That it is not allowed is no reason to stop.
    let _ = unsafe { syscall3(nr::SETPRIORITY, PRIO_PROCESS, 0, FIRST) };
}

/// Makes a counter that can be polled for, close-on-exec, at zero: eventfd(2).
pub(crate) fn event_fd() -> Result<i32> {
    const EFD_CLOEXEC: usize = 0o2_000_000;
    // SAFETY: takes numbers only.
    check(unsafe { syscall3(nr::EVENTFD2, 0, EFD_CLOEXEC, 0) }).map(|fd| fd as i32)
}
