//! Random jobs, random kills: nobody may survive, no exit status may be wrong, nobody outside may be hit.
//!
//! Several workers, each a process, play one [`job`] after the other beside [`witness`]es. This file starts them and adds
//! up what they count. A run is repeated by its seed, as far as the machine's own chance allows.

mod job;
mod tally;
mod witness;
mod worker;

use std::env;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::{leak, mark};
use tally::Tally;

/// What is asked for.
#[derive(Clone, Debug)]
struct Options {
    time: Duration,
    seed: u64,
    workers: u64,
    /// Names of engines, with commas between.
    engines: String,
    /// So many numbers for processes there are, in a PID namespace for the whole run: they come to mean others soon.
    pid_max: Option<u32>,
}

pub(crate) fn run(words: &[&str]) -> Result<ExitCode> {
    if let ["worker", seconds, seed, engines] = words {
        let time = Duration::try_from_secs_f64(seconds.parse()?)?;
        return worker::run(time, seed.parse()?, engines);
    }
    let options = Options::read(words)?;
    match options.pid_max {
        Some(pid_max) => again_with_few_numbers(pid_max, &options),
        None => run_workers(&options),
    }
}

impl Options {
    fn read(words: &[&str]) -> Result<Self> {
        let mut options = Self {
            time: Duration::from_secs(600),
            seed: fastrand::u64(..),
            workers: 3,
            engines: "kernel,ptrace,subreaper".to_owned(),
            pid_max: None,
        };
        let (pairs, rest) = words.as_chunks::<2>();
        ensure!(rest.is_empty(), "{} needs a value", rest.join(" "));
        for [option, value] in pairs {
            match *option {
                "--minutes" => {
                    options.time = Duration::try_from_secs_f64(value.parse::<f64>()? * 60.0)?;
                }
                "--seed" => options.seed = value.parse()?,
                "--workers" => options.workers = value.parse()?,
                "--engines" => options.engines = (*value).to_owned(),
                "--pid-max" => options.pid_max = Some(value.parse()?),
                _ => bail!(
                    "usage: chaos [--minutes N] [--seed N] [--workers N] [--engines A,B] [--pid-max N]"
                ),
            }
        }
        Ok(options)
    }
}

/// Runs all of it in a PID namespace that has `pid_max` numbers: since Linux 6.14, that is a namespace's own.
fn again_with_few_numbers(pid_max: u32, options: &Options) -> Result<ExitCode> {
    let script = format!("echo {pid_max} > /proc/sys/kernel/pid_max && exec \"$@\"");
    let mut line = Command::new("unshare");
    line.args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", &script, "sh"]);
    line.arg(env::current_exe()?).arg("chaos");
    line.args(["--minutes", &(options.time.as_secs_f64() / 60.0).to_string()]);
    line.args(["--seed", &options.seed.to_string(), "--workers", &options.workers.to_string()]);
    line.args(["--engines", &options.engines]);
    let status = line.status().context("unshare")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_workers(options: &Options) -> Result<ExitCode> {
    println!("chaos.seed: {}", options.seed);
    // Before them, so that they do not do it all at once.
    leak::compile()?;
    mark::adopt()?;
    let workers: Vec<Child> =
        (0..options.workers).map(|index| start_worker(options, index)).collect::<Result<_>>()?;
    let mut sum = Tally::default();
    let mut complete = true;
    for worker in workers {
        let output = worker.wait_with_output()?;
        complete &= output.status.success();
        sum += Tally::from_text(&String::from_utf8_lossy(&output.stdout));
    }
    print!("{sum}");
    Ok(if complete && sum.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn start_worker(options: &Options, index: u64) -> Result<Child> {
    let seed = options.seed.wrapping_add(index);
    Command::new(env::current_exe()?)
        .args(["chaos", "worker", &options.time.as_secs_f64().to_string(), &seed.to_string()])
        .arg(&options.engines)
        .stdout(Stdio::piped())
        .spawn()
        .context("a worker")
}
