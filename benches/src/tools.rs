//! What is measured, and where it is found.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The programs that the benches bring, compiled.
pub(crate) struct Programs {
    directory: PathBuf,
}

impl Programs {
    /// Compiles them with `cc`, which Rust needs for linking too.
    pub(crate) fn compile() -> Result<Self> {
        let directory = scratch().join("programs");
        std::fs::create_dir_all(&directory)?;
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
        for name in ["nothing", "pause", "limit"] {
            let status = Command::new("cc")
                .args(["-O2", "-static", "-nostdlib", "-fno-stack-protector", "-o"])
                .arg(directory.join(name))
                .arg(sources.join(name).with_extension("c"))
                .status()
                .context("cc")?;
            ensure!(status.success(), "cc cannot compile {name}");
        }
        Ok(Self { directory })
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.directory
            .join(name)
            .to_str()
            .expect("the target directory has a UTF-8 name")
            .to_owned()
    }
}

/// A directory for files of a run, inside cargo's target directory.
fn scratch() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    program.parent().unwrap_or(Path::new(".")).join("pidns-benches-scratch")
}

/// The `pidns` to measure: `PIDNS_BENCH_STATIC` names a static one, `PIDNS_BENCH_DYNAMIC` one as cargo builds it.
pub(crate) fn pidns() -> Vec<(&'static str, String)> {
    let found = [("pidns", "PIDNS_BENCH_STATIC"), ("pidns_dynamic", "PIDNS_BENCH_DYNAMIC")];
    found
        .into_iter()
        .filter_map(|(name, variable)| Some((name, env::var(variable).ok()?)))
        .collect()
}

/// The path of `name`, if it is installed; says so if it is not.
pub(crate) fn installed(name: &str) -> Option<String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found =
        env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: {name} is not installed");
    }
    found.and_then(|path| path.to_str().map(str::to_owned))
}

/// Runs a command line to its end; it has to succeed.
pub(crate) fn run(line: &[String]) -> Result<()> {
    let status = Command::new(&line[0])
        .args(&line[1..])
        .stdin(Stdio::null())
        .status()
        .context(line[0].clone())?;
    ensure!(status.success(), "{line:?}: {status}");
    Ok(())
}

/// Says whether a command line works here; says so if it does not.
pub(crate) fn works(name: &str, line: &[String]) -> bool {
    let output = Command::new(&line[0]).args(&line[1..]).stdin(Stdio::null()).output();
    let why = match output {
        Ok(output) if output.status.success() => return true,
        Ok(output) => {
            String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("it fails").to_owned()
        }
        Err(error) => error.to_string(),
    };
    println!("skipped: {name}: {why}");
    false
}
