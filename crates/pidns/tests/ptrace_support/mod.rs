//! What the tests of the ptrace engine share.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use pidns::{Command, Engine};

/// A shell in a namespace of the ptrace engine.
pub(crate) fn inside(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).engine(Engine::Ptrace);
    command
}

/// What a shell inside writes.
pub(crate) fn output_of(script: &str) -> String {
    let output = inside(script).output().expect("a shell runs inside");
    let errors = String::from_utf8_lossy(&output.stderr);
    if !errors.is_empty() {
        eprintln!("{script}: {errors}");
    }
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a Python program inside writes; `None` where there is no Python.
pub(crate) fn python(script: &str) -> Option<String> {
    if !has("python3") {
        return None;
    }
    let output = Command::new("python3")
        .args(["-c", script])
        .engine(Engine::Ptrace)
        .timeout(Duration::from_secs(60))
        .output()
        .expect("Python runs inside");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A directory with the program `name`, built from its source beside this file; `None` where there is no compiler.
pub(crate) fn built(name: &str) -> Option<tempfile::TempDir> {
    if !has("cc") {
        return None;
    }
    let place = tempfile::tempdir().expect("there is a place for it");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ptrace_support");
    let cc = std::process::Command::new("cc")
        .args(["-O1", "-pthread", "-o"])
        .arg(place.path().join(name))
        .arg(sources.join(name).with_extension("c"))
        .status();
    assert!(cc.expect("there is a compiler").success());
    Some(place)
}

/// Says whether a program is there; prints that a test is skipped if not.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    if !found {
        println!("skipped: there is no {program}");
    }
    found
}

/// A `sleep` that no other test starts.
pub(crate) fn marked_sleep(test: u32) -> String {
    format!("sleep 9{test:02}.{}", std::process::id())
}

/// How many processes of the host, zombies not among them, have that command line.
pub(crate) fn survivors(command: &str) -> usize {
    let wanted = command.replace(' ', "\0") + "\0";
    let Ok(all) = std::fs::read_dir("/proc") else { return 0 };
    all.flatten()
        .filter(|entry| {
            std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == wanted.as_bytes())
        })
        .count()
}

/// Waits for a condition, not longer than `time`.
pub(crate) fn until(time: Duration, condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < time {
        if condition() {
            return true;
        }
        std::thread::yield_now();
    }
    condition()
}

/// Waits until nobody has that command line.
pub(crate) fn gone_within(time: Duration, command: &str) -> bool {
    until(time, || survivors(command) == 0)
}

const HELPER: &str = "PIDNS_TEST_HELPER";

/// Runs a test of this file in a process of its own, with an argument.
pub(crate) fn helper(test: &str, argument: &str) -> Child {
    std::process::Command::new(std::env::current_exe().expect("this program has a path"))
        .args([test, "--exact", "--nocapture"])
        .env(HELPER, argument)
        .stdout(Stdio::null())
        .spawn()
        .expect("this program can be run again")
}

/// In a helper, its argument.
pub(crate) fn helper_argument() -> Option<String> {
    std::env::var(HELPER).ok()
}

/// A process outside of all namespaces of ours, ended when dropped.
pub(crate) struct Outsider(Child);

impl Outsider {
    pub(crate) fn new() -> Self {
        let child =
            std::process::Command::new("sleep").arg("1000").spawn().expect("there is a sleep");
        Self(child)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn lives(&mut self) -> bool {
        self.0.try_wait().expect("it is ours").is_none()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        let stat =
            std::fs::read_to_string(Path::new("/proc").join(self.pid().to_string()).join("stat"));
        let stat = stat.expect("it is there");
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['T', 't']))
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
