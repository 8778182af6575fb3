//! Executes a command as execvp(3) does: found by PATH, scripts without an interpreter line given to the shell.

use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::{ptr, slice};

use super::strings::{Command, Strings};
use super::sys::{self, Errno};

/// Where to look if the environment does not say: confstr(3), _CS_PATH.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// Takes a script that the kernel does not know how to run.
const SHELL: &CStr = c"/bin/sh";

/// The longest name that a file can have.
const NAME_MAX: usize = 255;

/// The longest path that the kernel takes, with its final zero.
const PATH_MAX: usize = 4096;

/// Room for one path. Not cleared: pages that no path reaches are never touched.
type PathBuffer = [MaybeUninit<u8>; PATH_MAX];

/// Becomes `command`; returns only if that is not possible.
pub(crate) fn exec(command: Command, environment: Strings) -> Errno {
    let name = command.name();
    if name.to_bytes().contains(&b'/') {
        return exec_file(name, command, environment);
    }
    match name.count_bytes() {
        0 => Errno::ENOENT,
        1..=NAME_MAX => search(name.to_bytes(), command, environment),
        _ => Errno::ENAMETOOLONG,
    }
}

/// What a shell exits with when there is no such command.
pub(crate) const NOT_FOUND: i32 = 127;
/// What a shell exits with when a command is there but cannot be executed.
pub(crate) const NOT_EXECUTABLE: i32 = 126;

/// What a shell would exit with when it cannot execute a command.
pub(crate) fn exit_code(errno: Errno) -> i32 {
    if errno == Errno::ENOENT { NOT_FOUND } else { NOT_EXECUTABLE }
}

/// Tries one directory of PATH after the other. As in execvp(3), a file that may not be executed is passed over, but
/// remembered.
fn search(name: &[u8], command: Command, environment: Strings) -> Errno {
    let path = environment.variable(b"PATH").unwrap_or(DEFAULT_PATH);
    let mut buffer: PathBuffer = [const { MaybeUninit::uninit() }; PATH_MAX];
    let mut denied = None;
    for directory in path.split(|byte| *byte == b':') {
        let Some(candidate) = join(&mut buffer, directory, name) else { continue };
        match exec_file(candidate, command, environment) {
            Errno::EACCES => denied = Some(Errno::EACCES),
            Errno::ENOENT | Errno::ENOTDIR | Errno::ENODEV | Errno::ESTALE | Errno::ETIMEDOUT => {}
            other => return other,
        }
    }
    denied.unwrap_or(Errno::ENOENT)
}

/// `directory/name` as a string in `buffer`, `None` if that is too long. No directory means the current one.
fn join<'a>(buffer: &'a mut PathBuffer, directory: &[u8], name: &[u8]) -> Option<&'a CStr> {
    let slash: &[u8] = if directory.is_empty() { b"" } else { b"/" };
    let mut length = 0;
    for part in [directory, slash, name, b"\0"] {
        let room = buffer.get_mut(length..)?.get_mut(..part.len())?;
        // SAFETY: `room` is as long as `part`, and elsewhere.
        unsafe { ptr::copy_nonoverlapping(part.as_ptr(), room.as_mut_ptr().cast(), part.len()) };
        length += part.len();
    }
    // SAFETY: the first `length` bytes have just been written; the last of them is the only zero, since the parts are
    // pieces of C strings.
    unsafe {
        let bytes = slice::from_raw_parts(buffer.as_ptr().cast(), length);
        Some(CStr::from_bytes_with_nul_unchecked(bytes))
    }
}

/// Executes the file `path`, by the shell if the kernel does not know what it is.
fn exec_file(path: &CStr, command: Command, environment: Strings) -> Errno {
    // SAFETY: both are arrays that a null pointer ends.
    let error = unsafe { sys::exec(path, command.argv(), environment.as_ptr()) };
    if error != Errno::ENOEXEC {
        return error;
    }
    // SAFETY: `path` outlives the call, which is the last use of the arguments in this process: on failure it ends.
    unsafe { sys::exec(SHELL, command.as_script(SHELL, path), environment.as_ptr()) }
}
