//! The ends of the processes that an engine has started.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use pidns_sys::signal::Signal;
use pidns_sys::wait::{self, Wanted};
use pidns_sys::{Errno, pidfd, poll};

use crate::status::ExitStatus;

/// How long what takes but a moment, a command's start or number 1's end, is worth staying awake for.
pub(super) const AWAKE: Duration = Duration::from_micros(100);

/// Waits for the end of a child of ours, which is the end of all that it holds together, and collects it. `None` if
/// somebody else has collected it and the kernel does not tell how it ended.
pub(super) fn collect(pidfd: impl AsFd) -> io::Result<Option<ExitStatus>> {
    poll::readable_soon([pidfd.as_fd()], AWAKE)?;
    match wait::change_of(&pidfd, Wanted::EXITED) {
        Err(Errno::CHILD) => Ok(collected(&pidfd)),
        Err(errno) => Err(errno.into()),
        Ok(change) => Ok(change.and_then(ExitStatus::of)),
    }
}

/// How a child ended that a `waitpid(-1)` of the caller has collected, or the kernel because SIGCHLD is ignored.
pub(super) fn collected(pidfd: impl AsFd) -> Option<ExitStatus> {
    wait::collected(pidfd).ok().flatten().and_then(ExitStatus::of)
}

/// Sends `signal` to a process. That it has gone is no error.
pub(crate) fn send_signal(pidfd: impl AsFd, signal: Signal) -> io::Result<()> {
    match pidfd::send_signal(pidfd, signal) {
        Err(Errno::SRCH) => Ok(()),
        result => Ok(result?),
    }
}

/// Makes sure that nothing of a launch that failed is left.
pub(super) fn give_up(pidfd: impl AsFd) {
    // One that cannot be killed is not to be waited for.
    if send_signal(&pidfd, Signal::KILL).is_ok() {
        let _ = collect(pidfd);
    }
}
