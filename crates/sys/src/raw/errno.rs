//! The error of a raw call, and the one place that reads it.

/// An error number, as in errno(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawErrno(pub i32);

impl RawErrno {
    /// Returns the error that the last libc call of this thread left behind.
    pub(crate) fn last() -> Self {
        Self(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }
}

impl std::fmt::Display for RawErrno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", std::io::Error::from_raw_os_error(self.0))
    }
}

impl std::error::Error for RawErrno {}

impl From<RawErrno> for std::io::Error {
    fn from(errno: RawErrno) -> Self {
        Self::from_raw_os_error(errno.0)
    }
}

/// Turns a libc result, where -1 means "see errno", into a `Result`.
pub(crate) fn check(result: libc::c_long) -> Result<i64, RawErrno> {
    if result == -1 { Err(RawErrno::last()) } else { Ok(result) }
}
