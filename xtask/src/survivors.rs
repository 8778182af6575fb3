//! `cargo xtask survivors` and `cargo xtask chaos`: build what they need, and run them.

use anyhow::Result;

use crate::{bench, sh};

/// Runs `pidns-survivors` with `words`, and with the `pidns` of this tree.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    sh::run(&mut sh::cargo("build --quiet --release -p pidns-cli"))?;
    let mut survivors = sh::cargo("run --quiet --release -p pidns-survivors --");
    survivors.args(words).env("PIDNS", bench::target().join("release/pidns"));
    sh::run(&mut survivors)
}
