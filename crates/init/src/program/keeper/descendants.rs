//! Finds all descendants of this process, and signals them and nobody else.
//!
//! /proc tells numbers, and a number may have come to mean another process by the time that it is used. So a process
//! is held by a pidfd first, and then the kernel is asked who its parent is: this process, or one that has been found in
//! the same way and has not been reaped, so that its number is still its own. A descendant stays one as long as it
//! lives, since orphans go to an ancestor below us or to us.
//!
//! What is deeper than [`MAX_DEPTH`] is left alone: it comes up when those above it have been killed.

use super::path::{Part, Path, number};
use crate::program::sys::{self, Entries, Errno};

/// How many generations down to look. Each takes a descriptor and some stack.
const MAX_DEPTH: u32 = 32;

/// What a look at the descendants has come across. Two equal ones mean, in all likelihood, the same processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) count: u32,
    /// A sum over their numbers.
    sum: u64,
    /// Whether there may be others deeper down.
    pub(super) is_cut: bool,
}

impl Tally {
    /// All that there are, however many.
    pub(super) fn all() -> Self {
        Self { count: u32::MAX, ..Self::default() }
    }

    fn add(&mut self, pid: i32) {
        self.count += 1;
        let mixed = (pid as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.sum = self.sum.wrapping_add(mixed ^ mixed >> 32);
    }
}

/// A descendant.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) pid: i32,
    handle: Handle,
}

/// What a process is signalled by.
#[derive(Clone, Copy)]
enum Handle {
    /// Open during the visit.
    Pidfd(i32),
    /// A child of this process, which nobody else reaps: its number is its own during the visit.
    Child,
}

impl Found {
    pub(super) fn signal(self, signal: i32) -> sys::Result<()> {
        match self.handle {
            Handle::Pidfd(pidfd) => sys::pidfd_kill(pidfd, signal),
            Handle::Child => sys::kill(self.pid, signal),
        }
    }

    /// As long as this is so, its number is its own.
    fn is_unreaped(self) -> bool {
        // Who may not be signalled is there too.
        matches!(self.signal(0), Ok(()) | Err(Errno::EPERM))
    }
}

/// Sends `signal` to all descendants that are there now.
pub(super) fn signal(signal: i32) -> Tally {
    walk(&mut |found| {
        let _ = found.signal(signal);
    })
}

/// Visits all descendants that are there now, parents before their children.
pub(super) fn walk(visit: &mut dyn FnMut(Found)) -> Tally {
    let mut walk = Walk { visit, own: sys::pid(), tally: Tally::default() };
    walk.below_process(None, 0);
    if walk.tally.count == 0 && sys::has_children() {
        // A /proc that is not there, not ours, or does not tell of children.
        walk.below_by_trial();
    }
    walk.tally
}

struct Walk<'a> {
    visit: &'a mut dyn FnMut(Found),
    /// The number of this process.
    own: i32,
    tally: Tally,
}

impl Walk<'_> {
    /// Visits the children of all threads of `parent`, or of this process, and those below.
    fn below_process(&mut self, parent: Option<Found>, depth: u32) {
        let process = parent.map_or(self.own, |parent| parent.pid);
        let Some(tasks) =
            Path::new(&[Part::Text(b"/proc/"), Part::Number(process), Part::Text(b"/task")])
        else {
            return;
        };
        // One link for each thread, and two.
        if sys::link_count(tasks.as_c_str()) == Ok(3) {
            return self.below_thread(parent, process, process, depth);
        }
        let Ok(directory) = sys::open(tasks.as_c_str()) else { return };
        let mut room = Entries([0; 256]);
        let mut more = true;
        while more {
            more = sys::next_entries(directory, &mut room, |name| {
                if let Some(thread) = number(name.to_bytes()) {
                    self.below_thread(parent, process, thread, depth);
                }
            })
            .unwrap_or(false);
        }
        sys::close(directory);
    }

    /// Visits the children of one thread, and those below.
    fn below_thread(&mut self, parent: Option<Found>, process: i32, thread: i32, depth: u32) {
        let parts = [
            Part::Text(b"/proc/"),
            Part::Number(process),
            Part::Text(b"/task/"),
            Part::Number(thread),
            Part::Text(b"/children"),
        ];
        let Some(path) = Path::new(&parts) else { return };
        let Ok(file) = sys::open(path.as_c_str()) else { return };
        let mut buffer = [0; 512];
        let mut offset = 0;
        let mut child = 0_i32;
        while let Ok(bytes) = sys::read_at(file, &mut buffer, offset) {
            if bytes.is_empty() {
                break;
            }
            offset += bytes.len() as u64;
            for byte in bytes {
                match byte {
                    b'0'..=b'9' => {
                        child = child.wrapping_mul(10).wrapping_add(i32::from(byte - b'0'))
                    }
                    _ => self.child(parent, core::mem::take(&mut child), depth),
                }
            }
        }
        sys::close(file);
    }

    /// Visits the process `pid`, if it is what it is said to be: a child of `parent`, or of this process.
    fn child(&mut self, parent: Option<Found>, pid: i32, depth: u32) {
        if pid <= 0 {
            return;
        }
        match sys::pidfd_open(pid) {
            Ok(pidfd) => {
                let found = Found { pid, handle: Handle::Pidfd(pidfd) };
                if self.is_child(found, pidfd, parent) {
                    self.visit(found, depth);
                }
                sys::close(pidfd);
            }
            Err(Errno::ESRCH) => {}
            // No descriptor is to be had.
            Err(_) if parent.is_none() && sys::is_child_by_number(pid) => {
                self.visit(Found { pid, handle: Handle::Child }, depth);
            }
            // Those above are killed before the next look, after which there are fewer generations.
            Err(_) => self.tally.is_cut = true,
        }
    }

    /// Says whether `found`, the process of `pidfd`, is a child of `parent`, or of this process.
    fn is_child(&self, found: Found, pidfd: i32, parent: Option<Found>) -> bool {
        let Some(parent) = parent else { return sys::is_child(pidfd) };
        match sys::parent_of(pidfd).ok().or_else(|| parent_by_stat(found)) {
            // An orphan of a moment ago, which we have adopted.
            Some(ppid) if ppid == self.own => sys::is_child(pidfd),
            Some(ppid) => ppid == parent.pid && parent.is_unreaped(),
            None => false,
        }
    }

    fn visit(&mut self, found: Found, depth: u32) {
        self.tally.add(found.pid);
        (self.visit)(found);
        if depth < MAX_DEPTH {
            self.below_process(Some(found), depth + 1);
        } else {
            self.tally.is_cut = true;
        }
    }

    /// Visits the children of this process without the help of /proc, by asking for every number there may be. Those
    /// below them come up later.
    fn below_by_trial(&mut self) {
        for pid in 1..=last_pid() {
            if sys::is_child_by_number(pid) {
                self.child(None, pid, MAX_DEPTH);
            }
        }
    }
}

/// The number of the parent of `found`, from /proc, where the kernel does not tell it of a pidfd: proc_pid_stat(5).
fn parent_by_stat(found: Found) -> Option<i32> {
    let path = Path::new(&[Part::Text(b"/proc/"), Part::Number(found.pid), Part::Text(b"/stat")])?;
    let file = sys::open(path.as_c_str()).ok()?;
    let mut buffer = [0; 256];
    let text = sys::read_at(file, &mut buffer, 0).unwrap_or_default();
    // The name is in brackets, and may have any form. After it come a letter and the number.
    let name_end = text.iter().rposition(|byte| *byte == b')');
    let ppid = name_end
        .and_then(|end| text.get(end + 1..))
        .and_then(|rest| rest.split(|byte| *byte == b' ').nth(2))
        .and_then(number);
    sys::close(file);
    // As long as it has not been reaped, what its number told was about it.
    ppid.filter(|_| found.is_unreaped())
}

/// The highest number that a process can have: proc_sys_kernel(5), `pid_max`.
fn last_pid() -> i32 {
    const LIMIT: i32 = 1 << 22;
    let Ok(file) = sys::open(c"/proc/sys/kernel/pid_max") else { return LIMIT };
    let mut buffer = [0; 16];
    let text = sys::read_at(file, &mut buffer, 0).unwrap_or_default();
    let last = number(text.strip_suffix(b"\n").unwrap_or(text));
    sys::close(file);
    last.unwrap_or(LIMIT)
}
