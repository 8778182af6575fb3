//! What the process tests share: the image as a file, and a supervisor to drive it with.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test program uses a part of it, and a test may panic"
)]

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(crate) mod entry;
pub(crate) mod job;
pub(crate) mod seccomp;
pub(crate) mod terminal;

/// How long anything here may take before the test fails. Nothing waits that long when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The image as an executable file: the one that the library has taken it from.
pub(crate) fn image() -> PathBuf {
    PathBuf::from(concat!(env!("OUT_DIR"), "/pidns-init"))
}

/// Whether namespaces can be had only together with a user namespace.
pub(crate) fn unprivileged() -> bool {
    // SAFETY: asks who we are.
    unsafe { libc::geteuid() != 0 }
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

/// PATH without directories that may not be searched, so that what is not there is not found and not denied.
pub(crate) fn path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let may_search = |directory: &PathBuf| {
        let found = directory.join("no-such-command").metadata();
        found.is_err_and(|error| error.kind() != std::io::ErrorKind::PermissionDenied)
    };
    std::env::join_paths(std::env::split_paths(&path).filter(may_search)).unwrap()
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

/// Whether the process of `pidfd` has ended.
pub(crate) fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut poll = libc::pollfd { fd: pidfd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid structure.
    unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
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

/// The children of `pid` and their states, from /proc.
pub(crate) fn children(pid: i32) -> Vec<(i32, char)> {
    let stat = |entry: std::fs::DirEntry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // After the name, which may have any form: state, number of the parent.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?.chars().next()?;
        (fields.next()?.parse() == Ok(pid)).then_some((number, state))
    };
    std::fs::read_dir("/proc").unwrap().filter_map(|entry| stat(entry.unwrap())).collect()
}

/// A directory of its own for a test, removed at its end.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Makes a file of that name, content and mode.
    pub(crate) fn file(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        // By another process: a child that another test makes just then would have it open too, and it could not be
        // executed.
        let script = format!("printf %s \"$1\" >\"$0\" && chmod {mode:o} \"$0\"");
        let mut shell = std::process::Command::new("sh");
        let written = shell.args(["-c", &script]).arg(&path).arg(content).status();
        assert!(written.unwrap().success());
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// As signal(2), but for the signals too that a libc keeps for itself.
pub(crate) fn set_disposition(signal: i32, handler: libc::sighandler_t) {
    // The kernel's structure begins with the handler and is not larger than this.
    let action = [handler, 0, 0, 0];
    // SAFETY: installs no handler.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            action.as_ptr(),
            std::ptr::null_mut::<u8>(),
            8,
        )
    };
}
