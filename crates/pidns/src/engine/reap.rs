//! The ends of the processes that an engine has started.

use std::io;
use std::os::fd::AsFd;

use pidns_sys::signal::Signal;
use pidns_sys::wait::{self, Wanted};
use pidns_sys::{Errno, pidfd};

use crate::status::ExitStatus;

/// Waits for the end of a child of ours, which is the end of all that it holds together, and collects it.
pub(super) fn collect(pidfd: impl AsFd) -> io::Result<ExitStatus> {
    let change = wait::change_of(pidfd, Wanted::EXITED)?;
    change.and_then(ExitStatus::of).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// Makes sure that nothing of a launch that failed is left.
pub(super) fn give_up(pidfd: impl AsFd) {
    // One that cannot be killed is not to be waited for.
    if matches!(pidfd::send_signal(&pidfd, Signal::KILL), Ok(()) | Err(Errno::SRCH)) {
        let _ = collect(pidfd);
    }
}
