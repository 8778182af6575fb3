//! What the host's /proc tells of a task.

use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;

use pidns_sys::ptrace::Tid;
use pidns_sys::seccomp::listener;
use pidns_sys::signal::{Signal, SignalSet};
use pidns_sys::{pidfd, privilege, system, twin};

/// Which of the host's facilities there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Host {
    /// Another filter is in force already, and may answer calls before ours does.
    pub(super) filtered: bool,
    /// A filter's questions can be answered: paths need no stop.
    pub(super) listening: bool,
    /// We ignore SIGCHLD, as whom we start does then.
    pub(super) ignores_children: bool,
    /// Whose we are.
    pub(super) uid: u32,
}

impl Host {
    pub(super) fn probe() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        // Without /proc, assume the harder case.
        let filtered = field(&status, "Seccomp:").is_none_or(|mode| mode != "0");
        let ignores_children = set(&status, "SigIgn:").contains(Signal::CHLD);
        let uid = privilege::effective_uid();
        Self { filtered, listening: listening(filtered), ignores_children, uid }
    }
}

/// Says whether a filter can have a listener. One that is in force may have it already, which only a try tells.
fn listening(filtered: bool) -> bool {
    // Since then a listener learns that nobody is left.
    const SINCE: (u32, u32) = (6, 11);
    let release = system::name().release;
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= SINCE && (!filtered || twin::run(|| listener::try_one().is_ok()) == Ok(true))
}

/// The `status` file of a process. See proc_pid_status(5).
fn status(process: Tid) -> Option<String> {
    // So that it takes one read: the kernel writes all of it for the first.
    let mut text = String::with_capacity(4096);
    let mut file = File::open(format!("/proc/{process}/status")).ok()?;
    file.read_to_string(&mut text).ok()?;
    Some(text)
}

/// The value in a line of a `status` file. See proc_pid_status(5).
pub(super) fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn set(status: &str, name: &str) -> SignalSet {
    let bits = field(status, name).and_then(|text| u64::from_str_radix(text, 16).ok());
    SignalSet::from_bits(bits.unwrap_or(0))
}

/// What a process does with signals.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dispositions {
    pub(super) handled: SignalSet,
    pub(super) ignored: SignalSet,
    /// By the leader.
    pub(super) blocked: SignalSet,
}

pub(super) fn dispositions(process: Tid) -> Option<Dispositions> {
    let status = status(process)?;
    Some(Dispositions {
        handled: set(&status, "SigCgt:"),
        ignored: set(&status, "SigIgn:"),
        blocked: set(&status, "SigBlk:"),
    })
}

/// The parent of a process.
pub(super) fn parent(process: Tid) -> Option<Tid> {
    let number = match pidfd::open(process.number().unsigned_abs()).and_then(pidfd::parent) {
        Ok(number) => number,
        // Linux 6.12.
        Err(_) => field(&status(process)?, "PPid:")?.parse().ok()?,
    };
    Tid::new(number)
}

/// The user ids of a process: real, effective, saved.
pub(super) fn users(process: Tid) -> Option<[u32; 3]> {
    let status = status(process)?;
    let mut words = field(&status, "Uid:")?.split_ascii_whitespace();
    let mut next = || words.next()?.parse().ok();
    Some([next()?, next()?, next()?])
}

/// Where a descriptor of a task leads.
pub(super) fn descriptor(tid: Tid, fd: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{tid}/fd/{fd}")).ok()
}

/// The process that a task's pidfd is of, by its number.
pub(super) fn pidfd_target(tid: Tid, fd: i32) -> Option<i32> {
    let info = fs::read_to_string(format!("/proc/{tid}/fdinfo/{fd}")).ok()?;
    field(&info, "Pid:")?.parse().ok()
}
