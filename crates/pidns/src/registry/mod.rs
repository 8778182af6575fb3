//! Names of jobs, for other processes to find them by.
//!
//! A job that has a name has a file of that name in a [`directory`] of its user. Its supervisor holds a lock on that
//! file, so that nobody has to clean up: when the supervisor is gone, however it went, so is the lock, and whoever sees
//! the file next removes it. The file holds a [`Record`] as JSON. Jobs of engines whose namespaces the kernel does not
//! know have a file even without a name, called by the host pid of their number 1: this is why no name is a number.
//!
//! Byte 0 of a file is locked by the supervisor, for as long as it lives; byte 1 by whoever removes a stale file. A file
//! is made under another name, locked, and only then linked to its name: it is never seen without its lock.

mod claim;
mod directory;
mod record;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use pidns_sys::file::{self, Lock, Wait};
use pidns_sys::{Errno, socket};

pub(crate) use claim::Claim;
pub(crate) use record::Record;

/// The byte that a supervisor locks.
const ALIVE: u32 = 0;
/// The byte that is locked by whoever removes a file.
const REMOVING: u32 = 1;

/// The longest name, in bytes.
const LONGEST: usize = 128;

/// Why a text is no name for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadName {
    /// It is empty.
    Empty,
    /// It is longer than 128 bytes.
    TooLong,
    /// It has nothing but digits: a number means a process.
    Number,
    /// It begins with a dot or a hyphen.
    Beginning,
    /// It has a slash, a space or a control character.
    Character,
}

impl std::fmt::Display for BadName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "a name cannot be empty",
            Self::TooLong => "a name has at most 128 bytes",
            Self::Number => "a name cannot be a number, which means a process",
            Self::Beginning => "a name cannot begin with a dot or a hyphen",
            Self::Character => "a name has no slash, space or control character",
        })
    }
}

impl std::error::Error for BadName {}

/// Says whether `name` can be the name of a job: one word of at most 128 bytes that is no number.
///
/// ```
/// use pidns::{BadName, check_name};
///
/// assert_eq!(check_name("nightly-build"), Ok(()));
/// assert_eq!(check_name("4711"), Err(BadName::Number));
/// assert_eq!(check_name("a/b"), Err(BadName::Character));
/// ```
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), BadName> {
    if name.is_empty() {
        Err(BadName::Empty)
    } else if name.len() > LONGEST {
        Err(BadName::TooLong)
    } else if is_number(name) {
        Err(BadName::Number)
    } else if name.starts_with(['.', '-']) {
        Err(BadName::Beginning)
    } else if name.chars().any(|c| c == '/' || c.is_whitespace() || c.is_control()) {
        Err(BadName::Character)
    } else {
        Ok(())
    }
}

/// Says whether `name` means a process.
pub(crate) fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// A job that is registered, as somebody else sees it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its name; `None` if it has none but its number.
    pub(crate) name: Option<String>,
    file: File,
}

impl Entry {
    /// Opens `name` in `directory`; `None` where no supervisor has it.
    fn open(directory: &Path, name: &str) -> io::Result<Option<Self>> {
        let path = directory.join(name);
        let file = match File::options().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let entry = Self { name: (!is_number(name)).then(|| name.to_owned()), file };
        if entry.is_left()? {
            remove_stale(&path, &entry.file);
            return Ok(None);
        }
        Ok(Some(entry))
    }

    /// What the supervisor says of the job now; `None` while the job is being started.
    pub(crate) fn record(&self) -> io::Result<Option<Record>> {
        let mut bytes = vec![0; usize::try_from(self.file.metadata()?.len()).unwrap_or(0)];
        let length = self.file.read_at(&mut bytes, 0)?;
        Ok(std::str::from_utf8(&bytes[..length]).ok().and_then(Record::parse))
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { name: self.name.clone(), file: self.file.try_clone()? })
    }

    /// Says whether the supervisor is done with the job, or gone.
    pub(crate) fn is_left(&self) -> io::Result<bool> {
        Ok(!file::is_locked(&self.file, ALIVE)?)
    }

    /// Waits until the supervisor is done with the job, or gone.
    pub(crate) fn wait_for_supervisor(&self) -> io::Result<()> {
        Ok(file::lock(&self.file, ALIVE, Lock::Shared, Wait::Yes)?)
    }
}

/// The job of this name, where there is one.
pub(crate) fn find(name: &str) -> io::Result<Option<Entry>> {
    for directory in directory::existing() {
        if let Some(entry) = Entry::open(&directory, name)? {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// All jobs that are registered. What cannot be read is passed over. Removes files that nobody holds any more.
pub(crate) fn all() -> Vec<Entry> {
    let mut entries = Vec::new();
    for directory in directory::existing() {
        for name in names(&directory) {
            if name.starts_with(DOOR) {
                remove_closed(&directory.join(&name));
                continue;
            }
            let entry = Entry::open(&directory, &name).ok().flatten();
            // What is not named yet is somebody's who is about to name it.
            entries.extend(entry.filter(|_| !name.starts_with('.')));
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Looks at some of the files in `directory`, so that those of supervisors that were killed do not pile up where nobody
/// ever looks at all.
fn remove_some_stale(directory: &Path) {
    const SOME: usize = 4;
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries.take(SOME) {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with(DOOR) {
            remove_closed(&entry.path());
        } else {
            // It is removed by the look at it.
            let _ = Entry::open(directory, &name);
        }
    }
}

/// Removes a file that was seen without its supervisor's lock, unless another has its name by now. Failures are for
/// the next who comes by.
fn remove_stale(path: &Path, file: &File) {
    let alone = file::lock(file, REMOVING, Lock::Exclusive, Wait::No).is_ok();
    if alone && is_at(file, path) && file::is_locked(file, ALIVE) == Ok(false) {
        let _ = fs::remove_file(path);
    }
}

/// How the names of sockets begin at which supervisors answer. They need no lock: one that is closed refuses.
const DOOR: &str = ".door-";

/// Where another such socket can be.
pub(crate) fn new_door() -> io::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let directory = directory::make()?;
    let id = std::process::id();
    loop {
        let path = directory.join(format!("{DOOR}{id}-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        // One of a namesake, in another PID namespace or before.
        if !path.exists() {
            return Ok(path);
        }
    }
}

fn remove_closed(path: &Path) {
    if matches!(socket::connect(path), Err(Errno::CONNREFUSED)) {
        let _ = fs::remove_file(path);
    }
}

/// Says whether `path` leads to `file`.
fn is_at(file: &File, path: &Path) -> bool {
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let (here, there) = (file.metadata().map(id), fs::symlink_metadata(path).map(id));
    matches!((here, there), (Ok(here), Ok(there)) if here == there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_word_and_no_number() {
        for good in ["build", "a", "ci-1234", "job.7", "7up", "Prüfung", "a:b@c"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        let long = "x".repeat(129);
        for (bad, why) in [
            ("", BadName::Empty),
            ("123", BadName::Number),
            ("a/b", BadName::Character),
            ("..", BadName::Beginning),
            (".x", BadName::Beginning),
            ("-x", BadName::Beginning),
            ("a b", BadName::Character),
            ("a\nb", BadName::Character),
            ("a\x1b[2J", BadName::Character),
            (&long, BadName::TooLong),
        ] {
            assert_eq!(check_name(bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn a_door_is_removed_once_nobody_is_behind_it_and_nobody_waits_at_it() {
        let path = std::env::temp_dir().join(format!("pidns-test-door-{}", std::process::id()));
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        // A queue for one, who is never answered.
        rustix::net::listen(&listener, 0).unwrap();
        let _waiting = socket::connect(&path).unwrap();
        assert_eq!(socket::connect(&path).err(), Some(Errno::AGAIN));
        remove_closed(&path);
        assert!(path.exists());
        drop(listener);
        remove_closed(&path);
        assert!(!path.exists());
    }
}
