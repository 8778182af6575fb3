//! Runs test programs, some at a time, each in a namespace of its own: no test can leave a server behind that the next
//! one meets, a test that hangs is ended, and one that leaves processes behind is told which.
//!
//! ```text
//! cargo run --example test_runner -- ./test-a ./test-b 'sleep 100 & true'
//! ```
//!
//! Each argument is a command line for the shell. Exit status: 0 if all have passed, 1 if not.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pidns::{Command, ExitStatus, Leftovers, Stdio};

const LIMIT: Duration = Duration::from_secs(10);

/// How a test has ended.
enum Verdict {
    Passed,
    Failed(ExitStatus),
    OutOfTime,
    /// It has succeeded, but left these processes behind.
    Leaked(Vec<String>),
    NotRun(std::io::Error),
}

fn main() -> ExitCode {
    let tests: Vec<String> = std::env::args().skip(1).collect();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = run(test);
                    println!("{}", line(test, &verdict));
                    if !matches!(verdict, Verdict::Passed) {
                        *failures.lock().expect("no worker panics") += 1;
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no worker panics");
    println!("{} passed, {failures} failed", tests.len() - failures);
    ExitCode::from(u8::from(failures > 0))
}

fn run(test: &str) -> Verdict {
    let mut command = Command::new("sh");
    command.args(["-c", test]).stdin(Stdio::null()).timeout(LIMIT).leftovers(Leftovers::List);
    let mut job = match command.spawn() {
        Ok(job) => job,
        Err(error) => return Verdict::NotRun(error.into()),
    };
    let status = match job.wait() {
        Ok(status) => status,
        Err(error) => return Verdict::NotRun(error),
    };
    // Whatever it was, it is over: nothing that the test has started is running any more.
    let report = job.report();
    let leaks = report.leaks.iter().flatten();
    let leaks: Vec<String> = leaks
        .map(|process| {
            let words: Vec<_> = process.command.iter().map(|word| word.to_string_lossy()).collect();
            words.join(" ")
        })
        .collect();
    match status {
        _ if report.timed_out => Verdict::OutOfTime,
        status if !status.success() => Verdict::Failed(status),
        _ if !leaks.is_empty() => Verdict::Leaked(leaks),
        _ => Verdict::Passed,
    }
}

fn line(test: &str, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Passed => format!("ok      {test}"),
        Verdict::Failed(status) => format!("FAILED  {test}: {status}"),
        Verdict::OutOfTime => format!("FAILED  {test}: not ended after {LIMIT:?}"),
        Verdict::Leaked(leaks) => format!("FAILED  {test}: left behind: {}", leaks.join(", ")),
        Verdict::NotRun(error) => format!("FAILED  {test}: {error}"),
    }
}
