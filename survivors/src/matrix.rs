//! The table: each way with each tool, and who is still there a second later.

use std::io::{BufRead, BufReader};
use std::process::{Child, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::leak;
use crate::mark::{self, Mark};
use crate::tools::Tool;
use crate::ways::{self, Event, Way};

/// When survivors are counted: that long after the tool's end, or after the kill.
const LATER: Duration = Duration::from_secs(1);

/// How long a tool may take to end after its command.
const PATIENCE: Duration = Duration::from_secs(20);

/// Prints the table as a document: all rows, or those with `word` in their names.
pub(crate) fn print(word: &str) -> Result<ExitCode> {
    mark::adopt()?;
    let leak = leak::compile()?;
    let tools = Tool::all()?;
    let ways: Vec<Way> = ways::ALL.into_iter().filter(|way| way.name.contains(word)).collect();
    let rows: Vec<Vec<Cell>> = ways
        .iter()
        .map(|way| {
            eprintln!("{}", way.name);
            tools.iter().map(|tool| cell(tool, way, &leak)).collect()
        })
        .collect();
    println!("{}", document(&tools, &ways, &rows));
    let ours: Vec<Cell> = tools
        .iter()
        .enumerate()
        .filter(|(_, tool)| tool.name.starts_with("pidns"))
        .flat_map(|(at, _)| rows.iter().map(move |row| row[at]))
        .collect();
    ensure!(!ours.is_empty(), "no engine of pidns works here");
    let good = ours.iter().all(|cell| matches!(cell, Cell::Left(0) | Cell::Nobody));
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What came of a way with a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// So many survive.
    Left(usize),
    /// The tool has nobody to kill.
    Nobody,
    /// The tool could not do it.
    Failed,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left(count) => count.fmt(f),
            Self::Nobody => f.write_str("-"),
            Self::Failed => f.write_str("fails"),
        }
    }
}

fn cell(tool: &Tool, way: &Way, leak: &str) -> Cell {
    match survivors(tool, way, leak) {
        Ok(Some(count)) => Cell::Left(count),
        Ok(None) => Cell::Nobody,
        Err(error) => {
            eprintln!("{}: {}: {error:#}", tool.name, way.name);
            Cell::Failed
        }
    }
}

fn document(tools: &[Tool], ways: &[Way], rows: &[Vec<Cell>]) -> String {
    let mut lines = vec![
        "# Who survives".to_owned(),
        String::new(),
        format!(
            "Processes that are still there {} s after a tool has ended, or after the kill. Made by `cargo xtask \
             survivors` on Linux {}, as {}.",
            LATER.as_secs(),
            rustix::system::uname().release().to_string_lossy(),
            if rustix::process::geteuid().is_root() { "root" } else { "an unprivileged user" },
        ),
        String::new(),
    ];
    let row = |first: &str, cells: Vec<String>| format!("| {first} | {} |", cells.join(" | "));
    lines.push(row(
        "left behind, or killed",
        tools.iter().map(|tool| tool.name.to_owned()).collect(),
    ));
    lines.push(row("---", tools.iter().map(|_| "--:".to_owned()).collect()));
    for (way, counts) in ways.iter().zip(rows) {
        lines.push(row(way.name, counts.iter().map(Cell::to_string).collect()));
    }
    lines.push(String::new());
    lines.push(NOTES.to_owned());
    lines.join("\n")
}

const NOTES: &str = "\
`-`: the tool has no such process. `fails`: it cannot run so many. With the kills, a daemon, a stopped process, one that ignores all signals and the \
command are there. The other processes of a tool are, from the outside in, `pidns-init` of the kernel and ptrace engines (which is \
number 1), warden and keeper of the subreaper engine, and the second `bwrap`. `unshare` has `--kill-child`, `bwrap` \
`--die-with-parent`; `process-wrap` is a program that runs its command as a `ProcessGroup::leader` and kills the group \
at the end. `timeout -k` is not out of time. `tini` and `dumb-init` are made to be number 1 of a container, \
where the kernel kills what they leave. The last two processes of the subreaper engine killed in the same instant \
are its one exception, and not in the table.";

/// How many survive; `None` if the tool has nobody to kill.
fn survivors(tool: &Tool, way: &Way, leak: &str) -> Result<Option<usize>> {
    let mark = Mark::new();
    let (key, value) = mark.env();
    let code = if way.event == Event::End { "0" } else { "stay" };
    let mut command = tool.command(&[leak, way.leak, code]);
    let mut child = command
        .env(key, value)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| tool.name)?;
    if let Err(error) = wait_until_ready(&mut child) {
        let _ = child.kill();
        child.wait()?;
        return Err(error);
    }
    if let Event::Kill(role) = way.event {
        let Some(victim) = tool.find(role, child.id(), &mark::descendants(child.id())) else {
            let _ = child.kill();
            child.wait()?;
            return Ok(None);
        };
        let victim = Pid::from_raw(victim.cast_signed()).context("a number")?;
        // It has been started by what we have started, which is there, and waits for it.
        kill_process(victim, Signal::KILL)?;
    }
    let ended = ended(&mut child)?;
    mark::linger(LATER);
    let count = mark.count();
    if !ended {
        let _ = child.kill();
        // It may have been reaped meanwhile.
        let _ = child.wait();
    }
    Ok(Some(count))
}

/// Waits for the line of the program `leak`. The pipe's other end may have survivors, so no more is read.
fn wait_until_ready(child: &mut Child) -> Result<()> {
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("a pipe")?).read_line(&mut line)?;
    ensure!(line == "ready\n", "it says {line:?}");
    Ok(())
}

/// Waits for the end of the tool; says whether it has come. One whose number 1 is killed may not notice.
fn ended(child: &mut Child) -> Result<bool> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if child.try_wait()?.is_some() {
            return Ok(true);
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(false)
}
