//! Commands with a time limit, whose output is read even if something still holds it open.

use std::io::{Read, Seek};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that takes a few milliseconds on an idle machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn poll(what: &str, condition: impl FnMut() -> bool) {
    pidns_testkit::within(LIMIT, what, condition);
}

/// What became of a command.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The exit code, if no signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Asserts success and returns what was written to standard output.
    #[track_caller]
    pub(crate) fn succeeded(self) -> String {
        assert!(self.status.success(), "{self:?}");
        self.stdout
    }
}

/// Commands that end in time, or are killed and fail the test.
pub(crate) trait Limited {
    /// Runs it to its end.
    fn end(&mut self) -> Ended;
}

impl Limited for Command {
    #[track_caller]
    fn end(&mut self) -> Ended {
        let file = || tempfile::tempfile().expect("there is room for a temporary file");
        let (mut stdout, mut stderr) = (file(), file());
        self.stdin(Stdio::null());
        self.stdout(stdout.try_clone().expect("a descriptor is free"));
        self.stderr(stderr.try_clone().expect("a descriptor is free"));
        let mut child = self.spawn().unwrap_or_else(|error| panic!("{self:?}: {error}"));
        let status = wait(&mut child);
        let (stdout, stderr) = (read(&mut stdout), read(&mut stderr));
        match status {
            Some(status) => Ended { status, stdout, stderr },
            None => panic!("{self:?} takes longer than {LIMIT:?}: {stdout}{stderr}"),
        }
    }
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
    None
}

fn read(file: &mut std::fs::File) -> String {
    let mut bytes = Vec::new();
    file.rewind().expect("a file can be read again");
    file.read_to_end(&mut bytes).expect("a file can be read again");
    String::from_utf8_lossy(&bytes).into_owned()
}
