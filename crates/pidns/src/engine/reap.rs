//! The ends of the processes that an engine has started.

use std::io;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use pidns_sys::signal::Signal;
use pidns_sys::wait::{self, Change, Wanted};
use pidns_sys::{Errno, pidfd, poll};

use crate::status::ExitStatus;

/// How long what takes but a moment, a command's start or number 1's end, is worth staying awake for.
pub(super) const AWAKE: Duration = Duration::from_micros(100);

/// Waits for the end of a child of ours, which is the end of all that it holds together, and collects it. `None` if
/// somebody else has collected it and the kernel does not tell how it ended.
pub(super) fn collect(pidfd: impl AsFd) -> io::Result<Option<ExitStatus>> {
    match end_of(&pidfd) {
        Err(Errno::CHILD) => {
            poll::readable([pidfd.as_fd()], None)?;
            Ok(collected(&pidfd))
        }
        Err(errno) => Err(errno.into()),
        Ok(change) => Ok(change.and_then(ExitStatus::of)),
    }
}

/// Waits for a child's end, which is most likely a moment away: stays awake for [`AWAKE`] before it sleeps, since to wake
/// a cpu that has just gone idle takes longer than a process needs to end.
fn end_of(pidfd: impl AsFd) -> Result<Option<Change>, Errno> {
    let start = Instant::now();
    while start.elapsed() < AWAKE {
        if let Some(change) = wait::change_of(&pidfd, Wanted::EXITED | Wanted::NOHANG)? {
            return Ok(Some(change));
        }
        // Whoever else wants this cpu has it.
        thread::yield_now();
    }
    wait::change_of(pidfd, Wanted::EXITED)
}

/// How a child ended that a `waitpid(-1)` of the caller has collected, or the kernel because SIGCHLD is ignored.
pub(super) fn collected(pidfd: impl AsFd) -> Option<ExitStatus> {
    wait::collected(pidfd).ok().flatten().and_then(ExitStatus::of)
}

/// Sends `signal` to a child. That it has gone is no error.
pub(super) fn send_signal(pidfd: impl AsFd, signal: Signal) -> io::Result<()> {
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
