//! Terminals and job control. See termios(3), credentials(7).

use std::os::fd::AsFd;

use rustix::process::Pid;

use crate::{Errno, Result};

/// The foreground process group of the terminal `tty`. See tcgetpgrp(3).
///
/// # Errors
/// `ENOTTY` where it is no terminal, or not the caller's controlling one; `ESRCH` where the group is not visible.
pub fn foreground(tty: impl AsFd) -> Result<u32> {
    let group = rustix::termios::tcgetpgrp(tty)?;
    Ok(group.as_raw_nonzero().get().unsigned_abs())
}

/// Makes `group` the foreground process group of the terminal `tty`. Callers in the background have to block or
/// ignore SIGTTOU. See tcsetpgrp(3).
///
/// # Errors
/// `ENOTTY`, `EINVAL`, `EPERM` as the man page says.
pub fn set_foreground(tty: impl AsFd, group: u32) -> Result<()> {
    let group = i32::try_from(group).ok().and_then(Pid::from_raw).ok_or(Errno::INVAL)?;
    rustix::termios::tcsetpgrp(tty, group)
}

/// The caller's process group. See getpgrp(2).
pub fn own_group() -> u32 {
    rustix::process::getpgrp().as_raw_nonzero().get().unsigned_abs()
}

/// Says whether the caller leads its session. See setsid(2).
pub fn leads_session() -> bool {
    rustix::process::getsid(None) == Ok(rustix::process::getpid())
}
