//! What the process tests share: the image as a file, and a supervisor to drive it with.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test program uses a part of it, and a test may panic"
)]

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub(crate) mod job;

/// How long anything here may take before the test fails. Nothing waits that long when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The image as an executable file: a memfd, by a name that other processes can open too.
pub(crate) fn image() -> PathBuf {
    static IMAGE: OnceLock<File> = OnceLock::new();
    let file = IMAGE.get_or_init(|| {
        // SAFETY: a new descriptor that nobody else owns.
        let mut file = unsafe {
            let fd = libc::memfd_create(c"pidns-init".as_ptr(), libc::MFD_CLOEXEC);
            assert!(fd >= 0, "memfd_create: {}", std::io::Error::last_os_error());
            File::from_raw_fd(fd)
        };
        file.write_all(pidns_init::IMAGE).unwrap();
        file
    });
    PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()))
}

/// Whether the program `name` is found by PATH; says that the test is skipped if not.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: no {name} on this machine");
    }
    found
}

/// Waits until `condition` holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::yield_now();
    }
}

/// Waits until `fd` is readable or at its end.
pub(crate) fn wait_readable(what: &str, fd: &impl AsRawFd) {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid structure.
    let ready = unsafe { libc::poll(&raw mut poll, 1, PATIENCE.as_millis() as i32) };
    assert_eq!(ready, 1, "never: {what}");
}

/// A pipe: reading end, writing end. Both are close-on-exec.
pub(crate) fn pipe() -> (File, File) {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors, which are new and nobody else's.
    unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1]))
    }
}

/// A pidfd of `pid`.
pub(crate) fn pidfd(pid: i32) -> OwnedFd {
    // SAFETY: a new descriptor that nobody else owns.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0) as i32;
        assert!(fd >= 0, "pidfd_open: {}", std::io::Error::last_os_error());
        OwnedFd::from_raw_fd(fd)
    }
}
