//! Files: who may write. See access(2).

use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD};

use crate::Result;

/// Says whether the caller, by its effective ids, may write to `path`. See faccessat(2), `AT_EACCESS`.
///
/// # Errors
/// `EACCES`, `EROFS`, `ENOENT` where it may not.
pub fn may_write(path: &Path) -> Result<()> {
    rustix::fs::accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS)
}
