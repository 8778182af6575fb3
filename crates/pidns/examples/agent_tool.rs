//! A tool call of an agent: runs what a model has written, with a time limit and a limit for output, and answers with one
//! line of JSON. Whatever the command has started, in the background, in sessions of its own, ignoring all signals, is
//! gone when the answer is there.
//!
//! ```text
//! cargo run --example agent_tool -- 2 'make test; python3 -m http.server &'
//! ```
//!
//! The arguments are the time limit in seconds, and a command line for the shell.

use std::io::{self, Read};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use pidns::{Command, Leftovers, Stdio};
use serde_json::json;

/// More output than this is of no use to anybody.
const MOST: u64 = 64 * 1024;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [limit, script] = args.as_slice() else {
        eprintln!("usage: agent_tool SECONDS COMMAND");
        return ExitCode::from(2);
    };
    let Ok(limit) = limit.parse().map(Duration::from_secs_f64) else {
        eprintln!("agent_tool: {limit}: not a number of seconds");
        return ExitCode::from(2);
    };
    match call(script, limit) {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{}", json!({ "error": error.to_string() }));
            ExitCode::FAILURE
        }
    }
}

fn call(script: &str, limit: Duration) -> io::Result<serde_json::Value> {
    let mut job = Command::new("sh")
        .args(["-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .timeout(limit)
        .grace(Duration::from_millis(200))
        .leftovers(Leftovers::List)
        .spawn()?;
    let (stdout, stderr) = (job.stdout.take(), job.stderr.take());
    let (stdout, stderr) = (thread::spawn(|| head(stdout)), thread::spawn(|| head(stderr)));
    let status = job.wait()?;
    // All who could write are gone, so both have come to their end.
    let (stdout, stderr) = (join(stdout)?, join(stderr)?);
    let report = job.report();
    let leaks = report.leaks.iter().flatten();
    let leaks: Vec<String> = leaks.map(|process| format!("{:?}", process.command)).collect();
    Ok(json!({
        "exit_code": status.code(),
        "signal": status.signal().map(pidns::Signal::number),
        "timed_out": report.timed_out,
        "stdout": stdout,
        "stderr": stderr,
        "left_behind_and_killed": leaks,
        "seconds": report.times.run.as_secs_f64(),
    }))
}

/// The beginning of what comes, as text. The rest is read too, so that the command does not wait for us.
fn head(pipe: Option<io::PipeReader>) -> io::Result<String> {
    let Some(mut pipe) = pipe else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    pipe.by_ref().take(MOST).read_to_end(&mut bytes)?;
    let rest = io::copy(&mut pipe, &mut io::sink())?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if rest > 0 {
        text.push_str(&format!("[{rest} bytes more]"));
    }
    Ok(text)
}

fn join(reader: thread::JoinHandle<io::Result<String>>) -> io::Result<String> {
    reader.join().unwrap_or_else(|_| Err(io::Error::other("the reader has panicked")))
}
