//! Namespaces and pidfds in their raw form: unshare(2), setns(2), reboot(2), pidfd_open(2) and the integer ioctls of nsfs.

use super::errno::{RawErrno, check};
use std::os::fd::{FromRawFd, OwnedFd};

/// Calls unshare(2).
///
/// # Errors
/// Those of unshare(2).
pub fn unshare(flags: i32) -> Result<i64, RawErrno> {
    // SAFETY: takes integers. Separating the descriptor table or the filesystem context is harmless to memory.
    check(unsafe { libc::unshare(flags) }.into())
}

/// Calls setns(2).
///
/// # Errors
/// Those of setns(2).
pub fn setns(fd: i32, kind: i32) -> Result<i64, RawErrno> {
    // SAFETY: takes integers.
    check(unsafe { libc::setns(fd, kind) }.into())
}

/// Calls pidfd_open(2). The descriptor is close-on-exec, as the kernel makes it.
///
/// # Errors
/// Those of pidfd_open(2).
pub fn pidfd_open(pid: i32, flags: u32) -> Result<OwnedFd, RawErrno> {
    // SAFETY: takes integers.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) })?;
    // SAFETY: just made for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// The class of requests that nsfs answers, see ioctl_nsfs(2).
pub const NSFS: u8 = 0xb7;
/// The class of requests that a pidfd answers.
pub const PIDFS: u8 = 0xff;

/// Makes the request `number` of `class` that carries no data (`_IO` in ioctl(2)), with an integer argument.
///
/// # Errors
/// Those of ioctl(2).
pub fn ioctl_plain(fd: i32, class: u8, number: u8, argument: u64) -> Result<i64, RawErrno> {
    let request = u64::from(class) << 8 | u64::from(number);
    // SAFETY: a request without direction and size takes the argument as an integer.
    check(unsafe { libc::ioctl(fd, request as libc::Ioctl, argument) }.into())
}

/// Opens the parent of the namespace that `fd` names (`NS_GET_PARENT`).
///
/// # Errors
/// Those of ioctl_nsfs(2).
#[doc(alias = "NS_GET_PARENT")]
pub fn ns_parent(fd: i32) -> Result<OwnedFd, RawErrno> {
    let parent = ioctl_plain(fd, NSFS, 2, 0)?;
    // SAFETY: just made for us.
    Ok(unsafe { OwnedFd::from_raw_fd(parent as i32) })
}

/// Opens a namespace of the process that a pidfd names: requests 1 to 10 (`PIDFD_GET_*_NAMESPACE`).
///
/// # Errors
/// Those of the ioctl; `EINVAL` for another request.
#[doc(alias = "PIDFD_GET_PID_NAMESPACE")]
pub fn pidfd_ioctl_open(fd: i32, number: u8, argument: u64) -> Result<OwnedFd, RawErrno> {
    if !(1..=10).contains(&number) {
        return Err(RawErrno(libc::EINVAL));
    }
    let namespace = ioctl_plain(fd, PIDFS, number, argument)?;
    // SAFETY: just made for us, unless `fd` is no pidfd; then the request is unknown and fails.
    Ok(unsafe { OwnedFd::from_raw_fd(namespace as i32) })
}

/// Translates a process number between the caller's namespace and that of `fd`: requests 6 to 9 of ioctl_nsfs(2).
///
/// # Errors
/// Those of ioctl_nsfs(2); `EINVAL` for another request.
#[doc(alias = "NS_GET_PID_FROM_PIDNS")]
pub fn ns_translate(fd: i32, number: u8, pid: i32) -> Result<i64, RawErrno> {
    if !(6..=9).contains(&number) {
        return Err(RawErrno(libc::EINVAL));
    }
    let request = 0x8004_0000 | u64::from(NSFS) << 8 | u64::from(number);
    // SAFETY: these four requests take the number itself, though they are encoded as if they took a pointer to it.
    check(unsafe { libc::ioctl(fd, request as libc::Ioctl, i64::from(pid)) }.into())
}

/// Returns device and inode number of the file that `fd` names; the same for two descriptors of one namespace.
///
/// # Errors
/// Those of fstat(2).
pub fn file_identity(fd: i32) -> Result<(u64, u64), RawErrno> {
    // SAFETY: a structure of integers, for which zero is valid.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: a live local of the right type.
    check(unsafe { libc::fstat(fd, &raw mut stat) }.into())?;
    Ok((stat.st_dev, stat.st_ino))
}

/// The part of `PIDFD_GET_INFO` that is about numbers; layout of `struct pidfd_info`, first published size (64 bytes).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PidfdInfo {
    /// In: what is wanted. Out: what is filled.
    pub mask: u64,
    /// Id of the cgroup.
    pub cgroupid: u64,
    /// Thread number.
    pub pid: u32,
    /// Process number.
    pub tgid: u32,
    /// Parent's number, 0 if outside.
    pub ppid: u32,
    /// Real, effective, saved and filesystem ids, user and group in turn.
    pub ids: [u32; 8],
    /// Wait status of a process that has been reaped.
    pub exit_code: i32,
}

/// Bits of [`PidfdInfo::mask`].
pub mod pidfd_info {
    /// Numbers.
    pub const PID: u64 = 1;
    /// The exit status of a reaped process.
    pub const EXIT: u64 = 8;
}

/// Calls `PIDFD_GET_INFO` on a pidfd.
///
/// # Errors
/// Those of the ioctl: `EREMOTE` if the target has no number here, `ESRCH` if it was reaped.
pub fn pidfd_get_info(fd: i32, mask: u64) -> Result<PidfdInfo, RawErrno> {
    let mut info = PidfdInfo { mask, ..PidfdInfo::default() };
    let request = 0xc000_ff0b_u64 | (size_of::<PidfdInfo>() as u64) << 16;
    // SAFETY: a live local, whose size the request encodes.
    check(unsafe { libc::ioctl(fd, request as libc::Ioctl, &raw mut info) }.into())?;
    Ok(info)
}

/// Calls reboot(2).
///
/// Outside a child PID namespace this does what it says to the machine; the caller has to know where it is.
///
/// # Errors
/// Those of reboot(2).
pub fn reboot(magic: u32, command: u32) -> Result<i64, RawErrno> {
    let second: u32 = 672_274_793;
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: takes integers; the fourth argument is read for RESTART2 only and may then be any readable string or fault.
    check(unsafe { libc::syscall(libc::SYS_reboot, magic, second, command, none) })
}

/// The lowest descriptor number that [`dup_to`] and [`close`] touch: those below belong to their owners.
pub const FIRST_FREE_FD: i32 = 300;

/// Copies `fd` to the number `to`, replacing what was there, without close-on-exec.
///
/// # Errors
/// Those of dup2(2); `EBADF` below [`FIRST_FREE_FD`].
pub fn dup_to(fd: &OwnedFd, to: i32) -> Result<i64, RawErrno> {
    use std::os::fd::AsRawFd;
    if to < FIRST_FREE_FD {
        return Err(RawErrno(libc::EBADF));
    }
    // SAFETY: no owned descriptor has a number as high as this.
    check(unsafe { libc::dup2(fd.as_raw_fd(), to) }.into())
}

/// Closes the descriptor `fd`.
///
/// # Errors
/// `EBADF`, also below [`FIRST_FREE_FD`].
pub fn close(fd: i32) -> Result<i64, RawErrno> {
    if fd < FIRST_FREE_FD {
        return Err(RawErrno(libc::EBADF));
    }
    // SAFETY: as for `dup_to`.
    check(unsafe { libc::close(fd) }.into())
}

/// Mounts a new procfs of the caller's namespace over `/proc`, in the caller's mount namespace.
///
/// # Errors
/// Those of mount(2).
pub fn mount_proc() -> Result<i64, RawErrno> {
    // SAFETY: terminated strings and no data.
    check(
        unsafe {
            libc::mount(c"proc".as_ptr(), c"/proc".as_ptr(), c"proc".as_ptr(), 0, std::ptr::null())
        }
        .into(),
    )
}

/// Makes every mount of the caller's mount namespace private.
///
/// # Errors
/// Those of mount(2).
pub fn make_mounts_private() -> Result<i64, RawErrno> {
    let flags = libc::MS_REC | libc::MS_PRIVATE;
    let none = std::ptr::null();
    // SAFETY: terminated strings and no data.
    check(
        unsafe { libc::mount(c"none".as_ptr(), c"/".as_ptr(), none, flags, std::ptr::null()) }
            .into(),
    )
}
