//! `cargo xtask layers`: dependencies point one way, and unsafe code is where it may be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::sh;

/// Which packages of the workspace each package may use: `cli -> pidns -> {core, sys, init}`.
const MAY_USE: [(&str, &[&str]); 5] = [
    ("pidns-core", &[]),
    ("pidns-sys", &[]),
    ("pidns-init", &[]),
    ("pidns", &["pidns-core", "pidns-sys", "pidns-init"]),
    ("pidns-cli", &["pidns", "pidns-sys"]),
];

/// Where unsafe code may be. Everything else says `forbid(unsafe_code)`.
const MAY_BE_UNSAFE: [&str; 2] = ["crates/sys", "crates/init"];

pub(crate) fn check() -> Result<()> {
    let mut problems = dependencies()?;
    problems.extend(engines()?);
    problems.extend(unsafe_code()?);
    if problems.is_empty() {
        println!("layers: as they should be");
        return Ok(());
    }
    bail!("{}", problems.join("\n       "));
}

fn dependencies() -> Result<Vec<String>> {
    let output = sh::cargo("metadata --format-version 1 --no-deps").output()?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let may_use: BTreeMap<_, _> = MAY_USE.into_iter().collect();
    let mut problems = Vec::new();
    for package in metadata["packages"].as_array().context("cargo metadata lists packages")? {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(allowed) = may_use.get(name) else { continue };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            // Tests may use what they like.
            let counts = dependency["kind"].as_str() != Some("dev") && may_use.contains_key(used);
            if counts && !allowed.contains(&used) {
                problems.push(format!("{name} must not use {used}"));
            }
        }
    }
    Ok(problems)
}

/// Engines do not know each other.
fn engines() -> Result<Vec<String>> {
    let directory = sh::root().join("crates/pidns/src/engine");
    let names = ["kernel", "ptrace", "subreaper"];
    let mut problems = Vec::new();
    for file in rust_files(&directory)? {
        let inside = file.strip_prefix(&directory)?;
        let Some(own) = names.iter().find(|name| inside.starts_with(name)) else { continue };
        let text = fs::read_to_string(&file)?;
        for other in names.iter().filter(|other| *other != own) {
            if text.contains(&format!("engine::{other}::"))
                || text.contains(&format!("super::super::{other}::"))
            {
                problems.push(format!("{} must not know the engine {other}", inside.display()));
            }
        }
    }
    Ok(problems)
}

fn unsafe_code() -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for file in rust_files(sh::root())? {
        let inside = file.strip_prefix(sh::root())?;
        if MAY_BE_UNSAFE.iter().any(|place| inside.starts_with(place)) {
            continue;
        }
        let is_root = ["src/lib.rs", "src/main.rs"].iter().any(|root| inside.ends_with(root));
        let text = fs::read_to_string(&file)?;
        if is_root && !text.contains("#![forbid(unsafe_code)]") {
            problems.push(format!("{} does not forbid unsafe code", inside.display()));
        }
        // Tests and examples are programs of their own, which the library's word does not bind.
        if text.contains(concat!("unsafe", " {")) {
            problems.push(format!("{} has unsafe code", inside.display()));
        }
    }
    Ok(problems)
}

fn rust_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && !name.as_encoded_bytes().starts_with(b".") {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
