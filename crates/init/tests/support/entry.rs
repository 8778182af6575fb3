//! Inits as entrypoints: the image and, where there is one, tini.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use super::{find, image, pidfd, wait_readable};

/// A program that runs another as its child.
#[derive(Clone, Debug)]
pub(crate) struct Init {
    pub(crate) name: &'static str,
    program: PathBuf,
}

/// The image.
pub(crate) fn ours() -> Init {
    Init { name: "pidns-init", program: image() }
}

/// tini, if this machine has it.
pub(crate) fn tini() -> Option<Init> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let program = FOUND.get_or_init(|| find("tini")).clone()?;
    Some(Init { name: "tini", program })
}

/// Both, the one to learn from first.
pub(crate) fn all() -> Vec<Init> {
    tini().into_iter().chain([ours()]).collect()
}

/// What is seen of a run from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    /// Whether there was a message.
    pub(crate) spoke: bool,
}

impl Init {
    /// This init with `arguments`, all else as it is by default, in a process group of its own.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for variable in ["TINI_SUBREAPER", "TINI_VERBOSITY", "TINI_KILL_PROCESS_GROUP"] {
            command.env_remove(variable);
        }
        with_defaults(command.env("PATH", super::path()).process_group(0));
        command
    }

    /// Runs to the end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Outcome {
        outcome(self.command(arguments))
    }

    /// Starts, and waits for the command's first line.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Running {
        start(self.command(arguments))
    }

    /// The path of this init, for those who start it by another program.
    pub(crate) fn path(&self) -> &str {
        self.program.to_str().unwrap()
    }
}

/// Takes all signals as they are by default, whatever the test was started with.
fn with_defaults(command: &mut Command) {
    let set_defaults = || {
        for signal in 1..=64 {
            super::set_disposition(signal, libc::SIG_DFL);
        }
        Ok(())
    };
    // SAFETY: makes system calls only.
    unsafe { command.pre_exec(set_defaults) };
}

/// Runs `command` to its end.
pub(crate) fn outcome(mut command: Command) -> Outcome {
    let output = command.output().unwrap();
    Outcome {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        spoke: !output.stderr.is_empty(),
    }
}

/// An init whose command runs. Dropping it ends both.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: File,
    pidfd: OwnedFd,
}

/// Starts `command` with a pipe to write to, and waits for its first line: `ready`.
pub(crate) fn start(mut command: Command) -> Running {
    command.stdin(Stdio::piped());
    start_with_input(command)
}

/// Starts `command`, whose standard input has been seen to, and waits for its first line: `ready`.
pub(crate) fn start_with_input(mut command: Command) -> Running {
    let mut child = command.spawn().unwrap();
    let mut stdout = File::from(OwnedFd::from(child.stdout.take().unwrap()));
    let mut line = [0; 6];
    stdout.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"ready\n");
    Running {
        stdin: child.stdin.take().map(OwnedFd::from),
        stdout,
        pidfd: pidfd(child.id() as i32),
        child,
    }
}

impl Running {
    pub(crate) fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub(crate) fn send(&self, signal: i32) {
        // SAFETY: our own child, which has not been waited for.
        assert_eq!(unsafe { libc::kill(self.pid(), signal) }, 0);
    }

    /// Its state as /proc has it.
    pub(crate) fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_readable("the init's end", &self.pidfd);
        self.child.wait().unwrap()
    }

    /// What is still to come on standard output, to the end of it.
    pub(crate) fn rest(&mut self) -> String {
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for (pid, _) in super::children(self.pid()) {
            // SAFETY: a child of our child, which has not been waited for by us; at worst it has just gone.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        let _ = (self.child.kill(), self.child.wait());
    }
}
