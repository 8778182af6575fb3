//! The report of a run, as JSON.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pidns::{Process, Report};
use serde::Serialize;

use crate::args::Run;
use crate::exit::Failure;
use crate::text;

/// Where the report goes.
pub(super) struct File {
    path: PathBuf,
    /// `None` is standard output.
    file: Option<fs::File>,
}

/// All of it. Times are in seconds.
#[derive(Serialize)]
struct Json<'a> {
    version: &'static str,
    engine: Option<&'static str>,
    name: Option<&'a str>,
    command: Vec<String>,
    exit_code: u8,
    error: Option<&'a str>,
    #[serde(flatten)]
    ran: Option<Ran>,
}

#[derive(Serialize)]
struct Ran {
    passed_over: Vec<PassedOver>,
    init_pid: u32,
    number: Option<u32>,
    status: Option<i32>,
    signal: Option<i32>,
    core_dumped: bool,
    timed_out: bool,
    leaks: Option<Vec<Leak>>,
    zapped: Option<usize>,
    times: Times,
    rusage: Usage,
}

#[derive(Serialize)]
struct PassedOver {
    engine: &'static str,
    stage: pidns::Stage,
    errno: i32,
    error: String,
}

#[derive(Serialize)]
struct Leak {
    pid: u32,
    number: Option<u32>,
    ppid: u32,
    command: Vec<String>,
    state: char,
    age: f64,
}

#[derive(Serialize)]
struct Times {
    launch: f64,
    run: f64,
    zap: f64,
}

#[derive(Serialize)]
struct Usage {
    user: f64,
    system: f64,
    max_rss_kb: u64,
}

impl File {
    /// Creates the file at once, so that a wrong path is found before the command runs.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let file = if path == Path::new("-") {
            None
        } else {
            let file = fs::File::create(path);
            Some(file.map_err(|error| {
                Failure::new(
                    format_args!("cannot write {}", path.display()),
                    text::without_number(&error),
                )
            })?)
        };
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes the report of what ran, or of why nothing did.
    pub(super) fn write(
        &mut self,
        run: &Run,
        report: Result<&Report, &Failure>,
        code: u8,
    ) -> Result<(), Failure> {
        let json = Json {
            version: env!("CARGO_PKG_VERSION"),
            engine: report.ok().map(|report| report.engine.name()),
            name: run.name.as_deref(),
            command: text::lossy(&run.command),
            exit_code: code,
            error: report.err().map(Failure::message),
            ran: report.ok().map(ran),
        };
        let text = text::json(&json);
        let written = match &mut self.file {
            Some(file) => file.write_all(text.as_bytes()),
            None => io::stdout().write_all(text.as_bytes()),
        };
        written.map_err(|error| {
            Failure::new(
                format_args!("cannot write {}", self.path.display()),
                text::without_number(&error),
            )
        })
    }
}

fn ran(report: &Report) -> Ran {
    let status = report.status;
    Ran {
        passed_over: report.passed_over.iter().map(passed_over).collect(),
        init_pid: report.init_pid,
        number: report.number,
        status: status.and_then(|status| status.code()),
        signal: status.and_then(|status| status.signal()).map(pidns::Signal::number),
        core_dumped: status.is_some_and(|status| status.core_dumped()),
        timed_out: report.timed_out,
        zapped: report.leaks.as_ref().map(Vec::len),
        leaks: report.leaks.as_ref().map(|leaks| leaks.iter().map(leak).collect()),
        times: Times {
            launch: seconds(report.times.launch),
            run: seconds(report.times.run),
            zap: seconds(report.times.zap),
        },
        rusage: Usage {
            user: seconds(report.usage.user),
            system: seconds(report.usage.system),
            max_rss_kb: report.usage.max_rss_kb,
        },
    }
}

fn passed_over(passed: &pidns::PassedOver) -> PassedOver {
    PassedOver {
        engine: passed.engine.name(),
        stage: passed.error.stage(),
        errno: passed.error.errno(),
        error: passed.error.to_string(),
    }
}

fn leak(process: &Process) -> Leak {
    Leak {
        pid: process.pid,
        number: process.number,
        ppid: process.ppid,
        command: text::lossy(&process.command),
        state: process.state,
        age: seconds(process.age),
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
