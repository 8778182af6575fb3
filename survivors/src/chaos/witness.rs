//! Processes outside of all jobs, which nobody may touch.

use std::io::ErrorKind;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result};

/// How many there are all the time.
const STANDING: usize = 8;

/// How many come and go during a job.
const PASSING: usize = 4;

/// Witnesses of one worker. Dropping them ends them.
pub(super) struct Witnesses {
    leak: String,
    standing: Vec<Child>,
    passing: Vec<Child>,
}

/// What witnesses tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) passed: u64,
    pub(super) hit: u64,
}

impl Witnesses {
    /// Starts those who stay. They have all signals blocked: what is sent to them stays to be seen.
    pub(super) fn start(leak: &str) -> Result<Self> {
        let standing: Result<Vec<Child>> = (0..STANDING).map(|_| start(leak, "listen")).collect();
        Ok(Self { leak: leak.to_owned(), standing: standing?, passing: Vec::new() })
    }

    /// Lets some come, who go by themselves.
    pub(super) fn pass(&mut self) -> Result<()> {
        for _ in 0..PASSING {
            self.passing.push(start(&self.leak, "0")?);
        }
        Ok(())
    }

    /// Waits until those who were passing have gone, and looks at the others. One that was hit is replaced.
    pub(super) fn look(&mut self) -> Result<Seen> {
        let mut seen = Seen::default();
        for mut passing in self.passing.drain(..) {
            seen.passed += 1;
            seen.hit += u64::from(!passing.wait()?.success());
        }
        for witness in &mut self.standing {
            if let Some(hit) = what_hit(witness) {
                eprintln!("chaos: witness {} is hit: {hit}", witness.id());
                seen.hit += 1;
                let _ = witness.kill();
                witness.wait()?;
                *witness = start(&self.leak, "listen")?;
            }
        }
        Ok(seen)
    }
}

impl Drop for Witnesses {
    fn drop(&mut self) {
        for mut witness in self.standing.drain(..).chain(self.passing.drain(..)) {
            let _ = (witness.kill(), witness.wait());
        }
    }
}

/// How long a machine may have no room for a process: jobs may have taken it all for a moment.
const ROOM: Duration = Duration::from_secs(10);

fn start(leak: &str, end: &str) -> Result<Child> {
    let since = Instant::now();
    loop {
        let mut command = Command::new(leak);
        command.args(["nothing", end]).stdin(Stdio::null()).stdout(Stdio::null());
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::WouldBlock && since.elapsed() < ROOM => {
                thread::sleep(Duration::from_millis(5));
            }
            result => return result.context("a witness"),
        }
    }
}

/// What has happened to a witness that should have been left alone.
fn what_hit(witness: &mut Child) -> Option<String> {
    match witness.try_wait() {
        Ok(None) => {}
        other => return Some(format!("{other:?}")),
    }
    let status = fs::read_to_string(format!("/proc/{}/status", witness.id())).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map_or("", str::trim)
    };
    let stopped = field("State").starts_with('T').then(|| "stopped".to_owned());
    let pending = ["SigPnd", "ShdPnd"].map(field);
    let signalled = pending.iter().any(|set| set.contains(|c| c != '0'));
    stopped.or_else(|| signalled.then(|| format!("signals are pending: {pending:?}")))
}
