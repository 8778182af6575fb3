//! Finds a namespace by a name or by a process in it.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use std::{fmt, fs, thread};

use pidns_init::protocol::WARDEN;
use pidns_sys::{Errno, pidfd};

use super::world::{self, World};
use super::{PidNamespace, process};
use crate::Engine;
use crate::registry::{self, Entry, Record};

/// Why no namespace was found.
///
/// ```
/// use pidns::{OpenError, PidNamespace};
///
/// // Nothing outside of a namespace below the caller's own is ever meant.
/// let own = PidNamespace::of_process(std::process::id());
/// assert!(matches!(own, Err(OpenError::Outside)));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// No job of the caller has this name.
    NoSuchName,
    /// No such process, or it has ended.
    NoSuchProcess,
    /// The process is in the same PID namespace as the caller, or farther outside.
    Outside,
    /// The job of this name is being started, and its number 1 is not there yet.
    Starting,
    /// It cannot be looked for.
    System(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchName => f.write_str("no job of this user has this name"),
            Self::NoSuchProcess => f.write_str("no such process"),
            Self::Outside => f.write_str("the process is in no PID namespace below this one"),
            Self::Starting => f.write_str("the job is just being started"),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<Errno> for OpenError {
    fn from(errno: Errno) -> Self {
        if errno == Errno::SRCH { Self::NoSuchProcess } else { Self::System(errno.into()) }
    }
}

/// How long a job that is just being started is waited for.
const STARTING: Duration = Duration::from_secs(1);

impl PidNamespace {
    /// Finds what a person means: the job of a name or, for a number, the namespace of that process.
    ///
    /// # Errors
    /// As [`named`](Self::named) and [`of_process`](Self::of_process).
    pub fn find(target: &str) -> Result<Self, OpenError> {
        if !registry::is_number(target) {
            return Self::named(target);
        }
        Self::of_process(target.parse().map_err(|_| OpenError::NoSuchProcess)?)
    }

    /// The namespace of the caller's job that has this name.
    ///
    /// # Errors
    /// [`OpenError::NoSuchName`], [`OpenError::Starting`], and those of the system.
    pub fn named(name: &str) -> Result<Self, OpenError> {
        if registry::check_name(name).is_err() {
            return Err(OpenError::NoSuchName);
        }
        let start = Instant::now();
        loop {
            let entry = registry::find(name)?.ok_or(OpenError::NoSuchName)?;
            if let Some(record) = entry.record()? {
                return Self::registered(entry, &record)?.ok_or(OpenError::NoSuchName);
            }
            if start.elapsed() > STARTING {
                return Err(OpenError::Starting);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// The innermost PID namespace that the process `pid` is in, which has to be below the caller's own.
    ///
    /// # Errors
    /// [`OpenError::NoSuchProcess`], [`OpenError::Outside`], and those of the system.
    pub fn of_process(pid: u32) -> Result<Self, OpenError> {
        let held = match pidfd::open(pid) {
            Err(Errno::INVAL) => return Err(OpenError::NoSuchProcess),
            other => other?,
        };
        let world = World::look()?;
        let found = match world.init_of(pid) {
            Some(init) => Self::of_number_one(init, &world)?,
            None => Self::around(pid, &world)?,
        };
        // What was read is about the process if it has been there all the time.
        if pidfd::has_ended(&held)? {
            Err(OpenError::NoSuchProcess)
        } else {
            found.ok_or(OpenError::Outside)
        }
    }

    /// The namespace of the kernel whose number 1 is `init`.
    fn of_number_one(init: u32, world: &World) -> Result<Option<Self>, OpenError> {
        let pidfd = pidfd::open(init)?;
        let numbers = world.process(init).map(|seen| &seen.numbers);
        if process::numbers_of(init).as_ref() != numbers || pidfd::has_ended(&pidfd)? {
            return Err(OpenError::NoSuchProcess);
        }
        for entry in registry::all() {
            let Some(record) = entry.record()? else { continue };
            if record.engine == Engine::Kernel && record.is(init) {
                let number = record.number;
                let namespace = Self::new(Engine::Kernel, init, pidfd, None, number);
                return Ok(Some(Self { entry: Some(entry), ..namespace }));
            }
        }
        Ok(Some(Self::new(Engine::Kernel, init, pidfd, None, None)))
    }

    /// The registered job of another engine that `pid` belongs to: the innermost, if they are nested.
    fn around(pid: u32, world: &World) -> Result<Option<Self>, OpenError> {
        let mut nearest = None;
        for entry in registry::all() {
            let Some(record) = entry.record()? else { continue };
            if record.engine == Engine::Kernel {
                continue;
            }
            // What its supervisor calls number 1 may be another process here.
            let init = record.init_here().filter(|init| record.is(*init));
            let depth = init.and_then(|init| world.depth_in_family(pid, record.engine, init));
            let Some(depth) = depth else { continue };
            if nearest.as_ref().is_none_or(|(least, _, _)| depth < *least) {
                nearest = Some((depth, entry, record));
            }
        }
        nearest.map_or(Ok(None), |(_, entry, record)| Self::registered(entry, &record))
    }

    /// The namespace of a job that is registered; `None` if it is gone by now.
    fn registered(entry: Entry, record: &Record) -> Result<Option<Self>, OpenError> {
        let Some(init) = record.init_here() else { return Ok(None) };
        let number_one = match pidfd::open(init) {
            Err(Errno::SRCH) => return Ok(None),
            other => other?,
        };
        let last = match record.engine {
            Engine::Subreaper => warden(init)?,
            _ => None,
        };
        if !record.is(init) || pidfd::has_ended(&number_one)? {
            return Ok(None);
        }
        let (pidfd, number_one) = match last {
            Some(last) => (last, Some(number_one)),
            None => (number_one, None),
        };
        let namespace = Self::new(record.engine, init, pidfd, number_one, record.number);
        Ok(Some(Self { entry: Some(entry), ..namespace }))
    }
}

/// A pidfd of the parent of `keeper`, the warden; `None` if that has been killed, and somebody else is the parent.
fn warden(keeper: u32) -> Result<Option<OwnedFd>, OpenError> {
    let parent = || process::parent_of(keeper).ok_or(OpenError::NoSuchProcess);
    let before = parent()?;
    let held = match pidfd::open(before) {
        // A parent that has ended just now, or one outside of the caller's namespace.
        Err(Errno::SRCH | Errno::INVAL) => return Ok(None),
        other => other?,
    };
    let name = process::name_of(before);
    let is_warden = name.is_some_and(|name| name.as_bytes() == WARDEN.to_bytes());
    // It has its child as long as it lives.
    Ok(Some(held).filter(|_| is_warden && parent().is_ok_and(|parent| parent == before)))
}

impl Record {
    /// Says whether the process `pid` of the caller's namespace is number 1 of this job.
    pub(super) fn is(&self, pid: u32) -> bool {
        let is_numbered = || {
            if self.is_numbered_here() {
                self.init == pid
            } else {
                process::numbers_of(pid).is_some_and(|numbers| numbers.contains(&self.init))
                    && self.may_be_numbered_at(pid)
            }
        };
        self.start.is_none_or(|start| process::start_of(pid) == Some(start)) && is_numbered()
    }

    /// The caller's number of number 1.
    pub(super) fn init_here(&self) -> Option<u32> {
        if self.is_numbered_here() {
            return Some(self.init);
        }
        // Its supervisor is in another PID namespace: if that is one inside, number 1 can be seen from here.
        let entries = fs::read_dir("/proc").ok()?.flatten();
        let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.find(|pid| self.is(*pid))
    }

    /// Says whether `pid` is in the supervisor's PID namespace or, as number 1 of another one, a child of somebody who is.
    /// Two jobs may have the same number in two namespaces, and have been started in the same tick. What cannot be read
    /// is believed.
    fn may_be_numbered_at(&self, pid: u32) -> bool {
        let of_parent = || process::parent_of(pid).and_then(world::id_of);
        let is_there = |id: Option<u64>| id.is_none() || id == self.numbers_of;
        is_there(world::id_of(pid)) || is_there(of_parent())
    }

    fn is_numbered_here(&self) -> bool {
        self.numbers_of.is_none() || self.numbers_of == world::own_id()
    }
}
