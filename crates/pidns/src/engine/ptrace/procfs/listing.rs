//! Directories of tasks: /proc itself, and `task` in a process's.
//!
//! The host lists what it has; its tasks are left out. Once it has nothing more, ours come, in order.

use pidns_core::{Pid, TaskId};
use pidns_sys::ptrace::Tid;

use crate::engine::ptrace::call::{Conclusion, Entry, Handled, Outcome};
use crate::engine::ptrace::task::After;
use crate::engine::ptrace::tracer::Tracer;
use crate::engine::ptrace::{host, memory};

/// What is listed: everybody, or the threads of a process.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Listing {
    at: u64,
    size: usize,
    fd: i32,
    /// The host's number of the process whose threads they are.
    process: Option<Tid>,
}

/// How far descriptors of such directories have been read, beyond what the host has: by process and number.
pub(in super::super) type Cursors = std::collections::BTreeMap<(Tid, i32), i32>;

pub(in super::super) fn enter(_: &Tracer, entry: &Entry) -> Handled {
    let fd = entry.int(0);
    let Some(directory) = host::descriptor(entry.tid, fd) else { return Ok(Outcome::Native) };
    let text = directory.to_string_lossy();
    let process = match text.strip_prefix("/proc") {
        Some("") => None,
        Some(below) => {
            match below.strip_prefix('/').and_then(|below| below.strip_suffix("/task")) {
                Some(number) => number.parse().ok().and_then(Tid::new),
                None => return Ok(Outcome::Native),
            }
        }
        None => return Ok(Outcome::Native),
    };
    let listing = Listing { at: entry.long(1), size: entry.int(2).max(0) as usize, fd, process };
    Ok(Outcome::Then(After::List(listing)))
}

/// The host has listed.
pub(in super::super) fn done(
    tracer: &mut Tracer,
    tid: Tid,
    listing: &Listing,
    result: i64,
) -> Conclusion {
    let Ok(length) = usize::try_from(result) else { return Conclusion::Result(result) };
    let key = (tracer.tasks.get(&tid).map_or(tid, |task| task.process), listing.fd);
    let bytes = if length > 0 {
        tracer.cursors.remove(&key);
        let Ok(entries) = memory::read_up_to(tid, listing.at, length) else {
            return Conclusion::Result(result);
        };
        let others = without_tasks(&entries);
        if others.is_empty() {
            return Conclusion::Again;
        }
        others
    } else {
        ours(tracer, tid, key, listing)
    };
    let _ = memory::write(tid, listing.at, &bytes);
    Conclusion::Result(bytes.len() as i64)
}

/// `struct linux_dirent64`: inode, offset, length, type, name. See getdents64(2).
const HEADER: usize = 19;

fn without_tasks(entries: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(entries.len());
    let mut rest = entries;
    while rest.len() > HEADER {
        let length = usize::from(u16::from_ne_bytes([rest[16], rest[17]]));
        if length <= HEADER || length > rest.len() {
            break;
        }
        let (entry, after) = rest.split_at(length);
        if !entry[HEADER].is_ascii_digit() {
            kept.extend(entry);
        }
        rest = after;
    }
    kept
}

fn ours(tracer: &mut Tracer, tid: Tid, key: (Tid, i32), listing: &Listing) -> Vec<u8> {
    let mut bytes = Vec::new();
    let before = tracer.cursors.get(&key).copied().unwrap_or(0);
    let mut last = before;
    for number in numbers(tracer, tid, listing).into_iter().filter(|number| *number > before) {
        let entry = entry(number);
        if bytes.len() + entry.len() > listing.size {
            break;
        }
        bytes.extend(entry);
        last = number;
    }
    if bytes.is_empty() {
        tracer.cursors.remove(&key);
    } else {
        tracer.cursors.insert(key, last);
    }
    bytes
}

/// The numbers in the directory, in order.
fn numbers(tracer: &Tracer, tid: Tid, listing: &Listing) -> Vec<i32> {
    let set = &tracer.set;
    let Some(ns) = tracer.id(tid).and_then(|id| set.ns_of(id).ok()) else { return Vec::new() };
    let number = |task: TaskId| set.number(set.tid(task).ok()?, ns).map(Pid::raw);
    let mut numbers: Vec<i32> = match listing.process {
        Some(process) => tracer
            .processes
            .get(&process)
            .map(|process| set.group_threads(process.group).filter_map(number).collect())
            .unwrap_or_default(),
        None => tracer
            .processes
            .values()
            .filter_map(|process| number(set.leader(process.group).ok()?))
            .collect(),
    };
    numbers.sort_unstable();
    numbers
}

fn entry(number: i32) -> Vec<u8> {
    const DIRECTORY: u8 = 4;
    const FIRST_INODE: u64 = 1 << 32;
    let name = number.to_string();
    let length = (HEADER + name.len() + 1).next_multiple_of(8);
    let mut entry = Vec::with_capacity(length);
    entry.extend((FIRST_INODE + u64::from(number.unsigned_abs())).to_ne_bytes());
    entry.extend(i64::from(number).to_ne_bytes());
    entry.extend(u16::try_from(length).expect("numbers are short").to_ne_bytes());
    entry.push(DIRECTORY);
    entry.extend(name.as_bytes());
    entry.resize(length, 0);
    entry
}
