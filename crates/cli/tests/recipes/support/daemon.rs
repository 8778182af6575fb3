//! A daemon that `leave-daemon.sh` leaves behind, recognised by how long it sleeps.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use pidns::Signal;
use pidns_sys::pidfd;

use super::poll;

/// A sleeper that only this test can have started; dropping this ends it.
pub(crate) struct Daemon {
    seconds: String,
}

impl Daemon {
    /// None yet, but with a number of seconds that nobody else sleeps for.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self { seconds: format!("3{:07}{count:02}", std::process::id()) }
    }

    /// How long it sleeps.
    pub(crate) fn seconds(&self) -> &str {
        &self.seconds
    }

    /// Waits until it sleeps.
    pub(crate) fn wait_until_up(&self) {
        poll(&format!("sleep {} is up", self.seconds), || self.is_up());
    }

    /// Whether it sleeps.
    pub(crate) fn is_up(&self) -> bool {
        self.processes().into_iter().any(|(_, line)| is_sleeper(&line, &self.seconds))
    }

    /// Whether `output` has it in a list of what was left behind.
    pub(crate) fn is_listed(&self, output: &str) -> bool {
        let mut list =
            output.lines().filter_map(|line| line.trim_start().strip_prefix("pidns:   number "));
        list.any(|process| self.is_in(process))
    }

    /// Whether the list `leaks` of a report has it.
    pub(crate) fn is_reported(&self, leaks: &serde_json::Value) -> bool {
        let last = |process: &serde_json::Value| {
            Some(self.is_in(process["command"].as_array()?.last()?.as_str()?))
        };
        leaks.as_array().is_some_and(|leaks| leaks.iter().any(|leak| last(leak) == Some(true)))
    }

    /// Whether a command line is its own: `sleep`, or that of the shell which is just about to become it.
    pub(crate) fn is_in(&self, command_line: &str) -> bool {
        command_line.ends_with(&self.seconds)
    }

    /// Asserts that nothing is left: not the daemon, and nothing that was about to become one.
    pub(crate) fn assert_gone(&self) {
        assert_eq!(self.processes(), []);
    }

    /// The same, but those around it may have been killed rather than waited for.
    pub(crate) fn wait_until_gone(&self) {
        poll(&format!("sleep {} is gone", self.seconds), || self.processes().is_empty());
    }

    /// Processes with the number among their arguments.
    fn processes(&self) -> Vec<(u32, String)> {
        let pids = fs::read_dir("/proc")
            .expect("/proc is there")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let lines = pids.filter_map(|pid| Some((pid, self.command_line(pid)?)));
        lines.collect()
    }

    fn command_line(&self, pid: u32) -> Option<String> {
        // A process that is gone, or dead, has none.
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let line = line.trim_end_matches('\0').replace('\0', " ");
        line.contains(&self.seconds).then_some(line)
    }
}

fn is_sleeper(line: &str, seconds: &str) -> bool {
    line == format!("sleep {seconds}")
}

impl Drop for Daemon {
    fn drop(&mut self) {
        for (pid, _) in self.processes() {
            let Ok(pidfd) = pidfd::open(pid) else { continue };
            // The number may have passed to another process: now that it is held, look again.
            if self.command_line(pid).is_some_and(|line| is_sleeper(&line, &self.seconds)) {
                // Gone by itself meanwhile is as good.
                let _ = pidfd::send_signal(pidfd, Signal::KILL);
            }
        }
    }
}
