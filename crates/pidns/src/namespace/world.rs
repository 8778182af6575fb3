//! All processes that can be seen, and the PID namespaces that they are in.
//!
//! Which namespace a process is in, its `NSpid` line in proc_pid_status(5) tells in part, and to everybody: how deep it
//! is, and whether it is a number 1. Its `ns/pid` link tells all, but only to those who may trace the process. So the link
//! is used where it can be read, and else the parents are: a process is in the namespace of the nearest number 1 above
//! it. What somebody has put into a namespace of others from outside stays unseen then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io, process};

use crate::{Engine, proc_files};

/// A moment of /proc.
pub(super) struct World {
    processes: BTreeMap<u32, Seen>,
    /// The namespaces inside that of /proc, by their number 1.
    namespaces: BTreeMap<u32, Namespace>,
    /// The number 1 of each namespace of which the id is known.
    by_id: BTreeMap<u64, u32>,
}

/// A process of that moment.
pub(super) struct Seen {
    pub(super) ppid: u32,
    /// Its effective user.
    pub(super) uid: u32,
    /// Its numbers, from /proc's own namespace inward.
    pub(super) numbers: Vec<u32>,
    /// Which PID namespace its `ns/pid` names; not read for processes of /proc's own.
    id: Option<u64>,
}

impl Seen {
    /// How many namespaces it is inside of that of /proc.
    fn level(&self) -> usize {
        self.numbers.len().saturating_sub(1)
    }

    fn is_number_one(&self) -> bool {
        self.level() > 0 && self.numbers.last() == Some(&1)
    }
}

/// A namespace of that moment.
#[derive(Default)]
pub(super) struct Namespace {
    /// The number 1 of the namespace that it is nested in, unless that is /proc's own.
    pub(super) parent: Option<u32>,
    /// The processes in it, number 1 too, without those that are nested deeper.
    members: Vec<u32>,
}

impl World {
    /// Looks at /proc.
    ///
    /// # Errors
    /// Where there is no /proc, or it is that of another PID namespace, in which the numbers mean others.
    pub(super) fn look() -> io::Result<Self> {
        if fs::read_link("/proc/self")? != Path::new(&process::id().to_string()) {
            return Err(io::Error::other("/proc shows another PID namespace"));
        }
        let mut world = Self {
            processes: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            by_id: BTreeMap::new(),
        };
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            world.processes.extend(see(pid).map(|seen| (pid, seen)));
        }
        world.group();
        Ok(world)
    }

    /// All namespaces, by their number 1.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = (u32, &Namespace)> {
        self.namespaces.iter().map(|(init, namespace)| (*init, namespace))
    }

    /// The process `pid`.
    pub(super) fn process(&self, pid: u32) -> Option<&Seen> {
        self.processes.get(&pid)
    }

    /// The number 1 of the innermost namespace that `pid` is in; `None` for that of /proc itself.
    pub(super) fn init_of(&self, pid: u32) -> Option<u32> {
        let seen = self.processes.get(&pid).filter(|seen| seen.level() > 0)?;
        let by_id = seen.id.and_then(|id| self.by_id.get(&id).copied());
        by_id.or_else(|| self.number_one_above(pid, seen.level()))
    }

    /// The processes that `init` holds together: for the kernel's namespaces those in it and those nested in it, else
    /// its family. In the order of their numbers.
    pub(super) fn inside(&self, engine: Engine, init: u32) -> Vec<u32> {
        let mut inside = match self.namespaces.get(&init) {
            Some(_) if engine == Engine::Kernel => self.members_to_the_bottom(init),
            _ => {
                let all = self.processes.keys().copied();
                all.filter(|pid| self.is_in_family(*pid, engine, init)).collect()
            }
        };
        inside.sort_unstable();
        inside
    }

    fn members_to_the_bottom(&self, init: u32) -> Vec<u32> {
        let mut inside = self.namespaces[&init].members.clone();
        for (nested, namespace) in &self.namespaces {
            if namespace.parent == Some(init) {
                inside.extend(self.members_to_the_bottom(*nested));
            }
        }
        inside
    }

    /// Says whether `init`, which is no number 1 for the kernel, holds `pid` together with others.
    fn is_in_family(&self, pid: u32, engine: Engine, init: u32) -> bool {
        self.depth_in_family(pid, engine, init).is_some()
    }

    /// How many generations `pid` is below the top of the family that `init` holds together; `None` if it is in another.
    /// Of several families that it is in, the one in which it is the least deep is in the others.
    pub(super) fn depth_in_family(&self, pid: u32, engine: Engine, init: u32) -> Option<usize> {
        let root = match engine {
            Engine::Ptrace => self.processes.get(&init).map_or(init, |seen| seen.ppid),
            _ => init,
        };
        let is_supervisor = pid == root && pid != init;
        self.line_up(pid).position(|pid| pid == root).filter(|_| !is_supervisor)
    }

    /// `pid`, its parent, and so on up to the top.
    fn line_up(&self, pid: u32) -> impl Iterator<Item = u32> {
        let parent = |pid: &u32| self.processes.get(pid).map(|seen| seen.ppid).filter(|p| *p != 0);
        // What changes while it is read could make a circle.
        std::iter::successors(Some(pid), parent).take(self.processes.len() + 1)
    }

    fn number_one_above(&self, pid: u32, level: usize) -> Option<u32> {
        self.line_up(pid).find(|pid| {
            self.processes.get(pid).is_some_and(|up| up.is_number_one() && up.level() == level)
        })
    }

    fn group(&mut self) {
        let number_ones = self.processes.iter().filter(|(_, seen)| seen.is_number_one());
        for (pid, seen) in number_ones {
            self.namespaces.insert(*pid, Namespace::default());
            self.by_id.extend(seen.id.map(|id| (id, *pid)));
        }
        let of_each: Vec<_> = self.processes.keys().map(|pid| (*pid, self.init_of(*pid))).collect();
        for (pid, init) in of_each {
            if let Some(namespace) = init.and_then(|init| self.namespaces.get_mut(&init)) {
                namespace.members.push(pid);
            }
        }
        let parents: Vec<_> = self.namespaces.keys().map(|init| self.parent_of(*init)).collect();
        for (namespace, parent) in self.namespaces.values_mut().zip(parents) {
            namespace.parent = parent;
        }
    }

    /// The number 1 of the namespace around that of `init`: that of its parent, who made it or took it in.
    fn parent_of(&self, init: u32) -> Option<u32> {
        let level = self.processes[&init].level();
        let outside = self.line_up(init).skip(1);
        outside
            .filter_map(|pid| self.processes.get(&pid).map(|seen| (pid, seen.level())))
            .find_map(|(pid, above)| (above + 1 == level).then(|| self.init_of(pid)).flatten())
    }
}

fn see(pid: u32) -> Option<Seen> {
    let directory = PathBuf::from(format!("/proc/{pid}"));
    let status = fs::read_to_string(directory.join("status")).ok()?;
    let numbers = proc_files::numbers(&status)?;
    let id = (numbers.len() > 1).then(|| namespace_id(&directory.join("ns/pid"))).flatten();
    let word = |name, at| proc_files::field(&status, name)?.split_ascii_whitespace().nth(at);
    Some(Seen {
        ppid: word("PPid", 0)?.parse().ok()?,
        // Real, effective, saved, file system.
        uid: word("Uid", 1)?.parse().ok()?,
        numbers,
        id,
    })
}

/// Which PID namespace the caller is in, as far as /proc is there to tell.
pub(crate) fn own_id() -> Option<u64> {
    namespace_id(Path::new("/proc/self/ns/pid"))
}

/// Which PID namespace `pid` is in, if the caller may know.
pub(super) fn id_of(pid: u32) -> Option<u64> {
    namespace_id(Path::new(&format!("/proc/{pid}/ns/pid")))
}

/// The inode number of the namespace that a link such as `/proc/self/ns/pid` names: `pid:[4026531836]`.
fn namespace_id(link: &Path) -> Option<u64> {
    let text = fs::read_link(link).ok()?;
    text.to_str()?.split_once('[')?.1.strip_suffix(']')?.parse().ok()
}
