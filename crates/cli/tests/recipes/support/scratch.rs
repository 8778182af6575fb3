//! Directories of a test's own.

use std::fs;
use std::path::{Path, PathBuf};

/// A directory that is removed at the end.
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    /// An empty one, which others can look into.
    pub(crate) fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::Builder::new().prefix("pidns-recipe-").tempdir();
        let directory = directory.expect("there is room for a directory");
        let others = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), others).expect("it is ours");
        Self(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file, and the directories above it.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(path.parent().expect("it is below us")).expect("there is room");
        fs::write(&path, text).expect("there is room for a file");
        path
    }
}
