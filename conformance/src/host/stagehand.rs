//! The director's end of the process that holds the stage: starts it, under a prefix if there is one, and talks to it.

use super::watch::Watched;
use crate::answer;
use crate::world::WorldError;
use pidns_sys::raw;
use pidns_sys::raw::channel::{Far, Near};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The most actors of a case.
pub(super) const SLOTS: usize = 40;

/// How long the stage may take to be set or cleared.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running holder with its channels.
#[derive(Debug)]
pub(super) struct Stagehand {
    child: Child,
    prefixed: bool,
    control: (Near, Far),
    /// The channels of the actors, by slot.
    pub(super) slots: Vec<(Near, Far)>,
    /// Threads of the prefix that have to be at rest too.
    pub(super) supervisors: Vec<Watched>,
}

impl Stagehand {
    /// Starts a holder: `PREFIX.. pidns-conformance holder CONTROL CHANNELS`.
    pub(super) fn start(program: &Path, prefix: &[OsString]) -> Result<Self, WorldError> {
        let control = raw::channel::pair()?;
        let slots = (0..SLOTS).map(|_| raw::channel::pair()).collect::<Result<Vec<_>, _>>()?;
        let channels: Vec<String> = slots.iter().map(|(_, far)| far.number().to_string()).collect();
        let mut command = match prefix.split_first() {
            None => Command::new(program),
            // A prefix may turn the calls of its guests into its own: it must not be able to reboot the machine.
            Some(_) => {
                let mut command = Command::new(program);
                command.arg("without-reboot").args(prefix).arg(program);
                command
            }
        };
        command.arg("holder").arg(control.1.number().to_string()).arg(channels.join(","));
        let child = command.stdin(Stdio::null()).spawn()?;
        let mut this =
            Self { child, prefixed: !prefix.is_empty(), control, slots, supervisors: Vec::new() };
        let holder = this.hear(|text| text.starts_with("hello "))?;
        if !prefix.is_empty() {
            this.supervisors = supervisors(holder);
        }
        Ok(this)
    }

    /// Sets the stage for a case. A machine that is short of processes gets some time.
    pub(super) fn begin(&mut self, mut with_proc: bool) -> Result<(), WorldError> {
        const EPERM: i32 = 1;
        const EAGAIN: i32 = 11;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.begin_once(with_proc)? {
                None => return Ok(()),
                // An engine may show its own /proc where nothing can be mounted.
                Some(EPERM) if with_proc && self.prefixed => with_proc = false,
                Some(EAGAIN) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(100))
                }
                Some(errno) => {
                    let why = answer::error(errno);
                    return Err(WorldError::Skip(format!(
                        "no PID namespace can be made here: {why}"
                    )));
                }
            }
        }
    }

    /// Returns the error number if it failed.
    fn begin_once(&mut self, with_proc: bool) -> Result<Option<i32>, WorldError> {
        self.control.0.send(if with_proc { "begin proc" } else { "begin" })?;
        let mut failure = None;
        self.hear(|text| {
            failure = text.strip_prefix("failed ").and_then(|errno| errno.parse().ok());
            text == "begun" || failure.is_some()
        })?;
        Ok(failure)
    }

    /// Clears the stage.
    pub(super) fn end(&mut self) -> Result<(), WorldError> {
        self.control.0.send("end")?;
        self.hear(|text| text == "ended")?;
        for (near, far) in &self.slots {
            far.drain();
            while near.receive_now()?.is_some() {}
        }
        Ok(())
    }

    /// Waits for a message of the holder and returns its sender.
    fn hear(&mut self, mut is_it: impl FnMut(&str) -> bool) -> Result<i32, WorldError> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            raw::channel::wait_any(&[&self.control.0], Duration::from_millis(100))?;
            if let Some(message) = self.control.0.receive_now()? {
                if is_it(&message.text) {
                    return Ok(message.sender);
                }
            } else if let Some(status) = self.child.try_wait()? {
                return Err(WorldError::Broken(format!("the holder of the stage ended: {status}")));
            }
        }
        Err(WorldError::Broken("the holder of the stage does not answer".to_owned()))
    }
}

impl Drop for Stagehand {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The threads of all processes between the director and `holder`.
fn supervisors(holder: i32) -> Vec<Watched> {
    let me = std::process::id() as i32;
    let mut found = Vec::new();
    let mut process = parent_of(holder);
    while let Some(pid) = process.filter(|pid| *pid > 1 && *pid != me) {
        let threads =
            std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let ids = threads.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
        found.extend(ids.filter_map(|tid| Watched::thread(pid, tid).ok()));
        process = parent_of(pid);
    }
    found
}

fn parent_of(process: i32) -> Option<i32> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}
