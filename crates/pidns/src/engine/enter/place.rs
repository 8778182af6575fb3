//! What the processes of a namespace see, as far as a command that joins them has to see it too.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pidns_init::protocol::Entry;
use pidns_sys::{Errno, file, privilege};

use crate::error::{SpawnError, Stage};
use crate::proc_files;

/// The kinds of namespaces, as /proc and setns(2) name them. Not the time namespace: who shares memory, as a process
/// between vfork and exec does, cannot enter one.
const KINDS: [(&str, u32); 7] = [
    ("user", 0x1000_0000),
    ("mnt", 0x0002_0000),
    ("pid", PID),
    ("net", 0x4000_0000),
    ("ipc", 0x0800_0000),
    ("uts", 0x0400_0000),
    ("cgroup", 0x0200_0000),
];
const USER: u32 = 0x1000_0000;
const MOUNT: u32 = 0x0002_0000;
const PID: u32 = 0x2000_0000;

/// Where a visitor goes.
pub(super) struct Place {
    pub(super) entry: Entry,
    /// The root directory, where that is another than the caller's.
    pub(super) root: Option<OwnedFd>,
}

impl Place {
    /// What number 1, the process `init`, has and the caller has not.
    pub(super) fn of(init: u32, directory: Option<&CStr>) -> Result<Self, SpawnError> {
        let proc = PathBuf::from(format!("/proc/{init}"));
        let namespaces = other_namespaces(&proc).map_err(refused)?;
        let root = other_root(&proc, namespaces).map_err(refused)?;
        let ids = if namespaces & USER == 0 { None } else { ids(&proc).map_err(refused)? };
        let (path, if_possible) = working_directory(directory)?;
        let mut flags = 0;
        if root.is_some() {
            flags |= Entry::CHANGE_ROOT;
        }
        if ids.is_some() {
            flags |= Entry::SET_IDS;
        }
        if if_possible {
            flags |= Entry::DIRECTORY_IF_POSSIBLE;
        }
        let (uid, gid) = ids.unwrap_or_default();
        Ok(Self { entry: Entry { namespaces, flags, uid, gid, directory: path }, root })
    }
}

fn refused(error: io::Error) -> SpawnError {
    match error.kind() {
        io::ErrorKind::NotFound => SpawnError::new(Stage::Enter, Errno::SRCH),
        _ => SpawnError::of_io(Stage::Enter, &error),
    }
}

/// Those kinds of namespaces of which the process of `proc` is in another than the caller.
fn other_namespaces(proc: &Path) -> io::Result<u32> {
    let own = Path::new("/proc/thread-self");
    let mut others = PID;
    for (name, kind) in KINDS {
        let link = Path::new("ns").join(name);
        // A kernel may be without a kind.
        let Ok(here) = fs::read_link(own.join(&link)) else { continue };
        if fs::read_link(proc.join(&link))? != here {
            others |= kind;
        }
    }
    Ok(others)
}

/// The root directory of the process of `proc`, unless it is the caller's.
fn other_root(proc: &Path, namespaces: u32) -> io::Result<Option<OwnedFd>> {
    let path = proc.join("root");
    let id = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()));
    if namespaces & MOUNT == 0 && id(&path)? == id(Path::new("/"))? {
        return Ok(None);
    }
    Ok(Some(file::open_place(&path)?))
}

/// The user and group of the process of `proc` by their numbers in its user namespace, where those of the caller have
/// none there: root's do not in a namespace of another user.
fn ids(proc: &Path) -> io::Result<Option<(u32, u32)>> {
    let status = fs::read_to_string(proc.join("status"))?;
    let users = Map::read(&proc.join("uid_map"))?;
    let groups = Map::read(&proc.join("gid_map"))?;
    let knows_us = users.inside(privilege::effective_uid()).is_some()
        && groups.inside(privilege::effective_gid()).is_some();
    if knows_us {
        return Ok(None);
    }
    // Real, effective, saved, file system.
    let effective = |name| -> Option<u32> {
        proc_files::field(&status, name)?.split_ascii_whitespace().nth(1)?.parse().ok()
    };
    let user = effective("Uid").and_then(|uid| users.inside(uid));
    let group = effective("Gid").and_then(|gid| groups.inside(gid));
    user.zip(group).map(Some).ok_or_else(|| Errno::PERM.into())
}

/// A map of ids: user_namespaces(7). What is outside is seen from the caller's user namespace.
struct Map(Vec<[u32; 3]>);

impl Map {
    fn read(path: &Path) -> io::Result<Self> {
        Ok(Self::parse(&fs::read_to_string(path)?))
    }

    fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let mut words = line.split_ascii_whitespace().map(str::parse);
            let mut next = || words.next()?.ok();
            Some([next()?, next()?, next()?])
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// What the id `outside` is inside.
    fn inside(&self, outside: u32) -> Option<u32> {
        self.0.iter().find_map(|[inside, first, count]| {
            let offset = outside.checked_sub(*first).filter(|offset| offset < count)?;
            inside.checked_add(offset)
        })
    }
}

/// The path of the working directory, and whether the root directory will do instead: a caller who has not asked for
/// one gets its own, if that is there.
fn working_directory(
    asked: Option<&CStr>,
) -> Result<([u8; Entry::DIRECTORY_SIZE], bool), SpawnError> {
    let own = || std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let path = match asked {
        Some(path) => path.to_bytes().to_vec(),
        None => own().as_os_str().as_bytes().to_vec(),
    };
    let mut buffer = [0; Entry::DIRECTORY_SIZE];
    let too_long = SpawnError::new(Stage::Directory, Errno::NAMETOOLONG);
    let room = buffer.get_mut(..path.len()).filter(|_| path.len() < Entry::DIRECTORY_SIZE);
    room.ok_or(too_long)?.copy_from_slice(&path);
    Ok((buffer, asked.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_read_as_the_kernel_writes_it() {
        let map =
            Map::parse("         0       1000          1\n         1     100000      65536\n");
        assert_eq!(map.inside(1000), Some(0));
        assert_eq!(map.inside(100_000), Some(1));
        assert_eq!(map.inside(165_535), Some(65_536));
        assert_eq!(map.inside(165_536), None);
        assert_eq!(map.inside(0), None);
        assert_eq!(Map::parse("0 0 4294967295").inside(7), Some(7));
    }

    #[test]
    fn a_directory_that_is_asked_for_is_insisted_on() {
        let (path, if_possible) = working_directory(Some(c"/tmp")).expect("it is short");
        assert_eq!((&path[..6], if_possible), (&b"/tmp\0\0"[..], false));
        let long = std::ffi::CString::new("x".repeat(5000)).expect("it has no NUL");
        let error = working_directory(Some(&long)).expect_err("it is too long");
        assert_eq!(error.stage(), Stage::Directory);
        assert!(working_directory(None).expect("it is short").1);
    }
}
