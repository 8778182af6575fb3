//! Processes as /proc shows them.

use std::fs;

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Its number.
    pub pid: u32,
    /// When it was started, in ticks since the machine was.
    start: u64,
}

impl Seen {
    /// The process `pid`, if there is one, zombies too.
    pub fn new(pid: u32) -> Option<Self> {
        Some(Self { pid, start: stat(pid)?.get(21 - 2)?.parse().ok()? })
    }

    /// Says whether it is still there, if only as a zombie.
    pub fn is_there(&self) -> bool {
        Self::new(self.pid) == Some(*self)
    }

    /// Says whether it is still there, and no zombie.
    pub fn is_alive(&self) -> bool {
        self.is_there() && !matches!(state(self.pid), None | Some('Z' | 'X'))
    }
}

/// The state of `pid`, one letter as in proc_pid_stat(5).
pub fn state(pid: u32) -> Option<char> {
    stat(pid)?.first()?.chars().next()
}

/// The name of what `pid` runs, at most 15 bytes of it.
pub fn name(pid: u32) -> Option<String> {
    status(pid, "Name")
}

/// The parent of `pid`.
pub fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// The value of `key` in /proc/PID/status.
pub fn status(pid: u32, key: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// The numbers of `pid`, in our namespace and the ones below it.
pub fn numbers(pid: u32) -> Vec<u32> {
    let text = status(pid, "NSpid").unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// All processes that can be seen.
pub fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The fields of /proc/PID/stat from the state, which is the third, on.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may contain anything.
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}
