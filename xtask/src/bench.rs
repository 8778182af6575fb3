//! `cargo xtask bench NAME`: builds what a bench needs, runs it, and draws what it printed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::{chart, sh};

pub(crate) const MUSL: &str = "x86_64-unknown-linux-musl";

/// Runs the bench `name` with the `pidns` of this tree: one as cargo builds it, and a static one where that can be
/// had. With `--svg DIR` among the words, draws charts too.
pub(crate) fn run(name: &str, words: &[&str]) -> Result<()> {
    let (words, charts) = match words {
        [rest @ .., "--svg", directory] => (rest, Some(Path::new(*directory))),
        words => (words, None),
    };
    let mut bench = sh::cargo("run --quiet --release -p pidns-benches --");
    bench.arg(name).args(words);
    if name != "core" {
        sh::run(&mut sh::cargo("build --quiet --release -p pidns-cli"))?;
        bench.env("PIDNS_BENCH_DYNAMIC", target().join("release/pidns"));
        if let Some(program) = static_program()? {
            bench.env("PIDNS_BENCH_STATIC", program);
        }
    }
    let lines = lines_of(&mut bench)?;
    charts.map_or(Ok(()), |directory| chart::draw(&lines, directory))
}

/// Runs `command` and returns its lines, which are shown as they come.
fn lines_of(command: &mut Command) -> Result<Vec<String>> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut lines = Vec::new();
    for line in BufReader::new(child.stdout.take().context("its output is piped")?).lines() {
        let line = line?;
        println!("{line}");
        lines.push(line);
    }
    let status = child.wait()?;
    ensure!(status.success(), "the bench failed: {status}");
    Ok(lines)
}

/// Whether static programs can be built; says so if not.
pub(crate) fn has_musl() -> bool {
    let installed = Command::new("rustup").args(["target", "list", "--installed"]).output();
    let has = installed.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).lines().any(|line| line == MUSL)
    });
    if !has {
        println!("skipped: a static pidns: rustup has no {MUSL} (rustup target add {MUSL})");
    }
    has
}

/// A static `pidns`, where it can be built.
pub(crate) fn static_program() -> Result<Option<PathBuf>> {
    if !has_musl() {
        return Ok(None);
    }
    sh::run(&mut sh::cargo(&format!("build --quiet --release -p pidns-cli --target {MUSL}")))?;
    Ok(Some(target().join(MUSL).join("release/pidns")))
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| sh::root().join("target"), PathBuf::from)
}
