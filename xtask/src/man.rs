//! `cargo xtask man`: the man pages, from the command line's own description.

use std::fs;
use std::path::Path;

use anyhow::Result;

/// Writes `pidns.1` and a page for each command into `directory`.
pub(crate) fn write(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    clap_mangen::generate_to(pidns_cli::args::command(), directory)?;
    println!("man pages are in {}", directory.display());
    Ok(())
}
