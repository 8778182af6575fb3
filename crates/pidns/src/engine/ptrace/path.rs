//! Calls that take a path: those into /proc are answered from the process table.
//!
//! What has no number in it is the host's: `/proc/self/maps`, `/proc/meminfo`. A directory of a task is the host's too,
//! under the host's number: the path is exchanged for the time of the call. Files that hold numbers are made at the open:
//! see [`procfs`].

use std::os::unix::fs::MetadataExt;

use pidns_core::NsId;
use pidns_sys::ptrace::Tid;
use pidns_sys::ptrace::regs::Registers;
use pidns_sys::{Errno, abi};

use super::call::{Entry, Handled, Outcome};
use super::procfs::place::{Base, Place};
use super::procfs::{self, listing};
use super::task::{After, Filter};
use super::tracer::Tracer;
use super::{memory, namespaces, sysctl};

pub(super) fn enter(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    match entry.registers.call() {
        abi::SYS_getdents64 => listing::enter(tracer, entry),
        abi::SYS_fchdir => fchdir(tracer, entry),
        abi::SYS_getcwd => {
            Ok(Outcome::Then(After::Path { buffer: entry.long(0), size: entry.long(1) }))
        }
        abi::SYS_mount => mount(entry),
        abi::SYS_fstat => {
            Ok(stat_of_namespace(tracer, entry, entry.int(0)).unwrap_or(Outcome::Native))
        }
        _ => by_path(tracer, entry),
    }
}

/// Where a call has its path, and the directory that it starts from, which may be its first argument.
pub(super) fn argument(call: i64, first: i32) -> (usize, i32) {
    match call {
        abi::SYS_open
        | abi::SYS_stat
        | abi::SYS_lstat
        | abi::SYS_access
        | abi::SYS_readlink
        | abi::SYS_chdir => (0, abi::AT_FDCWD),
        _ => (1, first),
    }
}

fn by_path(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    let call = entry.registers.call();
    let (index, directory) = argument(call, entry.int(0));
    if let Some(outcome) = stat_of_descriptor(tracer, entry, directory) {
        return Ok(outcome);
    }
    let mut buffer = std::mem::take(&mut tracer.paths);
    let found = match buffer.read(entry.tid, entry.long(index)) {
        Ok(path) => find(tracer, entry, directory, path),
        // The kernel says so itself.
        Err(Errno::FAULT | Errno::NAMETOOLONG) => Ok(None),
        // A program that may be executed but not read hides its memory.
        Err(_) => Err(Errno::ACCESS),
    };
    tracer.paths = buffer;
    match found? {
        Some(Place::Above) if opens(call) => Ok(Outcome::Then(After::Filter(Filter::Walker))),
        Some(Place::Above) => Ok(Outcome::Native),
        Some(place) => at_place(tracer, entry, index, place),
        None if call == abi::SYS_chdir && in_proc(tracer, entry.tid) => {
            Ok(Outcome::Then(After::Directory { in_proc: false }))
        }
        None => Ok(Outcome::Native),
    }
}

fn in_proc(tracer: &Tracer, tid: Tid) -> bool {
    tracer.process_of(tid).is_some_and(|process| process.in_proc.is_some())
}

/// What of /proc the path means, if it does.
fn find(
    tracer: &Tracer,
    entry: &Entry,
    directory: i32,
    path: &[u8],
) -> Result<Option<Place>, Errno> {
    let from_descriptor = !path.starts_with(b"/") && directory != abi::AT_FDCWD;
    if path.is_empty()
        || !from_descriptor
            && !may_be_in_proc(entry.registers.call(), path, in_proc(tracer, entry.tid))
    {
        return Ok(None);
    }
    let base = match path {
        [b'/', ..] => Base::Root,
        _ if from_descriptor => Base::of_descriptor(entry.tid, directory),
        _ => Base::of_cwd(entry.tid),
    };
    procfs::place::find(tracer, entry, &base, path)
}

/// What the text of a path, from the root or the working directory, says: whether it may lead into /proc, or open the
/// root directory, from which one could go there. So nearly all paths are told apart. `visitor` says that the working
/// directory may be in /proc.
pub(super) fn may_be_in_proc(call: i64, path: &[u8], visitor: bool) -> bool {
    let mut names = path.split(|byte| *byte == b'/');
    if path.starts_with(b"/") || !visitor {
        let is_dots = |name: &[u8]| matches!(name, b"" | b"." | b"..");
        names.clone().any(|name| name == b"proc") || opens(call) && names.all(is_dots)
    } else {
        true
    }
}

pub(super) const fn opens(call: i64) -> bool {
    matches!(call, abi::SYS_open | abi::SYS_openat | abi::SYS_openat2)
}

/// Whether a call that a signal has found at its entry would wait, so that the signal's handler may end it. Others are made
/// again: that they were asked about is not to be noticed.
pub(super) fn waits(tid: Tid, registers: &Registers) -> bool {
    let call = registers.call();
    if !opens(call) {
        return false;
    }
    let (index, directory) = argument(call, registers.argument(0) as i32);
    let mut buffer = memory::PathBuffer::default();
    let Ok(path) = buffer.read(tid, registers.argument(index)) else { return false };
    let path = String::from_utf8_lossy(path);
    let path = match path.strip_prefix('/') {
        Some(path) => format!("/proc/{tid}/root/{path}"),
        None if directory == abi::AT_FDCWD => format!("/proc/{tid}/cwd/{path}"),
        None => format!("/proc/{tid}/fd/{directory}/{path}"),
    };
    std::fs::metadata(path).is_ok_and(|file| !file.is_file() && !file.is_dir())
}

fn at_place(tracer: &mut Tracer, entry: &mut Entry, index: usize, place: Place) -> Handled {
    match entry.registers.call() {
        abi::SYS_open => open(tracer, entry, index, place, entry.int(1)),
        abi::SYS_openat => open(tracer, entry, index, place, entry.int(2)),
        abi::SYS_openat2 => {
            let flags = memory::read_u64(entry.tid, entry.long(2))?;
            open(tracer, entry, index, place, flags as i32)
        }
        abi::SYS_readlink => readlink(tracer, entry, index, &place, [1, 2]),
        abi::SYS_readlinkat => readlink(tracer, entry, index, &place, [2, 3]),
        abi::SYS_chdir => {
            exchange(entry, index, &place)?;
            Ok(Outcome::Then(After::Directory { in_proc: true }))
        }
        _ => {
            exchange(entry, index, &place)?;
            // The file of a namespace has the number of ours, unless it is the link that is looked at.
            let follows =
                entry.registers.call() != abi::SYS_lstat && flags_of_stat(entry) & NOFOLLOW == 0;
            let ns = if follows { procfs::namespace(tracer, entry, &place)? } else { None };
            let stat = ns.and_then(|ns| stat_after(tracer, entry, ns));
            Ok(stat.unwrap_or(Outcome::Then(After::Restore)))
        }
    }
}

const NOFOLLOW: i32 = 0x100;
const EMPTY_PATH: i32 = 0x1000;

fn flags_of_stat(entry: &Entry) -> i32 {
    match entry.registers.call() {
        abi::SYS_newfstatat => entry.int(3),
        abi::SYS_statx => entry.int(2),
        _ => 0,
    }
}

/// fstat(2) by its newer names, of a descriptor of a namespace.
fn stat_of_descriptor(tracer: &Tracer, entry: &Entry, fd: i32) -> Option<Outcome> {
    if fd < 0 || flags_of_stat(entry) & EMPTY_PATH == 0 {
        return None;
    }
    let path = memory::read::<1>(entry.tid, entry.long(1)).ok()?;
    if path == [0] { stat_of_namespace(tracer, entry, fd) } else { None }
}

fn stat_of_namespace(tracer: &Tracer, entry: &Entry, fd: i32) -> Option<Outcome> {
    let ns = namespaces::of_descriptor(tracer, entry.tid, fd)?;
    stat_after(tracer, entry, ns)
}

/// What the host stores is made to be of the namespace: two files of one are the same file.
fn stat_after(tracer: &Tracer, entry: &Entry, ns: NsId) -> Option<Outcome> {
    let inode = procfs::FIRST_INODE + tracer.set.ns_serial(ns).ok()?;
    let (at, extended) = match entry.registers.call() {
        abi::SYS_stat | abi::SYS_fstat => (entry.long(1), false),
        abi::SYS_newfstatat => (entry.long(2), false),
        abi::SYS_statx => (entry.long(4), true),
        _ => return None,
    };
    Some(Outcome::Then(After::Stat { at, inode, extended }))
}

/// The host has stored a `struct stat`, or a `struct statx`.
pub(super) fn stat_stored(tid: Tid, at: u64, inode: u64, extended: bool) {
    const STATX_INODE: u64 = 32;
    const STATX_DEVICE: u64 = 136;
    // All namespaces are files of one device.
    let device = std::fs::metadata("/proc/self/ns/pid").map_or(0, |file| file.dev());
    if extended {
        let _ = memory::write(tid, at + STATX_INODE, &inode.to_ne_bytes());
        let words = [(device >> 8 & 0xfff) as u32, (device & 0xff) as u32];
        let _ = memory::write(tid, at + STATX_DEVICE, &words.map(u32::to_ne_bytes).concat());
    } else {
        let _ = memory::write(tid, at, &[device, inode].map(u64::to_ne_bytes).concat());
    }
}

/// Puts the host's path in the place of the guest's, below its stack.
fn exchange(entry: &mut Entry, index: usize, place: &Place) -> Result<(), Errno> {
    let Some(mut path) = place.host_path() else { return Ok(()) };
    path.push(0);
    let at = memory::scratch(entry.registers.stack_pointer(), path.len());
    memory::write(entry.tid, at, &path)?;
    entry.registers.set_argument(index, at);
    Ok(())
}

fn open(tracer: &mut Tracer, entry: &mut Entry, index: usize, place: Place, flags: i32) -> Handled {
    if let Some(ns) = procfs::namespace(tracer, entry, &place)? {
        return open_namespace(tracer, entry, ns, flags);
    }
    let writes = flags & abi::O_ACCMODE != abi::O_RDONLY;
    if let (Place::Global(name), true) = (&place, writes) {
        let name = sysctl::file_name(tracer, entry.tid, name)?;
        let at = leave_text(entry, &name)?;
        make_file(entry, at, flags);
        return Ok(Outcome::Then(After::Filter(Filter::Writer)));
    }
    let path_only = flags & abi::O_PATH != 0;
    // `status` tells on which cpus a task may run.
    tracer.affinity.release();
    match procfs::text(tracer, entry, &place)? {
        Some(_) if writes => return Err(Errno::ACCESS),
        Some(text) if !path_only => {
            make_file(entry, entry.long(index), flags);
            return Ok(Outcome::Then(After::Fill(text)));
        }
        _ => {}
    }
    exchange(entry, index, &place)?;
    Ok(Outcome::Then(if place.is_directory() {
        After::Filter(Filter::Walker)
    } else {
        After::Restore
    }))
}

/// Makes the call one that opens an empty file in memory, with a name from there.
fn make_file(entry: &mut Entry, name: u64, flags: i32) {
    let cloexec = if flags & abi::O_CLOEXEC != 0 { abi::MFD_CLOEXEC } else { 0 };
    entry.registers.set_call(abi::SYS_memfd_create);
    entry.registers.set_argument(0, name);
    entry.registers.set_argument(1, u64::from(cloexec));
}

/// Makes the call one that opens a descriptor of a namespace.
pub(super) fn open_namespace(
    tracer: &mut Tracer,
    entry: &mut Entry,
    ns: NsId,
    flags: i32,
) -> Handled {
    let name = procfs::namespace_file(tracer, ns)?;
    let at = leave_text(entry, &name)?;
    make_file(entry, at, flags);
    Ok(Outcome::Then(After::Filter(Filter::Walker)))
}

/// Puts a C string below the caller's stack.
pub(super) fn leave_text(entry: &Entry, text: &str) -> Result<u64, Errno> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    let at = memory::scratch(entry.registers.stack_pointer(), bytes.len());
    memory::write(entry.tid, at, &bytes)?;
    Ok(at)
}

fn readlink(
    tracer: &mut Tracer,
    entry: &mut Entry,
    index: usize,
    place: &Place,
    [buffer, size]: [usize; 2],
) -> Handled {
    let (buffer, size) = (entry.long(buffer), entry.int(size));
    if size <= 0 {
        return Err(Errno::INVAL);
    }
    if let Some(mut target) = procfs::link(tracer, entry, place)? {
        target.truncate(size.unsigned_abs() as usize);
        memory::write(entry.tid, buffer, &target)?;
        return Ok(Outcome::Done(target.len() as i64));
    }
    exchange(entry, index, place)?;
    Ok(Outcome::Then(After::Restore))
}

fn fchdir(tracer: &Tracer, entry: &Entry) -> Handled {
    let in_proc = matches!(Base::of_descriptor(entry.tid, entry.int(0)), Base::Host(_));
    if !in_proc && !self::in_proc(tracer, entry.tid) {
        return Ok(Outcome::Native);
    }
    Ok(Outcome::Then(After::Directory { in_proc }))
}

/// A procfs mounted on /proc would be what a guest sees there already: if the host refuses it, nothing is missing.
fn mount(entry: &Entry) -> Handled {
    let text = |at: u64| memory::PathBuffer::default().read(entry.tid, at).map(<[u8]>::to_vec);
    let is_proc = text(entry.long(2)).is_ok_and(|kind| kind == b"proc")
        && text(entry.long(1)).is_ok_and(|target| target == b"/proc" || target == b"/proc/");
    Ok(if is_proc { Outcome::Then(After::MountProc) } else { Outcome::Native })
}

/// The host has opened a file in memory for a text.
pub(super) fn fill(tid: Tid, fd: i64, text: &[u8]) {
    // An empty file is what is left if the guest has gone meanwhile.
    let _ = std::fs::OpenOptions::new()
        .write(true)
        .open(format!("/proc/{tid}/fd/{fd}"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, text));
}

/// The host has stored the working directory: one in /proc has the host's numbers.
pub(super) fn shown(tracer: &Tracer, tid: Tid, buffer: u64, size: u64, result: i64) -> i64 {
    let Ok(length) = usize::try_from(result) else { return result };
    let Ok(path) = memory::read_up_to(tid, buffer, length) else { return result };
    let Some(id) = tracer.id(tid) else { return result };
    let Some(mut path) =
        procfs::place::to_guest(tracer, id, path.strip_suffix(&[0]).unwrap_or(&path))
    else {
        return result;
    };
    path.push(0);
    if path.len() as u64 > size || memory::write(tid, buffer, &path).is_err() {
        return -i64::from(Errno::RANGE.raw_os_error());
    }
    path.len() as i64
}
