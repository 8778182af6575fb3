//! Descriptors: copies at chosen numbers, pipes, /dev/null.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;

use crate::signal::check;
use crate::{Errno, Result};

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

/// Copies the descriptor `number`, if it is open and passes an exec, to a number of `floor` or above; close-on-exec. See
/// fcntl(2), `F_GETFD`, `F_DUPFD_CLOEXEC`.
///
/// # Errors
/// `EMFILE` where no number is free.
pub fn copy_of_inherited(number: RawFd, floor: i32) -> Result<Option<OwnedFd>> {
    // SAFETY: reads a flag of whatever has that number, or fails.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags < 0 || flags & libc::FD_CLOEXEC != 0 {
        return Ok(None);
    }
    // SAFETY: as above; nothing is done to the original.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, floor) };
    match check(copy.into()) {
        // Closed by another thread meanwhile: then it is nothing to be inherited.
        Err(Errno::BADF) => Ok(None),
        Err(errno) => Err(errno),
        // SAFETY: it has just been made, for us.
        Ok(_) => Ok(Some(unsafe { OwnedFd::from_raw_fd(copy) })),
    }
}

/// Makes a pipe: the end to read, then the end to write; both close-on-exec. See pipe(2).
///
/// # Errors
/// `EMFILE`, `ENFILE`.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
}

/// Removes the empty directory `path` in `directory`. See unlinkat(2), `AT_REMOVEDIR`.
///
/// # Errors
/// `ENOENT`, `EBUSY`, `ENOTEMPTY` and the others of rmdir(2).
pub fn remove_directory(directory: impl AsFd, path: &str) -> Result<()> {
    rustix::fs::unlinkat(directory, path, rustix::fs::AtFlags::REMOVEDIR)
}

/// Opens /dev/null for reading and writing; close-on-exec.
///
/// # Errors
/// `ENOENT` where there is no /dev/null.
pub fn dev_null() -> Result<OwnedFd> {
    rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}
