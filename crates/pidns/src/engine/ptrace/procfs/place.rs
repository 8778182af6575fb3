//! What of /proc a path means.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use pidns_core::TaskId;
use pidns_sys::Errno;
use pidns_sys::ptrace::Tid;

use crate::engine::ptrace::call::Entry;
use crate::engine::ptrace::host;
use crate::engine::ptrace::tracer::Tracer;

/// Where a path starts.
pub(in super::super) enum Base {
    /// At the root.
    Root,
    /// In a directory of /proc, which the host names so.
    Host(Vec<u8>),
    /// Elsewhere.
    Elsewhere(Vec<u8>),
}

impl Base {
    pub(in super::super) fn of_descriptor(tid: Tid, fd: i32) -> Self {
        Self::new(host::descriptor(tid, fd))
    }

    pub(in super::super) fn of_cwd(tid: Tid) -> Self {
        Self::new(std::fs::read_link(format!("/proc/{tid}/cwd")).ok())
    }

    fn new(directory: Option<PathBuf>) -> Self {
        let Some(directory) = directory else { return Self::Elsewhere(Vec::new()) };
        let in_proc = directory.starts_with("/proc");
        let bytes = directory.as_os_str().as_bytes().to_vec();
        if in_proc { Self::Host(bytes) } else { Self::Elsewhere(bytes) }
    }
}

/// Something in /proc that is not simply the host's.
pub(in super::super) enum Place {
    /// The root directory.
    Above,
    /// /proc itself.
    Root,
    /// /proc/self.
    OwnProcess,
    /// /proc/thread-self.
    OwnThread,
    /// Something of a task.
    Task(Spot),
    /// A file that is there once, by its path below /proc.
    Global(&'static str),
}

/// A task's directory, or what is in it.
pub(in super::super) struct Spot {
    pub(in super::super) task: TaskId,
    /// The host's number of the process, or thread, whose directory it is.
    pub(in super::super) process: Tid,
    /// The host's number of the thread below it, if it is one of `task/`.
    pub(in super::super) thread: Option<Tid>,
    /// What is below.
    pub(in super::super) rest: Vec<Vec<u8>>,
    /// The host finds it by the path as it is.
    pub(in super::super) native: bool,
}

const GLOBAL: [&str; 8] = [
    "loadavg",
    "locks",
    "sysvipc/msg",
    "sysvipc/sem",
    "sysvipc/shm",
    "sys/kernel/ns_last_pid",
    "sys/kernel/pid_max",
    "sys/kernel/cad_pid",
];

impl Place {
    /// The path that the host has for it, if it is another.
    pub(in super::super) fn host_path(&self) -> Option<Vec<u8>> {
        let Self::Task(spot) = self else { return None };
        if spot.native {
            return None;
        }
        let mut path = format!("/proc/{}", spot.process).into_bytes();
        if let Some(thread) = spot.thread {
            path.extend(format!("/task/{thread}").into_bytes());
        }
        for name in &spot.rest {
            path.push(b'/');
            path.extend(name);
        }
        Some(path)
    }

    /// Says whether one may go on from here by descriptor.
    pub(in super::super) fn is_directory(&self) -> bool {
        match self {
            Self::Root | Self::OwnProcess | Self::OwnThread => true,
            Self::Task(spot) => match spot.rest.as_slice() {
                [] => true,
                [name] => matches!(name.as_slice(), b"task" | b"ns"),
                _ => false,
            },
            Self::Above | Self::Global(_) => false,
        }
    }
}

/// Finds what `path` means: `None` if it leads elsewhere, or to something that is the host's.
///
/// # Errors
/// `ENOENT` for a task that is not visible.
pub(in super::super) fn find(
    tracer: &Tracer,
    entry: &Entry,
    base: &Base,
    path: &[u8],
) -> Result<Option<Place>, Errno> {
    let mut names: Vec<Name<'_>> = Vec::new();
    match base {
        Base::Root => {}
        Base::Host(directory) => walk(&mut names, directory, Side::Host),
        Base::Elsewhere(directory) => walk(&mut names, directory, Side::Guest),
    }
    walk(&mut names, path, Side::Guest);
    let Some((proc, names)) = names.split_first() else { return Ok(Some(Place::Above)) };
    if proc.text != b"proc" {
        return Ok(None);
    }
    locate(tracer, entry, names, matches!(base, Base::Root))
}

/// Whose numbers a name has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Host,
    Guest,
}

#[derive(Clone, Copy)]
struct Name<'a> {
    text: &'a [u8],
    side: Side,
}

impl Name<'_> {
    fn number(&self) -> Option<i32> {
        let text = std::str::from_utf8(self.text).ok()?;
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        if plain { text.parse().ok() } else { None }
    }

    /// The host's number of the task that it names: `None` if it is no number.
    fn task(&self, tracer: &Tracer, viewer: TaskId) -> Option<Result<(TaskId, Tid), Errno>> {
        let number = self.number()?;
        let host = match self.side {
            Side::Host => Tid::new(number),
            Side::Guest => tracer.host_of(viewer, number),
        };
        let found = host.and_then(|host| Some((tracer.known(host)?, host)));
        Some(found.ok_or(Errno::NOENT))
    }
}

/// Goes down a path by its letters: symbolic links are not followed.
fn walk<'a>(names: &mut Vec<Name<'a>>, path: &'a [u8], side: Side) {
    for text in path.split(|byte| *byte == b'/') {
        match text {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            _ => names.push(Name { text, side }),
        }
    }
}

fn locate(
    tracer: &Tracer,
    entry: &Entry,
    names: &[Name<'_>],
    from_root: bool,
) -> Result<Option<Place>, Errno> {
    let Some((first, rest)) = names.split_first() else { return Ok(Some(Place::Root)) };
    let own = tracer.tasks.get(&entry.tid).map_or(entry.tid, |task| task.process);
    let (task, process, thread, by_self) = match (first.text, rest) {
        (b"self", []) => return Ok(Some(Place::OwnProcess)),
        (b"thread-self", []) => return Ok(Some(Place::OwnThread)),
        (b"self", _) => (tracer.id(own).unwrap_or(entry.id), own, None, true),
        (b"thread-self", _) => (entry.id, own, Some(entry.tid), true),
        _ => match first.task(tracer, entry.id) {
            None => return Ok(global(names)),
            Some(found) => {
                let (task, host) = found?;
                (task, host, None, false)
            }
        },
    };
    let mut spot = Spot { task, process, thread, rest: Vec::new(), native: by_self && from_root };
    let mut rest = rest;
    if let ([tasks, number, below @ ..], None) = (rest, thread)
        && tasks.text == b"task"
        && let Some(found) = number.task(tracer, entry.id)
    {
        let (task, host) = found?;
        spot = Spot { task, thread: Some(host), native: false, ..spot };
        rest = below;
    }
    spot.rest = rest.iter().map(|name| name.text.to_vec()).collect();
    Ok(Some(Place::Task(spot)))
}

fn global(names: &[Name<'_>]) -> Option<Place> {
    let path: Vec<&[u8]> = names.iter().map(|name| name.text).collect();
    let path = path.join(&b'/');
    GLOBAL.iter().find(|known| known.as_bytes() == path).map(|known| Place::Global(known))
}

/// A path of the host's into /proc, with the numbers that `viewer` knows; `None` if there is none in it.
pub(in super::super) fn to_guest(tracer: &Tracer, viewer: TaskId, path: &[u8]) -> Option<Vec<u8>> {
    let below = path.strip_prefix(b"/proc/")?;
    let mut changed = Vec::from(*b"/proc");
    let names: Vec<&[u8]> = below.split(|byte| *byte == b'/').collect();
    for (at, text) in names.iter().enumerate() {
        changed.push(b'/');
        let is_task = at == 0 || at == 2 && names[1] == b"task";
        match (Name { text, side: Side::Host }).number() {
            Some(host) if is_task => {
                changed.extend(tracer.number_of(viewer, host).to_string().into_bytes());
            }
            _ => changed.extend(*text),
        }
    }
    Some(changed)
}
