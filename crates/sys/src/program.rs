//! Programs without a name: in memory, or in a file that no directory has; and the end of one's own.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags, StatVfsMountFlags};

use crate::{Errno, Result};

/// Makes an executable file of `image` that nobody can change any more. See memfd_create(2), `F_ADD_SEALS`.
///
/// # Errors
/// `EACCES` where the sysctl `vm.memfd_noexec` is 2; `ENOSYS`, `EMFILE`, `ENOMEM`.
pub fn in_memory(name: &str, image: &[u8]) -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know MFD_EXEC, and need none.
    let memfd = match rustix::fs::memfd_create(name, flags | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => rustix::fs::memfd_create(name, flags)?,
        other => other?,
    };
    write_all(&memfd, image)?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&memfd, seals)?;
    Ok(memfd)
}

/// Ends the calling process at once: nothing is flushed, freed or called first. See _exit(2).
pub fn exit(code: u8) -> ! {
    // SAFETY: does not return, so that nothing of the process is used after.
    unsafe { libc::_exit(i32::from(code)) }
}

/// Makes an executable file of `image` in the file system of `directory`, without a name there. See open(2),
/// `O_TMPFILE`. It needs /proc, since a file that is open for writing cannot be executed.
///
/// # Errors
/// `EACCES` where the file system is mounted noexec; `EOPNOTSUPP` where it has no such files; `ENOENT` without /proc.
pub fn in_unnamed_file(directory: &str, image: &[u8]) -> Result<OwnedFd> {
    if rustix::fs::statvfs(directory)?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        return Err(Errno::ACCESS);
    }
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let writable = rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR | Mode::XUSR)?;
    write_all(&writable, image)?;
    let path = format!("/proc/self/fd/{}", writable.as_raw_fd());
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

fn write_all(file: impl AsFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let written = rustix::io::write(&file, bytes)?;
        bytes = &bytes[written..];
    }
    Ok(())
}
