//! Entering: namespaces, root and working directories, ids.

use super::{Result, check, nr, syscall3, syscall6};

/// Enters those namespaces of the process behind `pidfd` that `kinds`, `CLONE_NEW*` bits, name; for a PID namespace,
/// the children made from now on do: setns(2).
pub(crate) fn enter_namespaces(pidfd: i32, kinds: u32) -> Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe { syscall3(nr::SETNS, pidfd as usize, kinds as usize, 0) }).map(|_| ())
}

/// Makes the directory `fd` the root and the working directory: fchdir(2), chroot(2).
pub(crate) fn change_root(fd: i32) -> Result<()> {
    // SAFETY: takes a number only.
    check(unsafe { syscall3(nr::FCHDIR, fd as usize, 0, 0) })?;
    // SAFETY: the string ends with a zero.
    check(unsafe { syscall3(nr::CHROOT, c".".as_ptr() as usize, 0, 0) }).map(|_| ())
}

/// Makes `path`, which ends with a zero, the working directory: chdir(2).
pub(crate) fn change_directory(path: &[u8]) -> Result<()> {
    if !path.contains(&0) {
        return Err(super::Errno::EINVAL);
    }
    // SAFETY: the string ends with a zero, as has just been seen.
    check(unsafe { syscall3(nr::CHDIR, path.as_ptr() as usize, 0, 0) }).map(|_| ())
}

/// Leaves all supplementary groups: setgroups(2).
pub(crate) fn drop_groups() -> Result<()> {
    // SAFETY: a list of no groups may be null.
    check(unsafe { syscall3(nr::SETGROUPS, 0, 0, 0) }).map(|_| ())
}

/// Takes on these ids as real, effective and saved ones: setresgid(2), setresuid(2).
pub(crate) fn set_ids(uid: u32, gid: u32) -> Result<()> {
    let (uid, gid) = (uid as usize, gid as usize);
    // SAFETY: takes numbers only.
    check(unsafe { syscall3(nr::SETRESGID, gid, gid, gid) })?;
    // SAFETY: as above.
    check(unsafe { syscall3(nr::SETRESUID, uid, uid, uid) }).map(|_| ())
}

/// Keeps processes without privilege here from tracing this one, and its memory from being dumped:
/// PR_SET_DUMPABLE(2const).
pub(crate) fn deny_tracing() -> Result<()> {
    const PR_SET_DUMPABLE: usize = 4;
    // SAFETY: takes numbers only.
    check(unsafe { syscall6(nr::PRCTL, [PR_SET_DUMPABLE, 0, 0, 0, 0, 0]) }).map(|_| ())
}

/// Copies `fd` to a number of `floor` or above, close-on-exec: fcntl(2), F_DUPFD_CLOEXEC.
pub(crate) fn duplicate_above(fd: i32, floor: i32) -> Result<i32> {
    const F_DUPFD_CLOEXEC: usize = 1030;
    // SAFETY: takes numbers only.
    check(unsafe { syscall3(nr::FCNTL, fd as usize, F_DUPFD_CLOEXEC, floor as usize) })
        .map(|fd| fd as i32)
}

/// Replaces this process's program by that of `fd`; returns only if that failed: execveat(2), AT_EMPTY_PATH.
///
/// # Safety
/// Both vectors must be arrays of strings that end with a null pointer.
pub(crate) unsafe fn exec_descriptor(
    fd: i32,
    argv: *const *const core::ffi::c_char,
    envp: *const *const core::ffi::c_char,
) -> super::Errno {
    const AT_EMPTY_PATH: usize = 0x1000;
    let empty = c"".as_ptr() as usize;
    let arguments = [fd as usize, empty, argv as usize, envp as usize, AT_EMPTY_PATH, 0];
    // SAFETY: as the caller promised.
    super::Errno(-unsafe { syscall6(nr::EXECVEAT, arguments) } as i32)
}

/// Maps the first `size` bytes of the file `fd`; what is written to them does not reach the file: mmap(2).
pub(crate) fn map_privately(fd: i32, size: usize) -> Result<*mut u8> {
    const PROT_READ_WRITE: usize = 3;
    const MAP_PRIVATE: usize = 2;
    // SAFETY: a new mapping at an address that the kernel chooses overlaps nothing.
    check(unsafe { syscall6(nr::MMAP, [0, size, PROT_READ_WRITE, MAP_PRIVATE, fd as usize, 0]) })
        .map(|address| address as *mut u8)
}
