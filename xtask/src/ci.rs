//! `cargo xtask ci`: all that has to pass, but for the tests, which README's command runs.

use anyhow::Result;

use crate::{bench, layers, sh};

pub(crate) fn run() -> Result<()> {
    sh::run(&mut sh::cargo("fmt --all --check"))?;
    sh::run(&mut sh::cargo("clippy --workspace --all-targets --all-features -- -D warnings"))?;
    if bench::has_musl() {
        sh::run(&mut sh::cargo(&format!("check --quiet -p pidns-cli --target {}", bench::MUSL)))?;
    }
    let mut docs = sh::cargo("doc --workspace --no-deps --all-features");
    sh::run(docs.env("RUSTDOCFLAGS", "-D warnings"))?;
    layers::check()
}

/// Plays the cases; without further words, all of them, and some random ones.
pub(crate) fn conformance(words: &[&str]) -> Result<()> {
    let mut conformance = sh::cargo("run --quiet --release -p pidns-conformance --");
    sh::run(conformance.args(if words.is_empty() { &["run"] } else { words }))
}
