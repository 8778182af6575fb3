//! The one request of ptrace(2) that stops nobody.

use super::errno::{RawErrno, check};

/// Makes the calling thread the tracer of thread `pid`, which runs on (`PTRACE_SEIZE` in ptrace(2)).
///
/// # Errors
/// `ESRCH`, `EPERM`.
#[doc(alias = "PTRACE_SEIZE")]
pub fn seize(pid: i32) -> Result<i64, RawErrno> {
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: this request reads and writes no memory of the caller; no options are given.
    check(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, none, none) })
}
