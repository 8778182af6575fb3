//! The one error type of the crate.

use core::fmt;

/// An error number that an operation can end with; the discriminant is Linux' number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i32)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names are errno(3)'s")]
pub enum Errno {
    EPERM = 1,
    ENOENT = 2,
    ESRCH = 3,
    EINTR = 4,
    EAGAIN = 11,
    ENOMEM = 12,
    EACCES = 13,
    EBUSY = 16,
    EEXIST = 17,
    EINVAL = 22,
    ENOSPC = 28,
    EREMOTE = 66,
    ECHILD = 10,
}

impl Errno {
    /// Returns the number, positive.
    pub fn raw(self) -> i32 {
        self as i32
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl core::error::Error for Errno {}

/// What operations return.
pub type Result<T> = core::result::Result<T, Errno>;
