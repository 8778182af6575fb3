//! The directory of a user's names.
//!
//! For root `/run/pidns`; for others `pidns` in `$XDG_RUNTIME_DIR`; where that is not to be had, `/tmp/pidns-UID`. It has
//! to belong to the user and to be closed to everybody else, so that nobody can put names there or in its place.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use pidns_sys::privilege;

/// The directory for new names, made if need be.
pub(super) fn make() -> io::Result<PathBuf> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for candidate in candidates() {
        match DirBuilder::new().mode(0o700).create(&candidate) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => last = error,
            _ => match check(&candidate) {
                Ok(()) => return Ok(candidate),
                Err(error) => last = error,
            },
        }
    }
    Err(last)
}

/// The directories that are there. Those that others can write to are none.
pub(super) fn existing() -> impl Iterator<Item = PathBuf> {
    candidates().into_iter().filter(|candidate| check(candidate).is_ok())
}

/// Where the directory may be, the best first.
fn candidates() -> Vec<PathBuf> {
    let uid = privilege::effective_uid();
    let system = (uid == 0).then(|| PathBuf::from("/run/pidns"));
    let session = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .map(|path| path.join("pidns"));
    let fallback = PathBuf::from(format!("/tmp/pidns-{uid}"));
    system.into_iter().chain(session).chain([fallback]).collect()
}

/// A directory, no link to one, that belongs to the caller and that nobody else may enter.
fn check(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    let own = metadata.uid() == privilege::effective_uid();
    if metadata.is_dir() && own && metadata.mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}
