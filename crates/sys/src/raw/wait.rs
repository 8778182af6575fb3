//! wait4(2), waitid(2), poll(2) on pidfds: what became of a child, with every argument the kernel knows.

use super::errno::{RawErrno, check};

/// What waitid(2) tells of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildInfo {
    /// Why: one of the `CLD_*` codes.
    pub code: i32,
    /// The child's number.
    pub pid: i32,
    /// Exit status or signal number, as `code` says.
    pub status: i32,
}

/// Calls wait4(2) and returns the number and the status word.
///
/// # Errors
/// Those of wait4(2).
#[doc(alias = "waitpid")]
pub fn wait4(pid: i32, options: i32) -> Result<(i32, i32), RawErrno> {
    let mut status = 0;
    // SAFETY: `status` is a live local; no usage is asked for.
    let result = unsafe {
        libc::syscall(
            libc::SYS_wait4,
            pid,
            &raw mut status,
            options,
            std::ptr::null_mut::<libc::c_void>(),
        )
    };
    Ok((check(result)? as i32, status))
}

/// Calls waitid(2). `None`: nothing to report (with `WNOHANG`).
///
/// # Errors
/// Those of waitid(2).
pub fn waitid(kind: i32, id: i32, options: i32) -> Result<Option<ChildInfo>, RawErrno> {
    // SAFETY: a siginfo of zeroes is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: `info` is a live local; no usage is asked for.
    let result = unsafe { libc::syscall(libc::SYS_waitid, kind, id, &raw mut info, options, none) };
    check(result)?;
    if info.si_signo == 0 {
        return Ok(None);
    }
    // SAFETY: waitid(2) fills the fields of a SIGCHLD record.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    Ok(Some(ChildInfo { code: info.si_code, pid, status }))
}

/// Polls `fd` for input without waiting and returns the events.
///
/// # Errors
/// Those of poll(2).
pub fn poll_now(fd: i32) -> Result<i16, RawErrno> {
    let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one live entry.
    check(unsafe { libc::poll(&raw mut entry, 1, 0) }.into())?;
    Ok(entry.revents)
}
