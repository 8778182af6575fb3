//! A name that this process holds.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use pidns_sys::file::{self, Lock, Wait};

use super::record::Record;
use super::{ALIVE, Entry, check_name, directory};
use crate::namespace;

/// A name that this process holds until it drops it or ends.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    file: File,
    record: Option<Record>,
}

impl Claim {
    /// Takes `name`, for a job that is about to be started.
    ///
    /// # Errors
    /// `AlreadyExists` where a job of this name runs, `InvalidInput` for what cannot be a name, and those of the file
    /// system.
    pub(crate) fn name(name: &str) -> io::Result<Self> {
        check_name(name).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Self::take(name)
    }

    /// Registers a job without a name by the host pid of its number 1.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn number(init: u32) -> io::Result<Self> {
        match Self::take(&init.to_string()) {
            // In another PID namespace, that number is another job's.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let id = namespace::own_id().ok_or(error)?;
                Self::take(&format!("{init}{id}"))
            }
            other => other,
        }
    }

    fn take(name: &str) -> io::Result<Self> {
        let directory = directory::make()?;
        super::remove_some_stale(&directory);
        let path = directory.join(name);
        loop {
            let (unnamed, file) = locked_file(&directory)?;
            let linked = fs::hard_link(&unnamed, &path);
            let _ = fs::remove_file(&unnamed);
            match linked {
                Ok(()) => return Ok(Self { path, file, record: None }),
                // Somebody has taken the new file for a stale one before it was locked.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // One that nobody holds is removed by the look at it.
                    if Entry::open(&directory, name)?.is_some() {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Tells others what the job is.
    pub(crate) fn publish(&mut self, record: Record) -> io::Result<()> {
        let text = record.to_text();
        self.record = Some(record);
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.set_len(text.len() as u64)
    }

    /// Tells those who wait for the job how it has ended.
    pub(crate) fn ended(&mut self, status: crate::ExitStatus) -> io::Result<()> {
        match self.record.take() {
            Some(record) => self.publish(Record { status: Some(status), ..record }),
            None => Ok(()),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // As long as the file is locked, nobody else removes it: it is still ours. If it cannot be removed, somebody
        // else does so later.
        let _ = fs::remove_file(&self.path);
    }
}

/// A new file in `directory` under a name that is no job's, locked.
fn locked_file(directory: &Path) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!(".{}-{count}", process::id()));
        let file =
            match File::options().read(true).write(true).create_new(true).mode(0o600).open(&path) {
                // A namesake of ours in another PID namespace has it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            };
        file::lock(&file, ALIVE, Lock::Exclusive, Wait::No)?;
        return Ok((path, file));
    }
}
