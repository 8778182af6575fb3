//! A terminal for a program under test.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::ptr;

/// The two ends of a pseudoterminal: what a user types on and sees, and what a program has.
pub(crate) fn open() -> (File, OwnedFd) {
    let (mut user, mut program) = (0, 0);
    // SAFETY: two new descriptors that nobody else owns.
    unsafe {
        let opened = libc::openpty(
            &raw mut user,
            &raw mut program,
            ptr::null_mut(),
            ptr::null(),
            ptr::null(),
        );
        assert_eq!(opened, 0, "openpty: {}", io::Error::last_os_error());
        for fd in [user, program] {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        (File::from_raw_fd(user), OwnedFd::from_raw_fd(program))
    }
}

/// Has `command` lead a session on the terminal `program`, which is its standard input.
pub(crate) fn control(command: &mut Command, program: &OwnedFd) {
    let fd = program.as_raw_fd();
    command.stdin(Stdio::from(program.try_clone().unwrap()));
    let take = move || {
        // SAFETY: system calls on descriptors that are open.
        match unsafe { (libc::setsid(), libc::ioctl(fd, libc::TIOCSCTTY, 0)) } {
            (0.., 0) => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: makes system calls only.
    unsafe { command.pre_exec(take) };
}
