//! Descriptors: copies at chosen numbers, pipes, /dev/null.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;

use crate::Result;

/// Returns `fd`, or a copy of it, at number `floor` or above; close-on-exec. See fcntl(2), `F_DUPFD_CLOEXEC`.
///
/// # Errors
/// `EMFILE` where no number is free.
pub fn at_or_above(fd: OwnedFd, floor: i32) -> Result<OwnedFd> {
    if fd.as_raw_fd() >= floor {
        return Ok(fd);
    }
    copy_above(&fd, floor)
}

/// Copies `fd` to a number of `floor` or above; close-on-exec. See fcntl(2), `F_DUPFD_CLOEXEC`.
///
/// # Errors
/// `EMFILE` where no number is free.
pub fn copy_above(fd: impl AsFd, floor: i32) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, floor)
}

/// Makes a pipe: the end to read, then the end to write; both close-on-exec. See pipe(2).
///
/// # Errors
/// `EMFILE`, `ENFILE`.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
}

/// Opens /dev/null for reading and writing; close-on-exec.
///
/// # Errors
/// `ENOENT` where there is no /dev/null.
pub fn dev_null() -> Result<OwnedFd> {
    rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}
