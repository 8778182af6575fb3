//! Files: who may write, and locks that end with whoever holds them. See access(2), fcntl_locking(2).

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, MemfdFlags, Mode, OFlags};

use crate::{Errno, Result};

/// Says whether the caller, by its effective ids, may write to `path`. See faccessat(2), `AT_EACCESS`.
///
/// # Errors
/// `EACCES`, `EROFS`, `ENOENT` where it may not.
pub fn may_write(path: &Path) -> Result<()> {
    rustix::fs::accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS)
}

/// Opens a directory as a place, not to read it; close-on-exec. See open(2), `O_PATH`.
///
/// # Errors
/// `ENOENT`, `ENOTDIR`, `EACCES`.
pub fn open_place(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// Makes a file of `bytes` that is in no directory; close-on-exec. See memfd_create(2).
///
/// # Errors
/// `EMFILE`, `ENOMEM`.
pub fn in_memory(name: &str, bytes: &[u8]) -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC;
    // Kernels before 6.3 do not know MFD_NOEXEC_SEAL, and do not ask for it.
    let file = match rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => rustix::fs::memfd_create(name, flags)?,
        other => other?,
    };
    let mut left = bytes;
    while !left.is_empty() {
        left = &left[rustix::io::write(&file, left)?..];
    }
    Ok(file)
}

/// Which locks of others a lock keeps out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Exclusive ones.
    Shared,
    /// All.
    Exclusive,
}

/// Whether a call may sleep until a lock is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Sleep.
    Yes,
    /// Fail with `EAGAIN` instead.
    No,
}

/// Locks the byte at offset `byte` of an open file, for this open file description alone: the lock ends when its last
/// descriptor is closed, however that comes. The byte need not exist. See fcntl_locking(2), `F_OFD_SETLK`.
///
/// # Errors
/// `EAGAIN` where another has the lock, `EBADF` where the file is not open for writing, or reading if it is shared.
pub fn lock(file: impl AsFd, byte: u32, lock: Lock, wait: Wait) -> Result<()> {
    let command = match wait {
        Wait::Yes => libc::F_OFD_SETLKW,
        Wait::No => libc::F_OFD_SETLK,
    };
    loop {
        match control(&file, command, lock, byte).map(drop) {
            Err(Errno::INTR) => {}
            Err(Errno::ACCESS) => return Err(Errno::AGAIN),
            result => return result,
        }
    }
}

/// Says whether another open file description has an exclusive lock of the byte at offset `byte`. See `F_OFD_GETLK`.
///
/// # Errors
/// `ENOLCK`, on some network file systems.
pub fn is_locked(file: impl AsFd, byte: u32) -> Result<bool> {
    Ok(control(file, libc::F_OFD_GETLK, Lock::Shared, byte)?.l_type
        != libc::F_UNLCK as libc::c_short)
}

fn control(file: impl AsFd, command: i32, kind: Lock, byte: u32) -> Result<libc::flock> {
    let kind = match kind {
        Lock::Shared => libc::F_RDLCK,
        Lock::Exclusive => libc::F_WRLCK,
    };
    // SAFETY: an all-zero flock is a valid value of plain data.
    let mut lock: libc::flock = unsafe { core::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = byte.into();
    lock.l_len = 1;
    // SAFETY: `lock` is a live flock that the kernel may read and fill.
    let ret = unsafe { libc::fcntl(file.as_fd().as_raw_fd(), command, &raw mut lock) };
    crate::signal::check(ret.into()).map(|_| lock)
}
