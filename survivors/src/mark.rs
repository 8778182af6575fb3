//! Finding all processes that somebody has started, wherever they have gone: by a mark in their environment.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, wait};

/// The environment variable that carries a mark.
const VARIABLE: &str = "PIDNS_SURVIVORS_MARK";

/// How often nobody has to be found before nobody is believed to be there: some live for very short.
const LOOKS: u32 = 5;

/// A mark, different from all others. Processes that still have it when it is dropped are killed.
#[derive(Debug)]
pub(crate) struct Mark(String);

impl Mark {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(format!("{}-{next}", std::process::id()))
    }

    /// The variable to put into an environment.
    pub(crate) fn env(&self) -> (&'static str, &str) {
        (VARIABLE, &self.0)
    }

    /// Who has it now. Zombies have no environment any more, so they do not count.
    pub(crate) fn processes(&self) -> Vec<u32> {
        // Each is looked at as soon as it is found: some live for a moment only.
        all().filter(|pid| self.is_on(*pid)).collect()
    }

    /// How many have it: the most that several looks have found.
    pub(crate) fn count(&self) -> usize {
        (0..LOOKS)
            .map(|_| {
                reap();
                self.processes().len()
            })
            .max()
            .unwrap_or(0)
    }

    fn is_on(&self, pid: u32) -> bool {
        let entry = format!("{VARIABLE}={}", self.0);
        // Others' environments cannot be read, and are not ours.
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|found| found == entry.as_bytes())
    }

    /// A pidfd of `pid`, if it has the mark.
    fn hold(&self, pid: u32) -> Option<OwnedFd> {
        let pidfd = pidfd_open(Pid::from_raw(pid.cast_signed())?, PidfdFlags::empty()).ok()?;
        // Now that the number can come to mean nobody else; if it has by now, there is nobody behind the pidfd.
        self.is_on(pid).then_some(pidfd)
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let mut quiet = 0;
        while quiet < LOOKS {
            let found = self.processes();
            quiet = if found.is_empty() && reap() == 0 { quiet + 1 } else { 0 };
            let held: Vec<_> = found.into_iter().filter_map(|pid| self.hold(pid)).collect();
            // First all are stopped, so that nobody starts another one.
            for signal in [Signal::STOP, Signal::KILL] {
                for pidfd in &held {
                    let _ = pidfd_send_signal(pidfd, signal);
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Makes this process the one that adopts survivors, so that they do not stay as zombies.
pub(crate) fn adopt() -> Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Reaps the children that have ended, and says how many. Whoever is to be waited for has been.
fn reap() -> usize {
    let mut reaped = 0;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => reaped += 1,
            Err(Errno::INTR) => {}
            Ok(None) | Err(_) => return reaped,
        }
    }
}

/// All processes that can be seen.
fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Waits for `time`, and reaps who ends meanwhile.
pub(crate) fn linger(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        thread::sleep(Duration::from_millis(5));
        reap();
    }
}

/// The name of `pid`.
pub(crate) fn name(pid: u32) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned())
}

/// The last number of `pid`: the one in its own PID namespace; `None` if it is in ours.
pub(crate) fn number_inside(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    let numbers: Vec<&str> = line.split_whitespace().collect();
    (numbers.len() > 1).then(|| numbers.last()?.parse().ok())?
}

/// `root` and all its descendants, in the order of their lineage.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        }
        at += 1;
        if at > 100_000 {
            break;
        }
    }
    found
}
