//! Waiting for descriptors. See poll(2).

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::awake::Awake;
use crate::{Errno, Result};

/// Waits until at least one of `fds` can be read, has hung up or failed, or until `timeout` is over; says which.
/// A signal handler that ran starts the wait anew, with the whole `timeout`.
///
/// # Errors
/// `ENOMEM`; `EINVAL` for more descriptors than `RLIMIT_NOFILE`.
pub fn readable<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    timeout: Option<Duration>,
) -> Result<[bool; N]> {
    let mut polled = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
    // A timeout that does not fit is longer than any machine runs.
    let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
    loop {
        match rustix::event::poll(&mut polled, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            Err(e) => return Err(e),
            Ok(_) => break,
        };
    }
    Ok(core::array::from_fn(|i| !polled[i].revents().is_empty()))
}

/// Waits like [`readable`] without a timeout, but stays [awake](crate::awake) for `awake` before it sleeps.
///
/// # Errors
/// As with [`readable`].
pub fn readable_soon<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    awake: Duration,
) -> Result<[bool; N]> {
    let look =
        || Ok(Some(readable(fds, Some(Duration::ZERO))?).filter(|ready| *ready != [false; N]));
    match Awake::new(awake).until(look)? {
        Some(ready) => Ok(ready),
        None => readable(fds, None),
    }
}

/// Waits until `fd` has hung up, or until `timeout` is over; says which. A pidfd hangs up once its process has been
/// collected (since Linux 6.9). A signal handler that ran starts the wait anew, with the whole `timeout`.
///
/// # Errors
/// `ENOMEM`.
pub fn hung_up(fd: BorrowedFd<'_>, timeout: Duration) -> Result<bool> {
    let mut polled = [PollFd::from_borrowed_fd(fd, PollFlags::empty())];
    let timeout = Timespec::try_from(timeout).ok();
    loop {
        match rustix::event::poll(&mut polled, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            Err(e) => return Err(e),
            Ok(ready) => return Ok(ready > 0),
        }
    }
}
