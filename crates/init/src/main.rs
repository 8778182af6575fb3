//! `pidns-init` as a program that cargo can install and run: becomes the freestanding image, in the same process.
//!
//! Without the main function of std, which would ignore SIGPIPE and open descriptors that are closed: the image, and by
//! it the command, is to find everything as this program found it.

#![no_main]

use std::ffi::{c_char, c_int, c_uint};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};

/// The exit code where pidns itself has failed.
const FAILED: c_int = 125;

// SAFETY: the one `main` of this program, of the type that a libc calls.
#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, argv: *const *const c_char, envp: *const *const c_char) -> c_int {
    let error = match image() {
        // SAFETY: the libc passes arrays of strings that a null pointer ends.
        Ok(image) => unsafe {
            libc::fexecve(image.as_raw_fd(), argv, envp);
            io::Error::last_os_error()
        },
        Err(error) => error,
    };
    eprintln!("pidns-init: cannot execute the image from memory: {error}");
    FAILED
}

/// The image as a file in memory that nobody can change any more: memfd_create(2).
fn image() -> io::Result<File> {
    const SEALS: c_int =
        libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    let mut file = memory_file(libc::MFD_EXEC).or_else(|error| match error.raw_os_error() {
        // Before Linux 6.3 files in memory could always be executed.
        Some(libc::EINVAL) => memory_file(0),
        _ => Err(error),
    })?;
    file.write_all(pidns_init::IMAGE)?;
    // SAFETY: takes numbers only.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, SEALS) } {
        0 => Ok(file),
        _ => Err(io::Error::last_os_error()),
    }
}

fn memory_file(flags: c_uint) -> io::Result<File> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING | flags;
    // SAFETY: the name is a string; the descriptor is new and nobody else's.
    unsafe {
        match libc::memfd_create(c"pidns-init".as_ptr(), flags) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(File::from_raw_fd(fd)),
        }
    }
}
