//! The program that leaves processes behind, compiled from C, which has vfork(2) and ptrace(2) for everybody.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, ensure};

/// Compiles it with `cc`, which Rust needs for linking too, and returns where it is.
pub(crate) fn compile() -> Result<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/leak.c");
    fs::create_dir_all(scratch())?;
    let program = scratch().join("leak");
    let status =
        Command::new("cc").args(["-O2", "-o"]).arg(&program).arg(source).status().context("cc")?;
    ensure!(status.success(), "cc cannot compile leak.c");
    compiled()
}

/// Where it is once it has been compiled.
pub(crate) fn compiled() -> Result<String> {
    let program = scratch().join("leak");
    Ok(program.to_str().context("the target directory has a UTF-8 name")?.to_owned())
}

/// A directory for files of a run, inside cargo's target directory.
fn scratch() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    program.parent().unwrap_or(Path::new(".")).join("pidns-survivors-scratch")
}
