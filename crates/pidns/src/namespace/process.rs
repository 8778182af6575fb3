//! Single processes, as /proc shows them.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use pidns_init::protocol::SUPERVISED;

use crate::{Engine, proc_files};

/// A process in a PID namespace, as it was when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Process {
    /// Its number in the caller's namespace.
    pub pid: u32,
    /// Its number in the namespace that was looked at; `None` if it has none there.
    pub number: Option<u32>,
    /// The caller's number of its parent.
    pub ppid: u32,
    /// Its command line; for a zombie, or a process that has cleared it, the name in brackets.
    #[cfg_attr(feature = "serde", serde(serialize_with = "lossy_words"))]
    pub command: Vec<OsString>,
    /// Its state, one letter as in proc_pid_stat(5).
    pub state: char,
    /// How long ago it was started.
    pub age: Duration,
}

impl Process {
    /// What stays the same as long as the process runs the same program.
    pub(crate) fn identity(&self) -> (u32, &[OsString]) {
        (self.pid, &self.command)
    }
}

#[cfg(feature = "serde")]
pub(super) fn lossy_words<S: serde::Serializer>(
    words: &[OsString],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(words.iter().map(|word| word.to_string_lossy()))
}

/// Looks at `pid`, whose number is the one at `level` of its numbers. `None` if it is gone.
pub(super) fn look_at(pid: u32, level: usize, now: Duration) -> Option<Process> {
    let stat = stat(pid)?;
    Some(Process {
        pid,
        number: numbers_of(pid).and_then(|numbers| numbers.get(level).copied()),
        ppid: u32::try_from(stat.ppid).ok()?,
        command: command_line(pid).unwrap_or_else(|| vec![format!("[{}]", stat.comm).into()]),
        state: stat.state,
        age: now.saturating_sub(ticks(stat.starttime)),
    })
}

/// When `pid` was started, in clock ticks after the boot: field 22 of proc_pid_stat(5).
pub(crate) fn start_of(pid: u32) -> Option<u64> {
    stat(pid).map(|stat| stat.starttime)
}

/// The process below which all those are that number 1, the process `init`, holds together. For the host, orphans of a
/// job of the ptrace engine are the tracer's, whose child number 1 is.
pub(super) fn family_root(engine: Engine, init: u32) -> Option<u32> {
    if engine == Engine::Ptrace { parent_of(init) } else { Some(init) }
}

/// The parent of `pid`.
pub(super) fn parent_of(pid: u32) -> Option<u32> {
    stat(pid).and_then(|stat| u32::try_from(stat.ppid).ok())
}

/// What `pid` calls itself, up to 15 bytes.
pub(super) fn name_of(pid: u32) -> Option<String> {
    stat(pid).map(|stat| stat.comm)
}

fn stat(pid: u32) -> Option<procfs::process::Stat> {
    procfs::process::Process::new(i32::try_from(pid).ok()?).ok()?.stat().ok()
}

/// The numbers of `pid`, from procfs' own namespace inward.
pub(super) fn numbers_of(pid: u32) -> Option<Vec<u32>> {
    proc_files::numbers(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// The number of `pid` in the namespace that it is in.
pub(crate) fn innermost(pid: u32) -> Option<u32> {
    numbers_of(pid)?.last().copied()
}

/// The command line of `pid`; `None` if it has none, as zombies.
pub(super) fn command_line(pid: u32) -> Option<Vec<OsString>> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|bytes| !bytes.is_empty())?;
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(&bytes);
    Some(bytes.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect())
}

/// What a `pidns-init` that runs `command` for a supervisor has been started for; `None` for all else.
pub(super) fn supervised_by(command: &[OsString]) -> Option<&[OsString]> {
    match command {
        [init, supervised, dashes, inner @ ..]
            if init == "pidns-init"
                && supervised.as_encoded_bytes() == SUPERVISED.to_bytes()
                && dashes == "--" =>
        {
            Some(inner)
        }
        _ => None,
    }
}

/// How long the machine has been up: proc_uptime(5).
pub(super) fn uptime() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/uptime")?;
    let seconds = text.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/uptime is not a number"))
}

/// Clock ticks as a time.
pub(super) fn ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks.saturating_mul(1000) / procfs::ticks_per_second().max(1))
}
