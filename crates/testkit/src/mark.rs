//! Finding all processes that a test has started.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::{eventually, proc};

/// The environment variable that carries a mark.
const VARIABLE: &str = "PIDNS_TEST_MARK";

/// A mark in the environment of a process and of all that it starts, different for each test. Processes that still
/// have it when it is dropped are killed.
#[derive(Debug)]
pub struct Mark {
    value: String,
}

impl Mark {
    /// A new mark.
    #[expect(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { value: format!("{}-{next}", std::process::id()) }
    }

    /// The variable to put into an environment.
    pub fn env(&self) -> (&'static str, &str) {
        (VARIABLE, &self.value)
    }

    /// Who has it now. Zombies have no environment any more, so they do not count.
    pub fn processes(&self) -> Vec<proc::Seen> {
        proc::all().filter(|pid| self.is_on(*pid)).filter_map(proc::Seen::new).collect()
    }

    /// Waits until `count` processes have it, no fewer and no more.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<proc::Seen> {
        let mut found = Vec::new();
        eventually(&format!("{count} processes"), || {
            found = self.processes();
            found.len() == count
        });
        found
    }

    /// Fails if a process has it at this moment.
    #[track_caller]
    pub fn assert_gone(&self) {
        let left: Vec<_> = self.processes().iter().map(|seen| describe(seen.pid)).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    /// Waits until no process has it, for those that nobody could wait for.
    #[track_caller]
    pub fn wait_gone(&self) {
        eventually("nothing left", || self.processes().is_empty());
    }

    fn is_on(&self, pid: u32) -> bool {
        let entry = format!("{VARIABLE}={}", self.value);
        // Others' environments cannot be read, and are not ours.
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|found| found == entry.as_bytes())
    }

    fn kill(&self, pid: u32) -> Option<()> {
        let target = Pid::from_raw(pid.cast_signed())?;
        let pidfd = pidfd_open(target, PidfdFlags::empty()).ok()?;
        // Now that the number can come to mean nobody else.
        if self.is_on(pid) {
            pidfd_send_signal(pidfd, Signal::KILL).ok()?;
        }
        Some(())
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        for seen in self.processes() {
            self.kill(seen.pid);
        }
    }
}

/// What is known of a process, for messages.
fn describe(pid: u32) -> String {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    format!("{pid} {} {command}", proc::state(pid).unwrap_or('?'))
}
