//! Where a command's standard descriptors lead.

use std::fs::File;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::OwnedFd;

use pidns_sys::fd;

use crate::error::{SpawnError, Stage};

/// Where a standard descriptor of a command leads. See [`std::process::Stdio`].
///
/// ```no_run
/// use pidns::{Command, Stdio};
///
/// let log = std::fs::File::create("build.log")?;
/// Command::new("make").stdin(Stdio::null()).stdout(log).status()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Stdio(Kind);

#[derive(Debug)]
enum Kind {
    Inherit,
    Null,
    Piped,
    Fd(OwnedFd),
}

impl Stdio {
    /// To where the caller's leads.
    pub fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// To /dev/null.
    pub fn null() -> Self {
        Self(Kind::Null)
    }

    /// To a pipe, whose other end [`Child`](crate::Child) gets.
    pub fn piped() -> Self {
        Self(Kind::Piped)
    }
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Self {
        Self(Kind::Fd(fd))
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Self {
        OwnedFd::from(file).into()
    }
}

impl From<PipeReader> for Stdio {
    fn from(pipe: PipeReader) -> Self {
        OwnedFd::from(pipe).into()
    }
}

impl From<PipeWriter> for Stdio {
    fn from(pipe: PipeWriter) -> Self {
        OwnedFd::from(pipe).into()
    }
}

/// One standard descriptor, opened: what the command gets (`None`: the caller's), and the caller's end of a pipe.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    pub(crate) theirs: Option<OwnedFd>,
    pub(crate) ours: Option<OwnedFd>,
}

/// Which end of a pipe the command gets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

impl Stdio {
    /// Opens what a command needs. A descriptor that was given is copied, so that a command can be started again.
    pub(crate) fn open(&self, direction: Direction) -> Result<Opened, SpawnError> {
        let failed = |errno| SpawnError::new(Stage::Descriptors, errno);
        let opened = match &self.0 {
            Kind::Inherit => Opened::default(),
            Kind::Null => Opened { theirs: Some(fd::dev_null().map_err(failed)?), ours: None },
            Kind::Fd(given) => {
                Opened { theirs: Some(fd::copy_above(given, FLOOR).map_err(failed)?), ours: None }
            }
            Kind::Piped => {
                let (read, write) = fd::pipe().map_err(failed)?;
                match direction {
                    Direction::Read => Opened { theirs: Some(read), ours: Some(write) },
                    Direction::Write => Opened { theirs: Some(write), ours: Some(read) },
                }
            }
        };
        Ok(Opened {
            theirs: opened
                .theirs
                .map(|fd| fd::at_or_above(fd, FLOOR))
                .transpose()
                .map_err(failed)?,
            ..opened
        })
    }
}

/// Descriptors meant for a child are kept at or above this number, so that none stands where another is to go.
pub(crate) const FLOOR: i32 = 5;

/// Those that are used when all others are in place are kept at or above this number.
pub(crate) const HIGH_FLOOR: i32 = pidns_init::protocol::ROOT_FD + 1;
