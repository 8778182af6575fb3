//! Terminals and job control. See ioctl_tty(2), credentials(7).
//!
//! In a PID namespace, the caller's group and session may be outside of it, and so may a terminal's foreground group:
//! their number is 0 then, for which rustix has no room.

use std::os::fd::{AsFd, AsRawFd};

use crate::signal::check;
use crate::{Errno, Result};

/// The foreground process group of the terminal `tty`; 0 if it is outside the caller's PID namespace. See
/// tcgetpgrp(3).
///
/// # Errors
/// `ENOTTY` where it is no terminal, or not the caller's controlling one.
pub fn foreground(tty: impl AsFd) -> Result<u32> {
    let mut group: libc::pid_t = 0;
    // SAFETY: TIOCGPGRP stores a pid_t.
    let ret = unsafe { libc::ioctl(tty.as_fd().as_raw_fd(), libc::TIOCGPGRP, &raw mut group) };
    check(ret.into())?;
    Ok(group.unsigned_abs())
}

/// Makes `group` the foreground process group of the terminal `tty`. Callers in the background have to block or
/// ignore SIGTTOU. See tcsetpgrp(3).
///
/// # Errors
/// `ENOTTY`, `EINVAL`, `EPERM` as the man page says; `ESRCH` for a group that is not there.
pub fn set_foreground(tty: impl AsFd, group: u32) -> Result<()> {
    let group: libc::pid_t = group.try_into().map_err(|_| Errno::INVAL)?;
    // SAFETY: TIOCSPGRP reads a pid_t.
    let ret = unsafe { libc::ioctl(tty.as_fd().as_raw_fd(), libc::TIOCSPGRP, &raw const group) };
    check(ret.into()).map(drop)
}

/// How many columns the terminal `tty` has; `None` where it is no terminal, or does not know. See TIOCGWINSZ(2const).
pub fn columns(tty: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(tty).ok()?;
    (size.ws_col > 0).then_some(size.ws_col.into())
}

/// The caller's process group; 0 if it is outside the caller's PID namespace. See getpgrp(2).
pub fn own_group() -> u32 {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::getpgrp() }.unsigned_abs()
}

/// Says whether the process group `group` has no process any more that the caller can see. See kill(2).
pub fn is_empty(group: u32) -> bool {
    // 0 and 1 would mean others: the caller's group, and everybody.
    let Some(group) = libc::pid_t::try_from(group).ok().filter(|group| *group > 1) else {
        return false;
    };
    // SAFETY: a system call on two numbers, which sends nothing.
    let ret = unsafe { libc::kill(-group, 0) };
    check(ret.into()) == Err(Errno::SRCH)
}

/// Says whether the caller leads its session. See setsid(2).
pub fn leads_session() -> bool {
    // SAFETY: two system calls on numbers.
    unsafe { libc::getsid(0) == libc::getpid() }
}
