//! Whether a launch by the library costs more when its caller has more memory.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::measure::{self, Contestant};

const SMALL: usize = 10;
const LARGE: usize = 2048;
const ROUNDS: usize = 300;

/// Compares callers with 10 MB and 2 GB resident, each in a process of its own, in turns.
pub(super) fn compare() -> Result<()> {
    let mut callers = [SMALL, LARGE].map(|megabytes| (megabytes, Vec::new()));
    for _ in 0..3 {
        for (megabytes, taken) in &mut callers {
            taken.push(in_own_process(*megabytes)?);
        }
    }
    let [small, large] = callers.map(|(_, mut taken)| {
        taken.sort_unstable();
        taken[taken.len() / 2]
    });
    measure::tell_us("launch.library_10mb", small);
    measure::tell_us("launch.library_2gb", large);
    measure::tell_ratio("launch.library_2gb_to_10mb", large, small);
    Ok(())
}

fn in_own_process(megabytes: usize) -> Result<Duration> {
    let output = Command::new(std::env::current_exe()?)
        .args(["launch", "caller", &megabytes.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let nanoseconds = text
        .trim()
        .parse()
        .with_context(|| format!("a caller with {megabytes} MB said {text:?}"))?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// Makes `megabytes` resident, measures launches, and prints the median in nanoseconds.
pub(super) fn measure(megabytes: usize) -> Result<()> {
    let ballast = vec![1u8; megabytes << 20];
    let launch = || {
        let status = pidns::Command::new("/bin/true").proc(pidns::Proc::Never).status()?;
        if !status.success() {
            bail!("true: {status}");
        }
        Ok(())
    };
    let medians = measure::in_turns(vec![Contestant::timed("library", launch)], ROUNDS)?;
    // The ballast has to be there until now.
    std::hint::black_box(&ballast);
    println!("{}", medians[0].1.as_nanos());
    Ok(())
}
