//! `cargo xtask ci`: all that has to pass, but for the tests, which README's command runs.

use anyhow::{Result, ensure};

use crate::{bench, conformance, layers, sh};

pub(crate) fn run() -> Result<()> {
    sh::run(&mut sh::cargo("fmt --all --check"))?;
    sh::run(&mut sh::cargo("clippy --workspace --all-features -- -D warnings"))?;
    // What tests share is no test to clippy, but may unwrap as tests do; and some children are collected by others.
    sh::run(&mut sh::cargo(
        "clippy --workspace --all-targets --all-features -- -D warnings -A clippy::unwrap_used -A clippy::zombie_processes",
    ))?;
    if bench::has_musl() {
        sh::run(&mut sh::cargo(&format!("check --quiet -p pidns-cli --target {}", bench::MUSL)))?;
    }
    // The heads of modules name their neighbours, which need not be public.
    let doc = "doc --workspace --no-deps --all-features";
    sh::run(sh::cargo(doc).env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links"))?;
    layers::check()?;
    conformance::run(&[])?;
    conformance::run(&["generate", "--count", "300", "--seed", "1"])?;
    rules_are_current()
}

/// `docs/linux-rules.md` is made from the sources; it has to be that of these sources.
fn rules_are_current() -> Result<()> {
    let made = sh::cargo("run --quiet --release -p pidns-conformance -- rules").output()?.stdout;
    let kept = std::fs::read(sh::root().join("docs/linux-rules.md"))?;
    ensure!(
        made == kept,
        "docs/linux-rules.md is not current: cargo xtask conformance rules > docs/linux-rules.md"
    );
    Ok(())
}
