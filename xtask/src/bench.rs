//! `cargo xtask bench NAME`: builds what a bench needs, and runs it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::sh;

const MUSL: &str = "x86_64-unknown-linux-musl";

/// Runs the bench `name` with the `pidns` of this tree: one as cargo builds it, and a static one where that can be had.
pub(crate) fn run(name: &str, rest: &[&str]) -> Result<()> {
    let mut bench = sh::cargo("run --quiet --release -p pidns-benches --");
    bench.arg(name).args(rest);
    if name != "core" {
        sh::run(&mut sh::cargo("build --quiet --release -p pidns-cli"))?;
        bench.env("PIDNS_BENCH_DYNAMIC", target().join("release/pidns"));
        if let Some(program) = static_program()? {
            bench.env("PIDNS_BENCH_STATIC", program);
        }
    }
    sh::run(&mut bench)
}

/// A static `pidns`, where the musl target is installed.
pub(crate) fn static_program() -> Result<Option<PathBuf>> {
    let installed = Command::new("rustup").args(["target", "list", "--installed"]).output();
    if !installed.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).lines().any(|line| line == MUSL)
    }) {
        println!("skipped: a static pidns: rustup has no {MUSL} (rustup target add {MUSL})");
        return Ok(None);
    }
    sh::run(&mut sh::cargo(&format!("build --quiet --release -p pidns-cli --target {MUSL}")))?;
    Ok(Some(target().join(MUSL).join("release/pidns")))
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| sh::root().join("target"), PathBuf::from)
}
