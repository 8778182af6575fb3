//! What the tests of seeing and steering share: the program, places made by other tools, and bounded waits.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// In a script: until the last job in the background has become `sleep`, or never does.
pub(crate) const BEGUN: &str = "i=0; until read -r comm </proc/$!/comm && [ $comm = sleep ]; do \
                                i=$((i+1)); [ $i -lt 100000 ] || exit 4; done";

/// The program under test.
pub(crate) const PIDNS: &str = env!("CARGO_BIN_EXE_pidns");

/// A command of the program under test, without what the caller's environment says of it.
pub(crate) fn pidns(args: &[&str]) -> Command {
    let mut command = Command::new(PIDNS);
    command.args(args).env_remove("PIDNS_ENGINE").env_remove("PIDNS_LEAKS").stdin(Stdio::null());
    command
}

/// Runs `command` to its end.
pub(crate) fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Standard output, as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error, as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard output, as JSON.
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {} {}", stdout(output), stderr(output)))
}

/// True if the program `name` is found by PATH; prints that the test is skipped if not.
pub(crate) fn have(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(name).is_file());
    if !found {
        println!("skipped: no {name} here");
    }
    found
}

/// True if the caller is root.
pub(crate) fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}

/// Runs the shell script in a new user namespace where it is root, with `options` of unshare(1) besides. `None`, and a
/// word about it, where this machine does not allow that.
pub(crate) fn as_other_root(options: &[&str], script: &str) -> Option<Output> {
    if !have("unshare") {
        return None;
    }
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user"]).args(options);
        command.args(["sh", "-c", script]).env("PIDNS", PIDNS).env_remove("PIDNS_ENGINE");
        output(&mut command)
    };
    if !unshare("true").status.success() {
        println!("skipped: unshare --user {options:?} does not work here");
        return None;
    }
    Some(unshare(script))
}

/// Waits until `condition` holds, for at most ten seconds.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl FnMut() -> bool) {
    pidns_testkit::within(Duration::from_secs(10), what, condition);
}

/// The status of `child`, if it ends within ten seconds. It may go on else: whoever started it is to see to that.
pub(crate) fn status_soon(child: &mut Child) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let status = child.try_wait().expect("it is ours");
        if status.is_some() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    None
}

/// True if there is a process with this number, zombies not counted.
pub(crate) fn lives(pid: u32) -> bool {
    std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

/// A `pidns run` with a name of its own, whose command has said that it is ready.
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) run: Child,
    /// The command's end of standard input.
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) init: u32,
}

impl Job {
    /// Runs the shell script, which is to write a line when it is ready, by this engine. `None`, and a word about it,
    /// where that engine does not work.
    pub(crate) fn start(engine: &str, name: &str, script: &str) -> Option<Self> {
        let name = format!("cli-{name}-{}", std::process::id());
        let args = ["run", "--engine", engine, "--name", &name, "sh", "-c", script];
        let mut run = pidns(&args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it can be executed");
        let mut line = String::new();
        let stdout = run.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it can be read");
        if line.is_empty() {
            let output = run.wait_with_output().expect("it is ours");
            println!("skipped: engine {engine} does not work here: {}", stderr(&output));
            return None;
        }
        let stdin = run.stdin.take();
        let tree = json(&output(&mut pidns(&["ps", "--json", &name])));
        let init = tree["init_pid"].as_u64().expect("a number");
        Some(Self { name, run, stdin, init: u32::try_from(init).expect("a pid") })
    }

    /// Waits for the end of `pidns run`, and returns its exit code.
    pub(crate) fn wait(mut self) -> Option<i32> {
        drop(self.stdin.take());
        self.run.wait().expect("it is ours").code()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let _ = self.run.kill();
        let _ = self.run.wait();
    }
}

/// A namespace that unshare(1) has made, with a shell as number 1 that runs `script`, which is to write a line when it
/// is ready.
pub(crate) struct Foreign {
    pub(crate) unshare: Child,
    /// The host pid of number 1.
    pub(crate) init: u32,
}

impl Foreign {
    /// `None`, and a word about it, where unshare does not work.
    pub(crate) fn new(options: &[&str], script: &str) -> Option<Self> {
        if !have("unshare") {
            return None;
        }
        let mut unshare = Command::new("unshare")
            .args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"])
            .args(options)
            .args(["sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it is there");
        let mut line = String::new();
        let stdout = unshare.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it can be read");
        if line.is_empty() {
            println!("skipped: unshare --user --pid {options:?} does not work here");
            unshare.wait().expect("it is ours");
            return None;
        }
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let children = std::fs::read_to_string(children).expect("it is there");
        let init = children.trim().parse().expect("it has one child");
        Some(Self { unshare, init })
    }

    /// Number 1, as a target.
    pub(crate) fn target(&self) -> String {
        self.init.to_string()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        drop(self.unshare.stdin.take());
        let _ = self.unshare.wait();
    }
}
