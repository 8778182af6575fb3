//! Prints what number 1 costs: the time to execute it and see it end, and its memory while it waits for a command.
//!
//! Beside the image it measures the inits that this machine has, and any programs named as arguments:
//! `cargo run --release -p pidns-init --example footprint [PROGRAM]...`

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

const ROUNDS: usize = 2000;
const OTHERS: [&str; 3] = ["tini", "dumb-init", "catatonit"];

fn main() -> Result<(), Box<dyn Error>> {
    let directory = env::temp_dir().join(format!("pidns-init-footprint-{}", std::process::id()));
    fs::create_dir(&directory)?;
    let measured = measure_all(&directory);
    fs::remove_dir_all(&directory)?;
    measured
}

fn measure_all(directory: &Path) -> Result<(), Box<dyn Error>> {
    let image = directory.join("pidns-init");
    write_executable(&image)?;
    let mut programs = vec![image];
    programs.extend(OTHERS.iter().filter_map(|name| find(name)));
    programs.extend(env::args_os().skip(1).map(PathBuf::from));

    let mut times = vec![Vec::with_capacity(ROUNDS); programs.len()];
    for _ in 0..ROUNDS {
        for (program, times) in programs.iter().zip(&mut times) {
            times.push(run_once(program)?);
        }
    }
    for (program, times) in programs.iter().zip(&mut times) {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        println!("init.{name}.exec_exit: {:.1} us", median(times).as_secs_f64() * 1e6);
        println!("init.{name}.file: {} B", fs::metadata(program)?.len());
        let memory = memory_while_waiting(program)?;
        println!("init.{name}.rss: {} kB", memory.resident_kb);
        println!("init.{name}.private: {} kB", memory.private_kb);
    }
    Ok(())
}

fn write_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(path)?
        .write_all(pidns_init::IMAGE)
}

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let found =
        env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: no {name} on this machine");
    }
    found
}

/// How long it takes to start `program`, have it print its version, and learn of its end.
fn run_once(program: &Path) -> std::io::Result<Duration> {
    let start = Instant::now();
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status()?;
    Ok(start.elapsed())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

struct Memory {
    resident_kb: u64,
    private_kb: u64,
}

/// The memory of `program` once its command runs: `cat`, which has answered by then.
fn memory_while_waiting(program: &Path) -> Result<Memory, Box<dyn Error>> {
    let mut child = Command::new(program)
        .args(["--", "cat"])
        .env("TINI_SUBREAPER", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("no pipe")?;
    let stdout = child.stdout.take().ok_or("no pipe")?;
    stdin.write_all(b"here\n")?;
    BufReader::new(stdout).read_line(&mut String::new())?;
    let path = format!("/proc/{}/smaps_rollup", child.id());
    let rollup = fs::read_to_string(path)?;
    drop(stdin);
    child.wait()?;
    Ok(Memory {
        resident_kb: field(&rollup, "Rss:"),
        private_kb: field(&rollup, "Private_Clean:") + field(&rollup, "Private_Dirty:"),
    })
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
