//! A PID namespace and who is in it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use pidns_sys::pidfd;
use pidns_sys::signal::Signal;

/// A PID namespace, held by a pidfd of its number 1.
#[derive(Debug)]
pub struct PidNamespace {
    init: u32,
    pidfd: OwnedFd,
}

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
fn lossy_words<S: serde::Serializer>(words: &[OsString], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(words.iter().map(|word| word.to_string_lossy()))
}

impl PidNamespace {
    pub(crate) fn new(init: u32, pidfd: OwnedFd) -> Self {
        Self { init, pidfd }
    }

    /// The caller's number of the namespace's number 1.
    pub fn init_pid(&self) -> u32 {
        self.init
    }

    /// Lists the processes in the namespace and in those nested in it, without number 1, in the order of their age.
    ///
    /// It is a look at moving things: a process that is being made or that ends meanwhile may be missed.
    ///
    /// # Errors
    /// Where /proc cannot be read.
    pub fn processes(&self) -> io::Result<Vec<Process>> {
        // An error here, and not for one of the others, means that nothing can be seen.
        fs::metadata(format!("/proc/{}", self.init))?;
        let now = uptime()?;
        let level = numbers(self.init).map_or(0, |numbers| numbers.len().saturating_sub(1));
        let mut found: Vec<Process> = descendants(self.init)?
            .into_iter()
            .filter_map(|pid| look_at(pid, level, now))
            .collect();
        found.sort_by_key(|process| (std::cmp::Reverse(process.age), process.number));
        Ok(found)
    }

    /// Kills number 1, and with it the namespace. Does not wait.
    ///
    /// # Errors
    /// `EPERM`. That it is dead already is none.
    pub fn destroy(&self) -> io::Result<()> {
        match pidfd::send_signal(&self.pidfd, Signal::KILL) {
            Ok(()) | Err(pidns_sys::Errno::SRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// All processes below `root`, which may change while we look: orphans turn up below `root`, so its children are read
/// again until nothing new is there.
fn descendants(root: u32) -> io::Result<Vec<u32>> {
    let mut found = std::collections::BTreeSet::new();
    loop {
        let mut new: Vec<u32> =
            children(root)?.into_iter().filter(|pid| !found.contains(pid)).collect();
        if new.is_empty() {
            return Ok(found.into_iter().collect());
        }
        while let Some(pid) = new.pop() {
            if found.insert(pid) {
                // One that has ended meanwhile has none.
                new.extend(children(pid).unwrap_or_default());
            }
        }
    }
}

/// The children of all threads of `pid`. See proc_pid_task(5), `children`.
fn children(pid: u32) -> io::Result<Vec<u32>> {
    let mut all = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(text) = fs::read_to_string(task?.path().join("children")) else { continue };
        all.extend(text.split_ascii_whitespace().filter_map(|word| word.parse::<u32>().ok()));
    }
    Ok(all)
}

fn look_at(pid: u32, level: usize, now: Duration) -> Option<Process> {
    let process = procfs::process::Process::new(i32::try_from(pid).ok()?).ok()?;
    let stat = process.stat().ok()?;
    Some(Process {
        pid,
        number: numbers(pid).and_then(|numbers| numbers.get(level).copied()),
        ppid: u32::try_from(stat.ppid).ok()?,
        command: command_line(pid).unwrap_or_else(|| vec![format!("[{}]", stat.comm).into()]),
        state: stat.state,
        age: now.saturating_sub(ticks(stat.starttime)),
    })
}

/// The numbers of `pid`, from procfs' own namespace inward: the `NSpid` line of proc_pid_status(5).
fn numbers(pid: u32) -> Option<Vec<u32>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_ascii_whitespace().map(|word| word.parse().ok()).collect()
}

fn command_line(pid: u32) -> Option<Vec<OsString>> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|bytes| !bytes.is_empty())?;
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(&bytes);
    Some(bytes.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect())
}

fn uptime() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/uptime")?;
    let seconds = text.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/uptime is not a number"))
}

fn ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks.saturating_mul(1000) / procfs::ticks_per_second().max(1))
}
