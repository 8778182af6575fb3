//! A cgroup of the command's own, where the supervisor's can be written to: a way to kill all at once, `cgroup.kill` of
//! cgroups(7), "cgroups v2".
//!
//! The command starts in it, and so does all that it starts, unless somebody moves it. Warden and keeper are outside. That
//! all are gone is for [`sweep`](super::sweep) to find out as ever; the cgroup only makes it sooner where they are many, or
//! fork faster than they can be found, and reaches those who may not be signalled.
//!
//! The warden makes it once nothing that happens to the supervisor's group happens to the warden, and removes it; the
//! keeper does if the warden has been killed.

use core::ffi::CStr;

use super::path::{Part, Path};
use crate::program::sys::{self, Entries, Errno};
use crate::protocol::{CGROUP_FD, Config};

/// From how many bytes of numbers on, each of which takes a few, those inside are killed without being looked for.
const CROWD: usize = 2048;

/// How many cgroups in one another are removed: jobs inside of jobs.
const MAX_DEPTH: u32 = 8;

/// How often, and how far apart, it is tried to remove one that has just become empty.
const TRIES: u32 = 100;
const PAUSE_NS: u64 = 1_000_000;

/// The cgroup, if there is one.
#[derive(Clone, Copy)]
pub(super) struct Leaf {
    /// The directory that it is in, and its own; negative without one.
    parent: i32,
    directory: i32,
    /// The warden's number, which its name ends in.
    warden: i32,
}

/// The directory of the supervisor's cgroup, by a descriptor that nobody inherits; negative without one.
pub(super) fn parent(config: &Config) -> i32 {
    if config.flags & Config::IN_CGROUP == 0 {
        return -1;
    }
    let parent = sys::open_directory(CGROUP_FD, c".").unwrap_or(-1);
    sys::close(CGROUP_FD);
    parent
}

impl Leaf {
    /// Makes it in `parent`. This process is the warden.
    pub(super) fn make(parent: i32) -> Self {
        let mut leaf = Self { parent, directory: -1, warden: sys::pid() };
        if let Some(name) = leaf.name()
            && sys::make_directory(parent, name.as_c_str()).is_ok()
        {
            leaf.open();
        }
        leaf
    }

    /// There is none.
    pub(super) fn none() -> Self {
        Self { parent: -1, directory: -1, warden: 0 }
    }

    /// Finds what the process `warden` has made in `parent`.
    pub(super) fn find(parent: i32, warden: i32) -> Self {
        let mut leaf = Self { parent, directory: -1, warden };
        leaf.open();
        leaf
    }

    fn open(&mut self) {
        if let Some(name) = self.name() {
            self.directory = sys::open_directory(self.parent, name.as_c_str()).unwrap_or(-1);
        }
    }

    fn name(&self) -> Option<Path> {
        Path::new(&[Part::Text(b"pidns-"), Part::Number(self.warden)])
    }

    /// Its directory, if there is one.
    pub(super) fn directory(&self) -> Option<i32> {
        (self.directory >= 0).then_some(self.directory)
    }

    /// Its descriptors, or negative numbers.
    pub(super) fn fds(&self) -> [i32; 2] {
        [self.parent, self.directory]
    }

    /// Says whether there are so many inside that it takes too long to look for them.
    pub(super) fn is_crowded(&self) -> bool {
        let Ok(file) = sys::open_in(self.directory, c"cgroup.procs") else { return false };
        let mut buffer = [0; CROWD];
        let is_full =
            matches!(sys::read_at(file, &mut buffer, 0), Ok(bytes) if bytes.len() == CROWD);
        sys::close(file);
        is_full
    }

    /// Kills all who are inside, of whatever credentials, as one: who is about to fork is killed, too. Says whether that
    /// was possible.
    pub(super) fn kill(&self) -> bool {
        write(self.directory, c"cgroup.kill", b"1").is_ok()
    }

    /// Removes it, once it is empty.
    pub(super) fn remove(&self) {
        let (Some(_), Some(name)) = (self.directory(), self.name()) else { return };
        for _ in 0..TRIES {
            match remove_tree(self.parent, name.as_c_str(), MAX_DEPTH) {
                Err(Errno::EBUSY) => {
                    let _ = sys::poll(&mut [], Some(PAUSE_NS));
                }
                _ => return,
            }
        }
    }
}

fn write(directory: i32, file: &CStr, text: &[u8]) -> sys::Result<()> {
    let file = sys::open_to_write(directory, file)?;
    let written = sys::write(file, text);
    sys::close(file);
    written.map(|_| ())
}

/// Removes a cgroup and those in it, if nobody is inside.
fn remove_tree(parent: i32, name: &CStr, depth: u32) -> sys::Result<()> {
    let removed = sys::remove_directory(parent, name);
    if removed != Err(Errno::EBUSY) || depth == 0 {
        return removed;
    }
    let directory = sys::open_directory(parent, name)?;
    let mut room = Entries([0; 512]);
    let mut more = true;
    while more {
        more = sys::next_entries(directory, &mut room, |entry| {
            // Its own files have a dot in their names, and are no directories.
            if !entry.to_bytes().starts_with(b".") {
                let _ = remove_tree(directory, entry, depth - 1);
            }
        })
        .unwrap_or(false);
    }
    sys::close(directory);
    sys::remove_directory(parent, name)
}
