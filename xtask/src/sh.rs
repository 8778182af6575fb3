//! Calling other programs, cargo most of all, at the root of the workspace.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a directory of the workspace")
}

/// Cargo, with `words` as its arguments.
pub(crate) fn cargo(words: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(words.split_ascii_whitespace()).current_dir(root());
    cargo
}

/// Runs `command`, which has to succeed; says what it is before.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program())
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    let line = format!("{program} {}", args.join(" "));
    eprintln!("xtask: {line}");
    let status = command.status().with_context(|| line.clone())?;
    ensure!(status.success(), "{line}: {status}");
    Ok(())
}
