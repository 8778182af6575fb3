//! How long it takes from the end of a command that leaves processes behind until the launcher, and all of them, are
//! gone.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::time::{ClockId, clock_gettime};

use crate::measure::{self, Contestant};
use crate::tools::{self, Programs};

/// How many are left behind, and how often that is measured.
const SIZES: [(usize, usize); 3] = [(1, 40), (100, 20), (10_000, 3)];

pub(super) fn compare(programs: &Programs) -> Result<()> {
    let own = std::env::current_exe()?.to_str().context("our own path")?.to_owned();
    let leave = |line: &[String], number: usize| -> Vec<String> {
        let command = [
            own.clone(),
            "launch".into(),
            "leave".into(),
            number.to_string(),
            programs.path("pause"),
        ];
        line.iter().cloned().chain(command).collect()
    };
    let launchers: Vec<_> = launchers()
        .into_iter()
        .filter(|(name, line)| tools::works(name, &leave(line, 1)))
        .collect();
    for (number, rounds) in SIZES {
        let contestants = launchers
            .iter()
            .map(|(name, line)| {
                let line = leave(line, number);
                Contestant { name: name.clone(), once: Box::new(move || teardown(&line)) }
            })
            .collect();
        for (name, median) in measure::in_turns(contestants, rounds)? {
            measure::tell_us(&format!("teardown.{name}_{number}"), median);
        }
    }
    Ok(())
}

fn launchers() -> Vec<(String, Vec<String>)> {
    let words = |line: &str| line.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut all = Vec::new();
    if let Some((_, pidns)) = tools::pidns().into_iter().next() {
        for engine in ["kernel", "subreaper", "ptrace"] {
            all.push((
                format!("pidns_{engine}"),
                words(&format!("{pidns} run --engine {engine} --")),
            ));
        }
    }
    if let Some(unshare) = tools::installed("unshare") {
        all.push(("unshare".to_owned(), words(&format!("{unshare} --pid --fork --kill-child"))));
    }
    if let Some(bwrap) = tools::installed("bwrap") {
        let line = format!(
            "{bwrap} --bind / / --unshare-pid --die-with-parent --dev-bind /dev /dev --proc /proc --"
        );
        all.push(("bwrap".to_owned(), words(&line)));
    }
    all
}

/// From the moment that the command tells, just before its end, until the launcher has ended.
fn teardown(line: &[String]) -> Result<Duration> {
    let output = Command::new(&line[0])
        .args(&line[1..])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context(line[0].clone())?;
    let end = now();
    ensure!(output.status.success(), "{line:?}: {}", output.status);
    let start = String::from_utf8(output.stdout)?
        .trim()
        .parse()
        .context("the command tells when it ends")?;
    Ok(end.saturating_sub(Duration::from_nanos(start)))
}

/// Leaves `number` processes behind, and says when it ends.
pub(super) fn leave(number: usize, pause: &str) -> Result<()> {
    for _ in 0..number {
        // They are to be left, not waited for; and not to hold the pipe.
        drop(
            Command::new(pause)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?,
        );
    }
    println!("{}", now().as_nanos());
    std::io::stdout().flush()?;
    Ok(())
}

fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::try_from(now).expect("the clock does not go below 0")
}
