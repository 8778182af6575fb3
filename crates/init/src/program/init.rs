//! Number 1 of a namespace that a supervisor has made.
//!
//! Runs the command as a [`job`]. When this process goes, the kernel kills and reaps all others before anyone learns of
//! it (`zap_pid_ns_processes`). It goes when the command's end has been dealt with, and at once when the supervisor is
//! gone.
//!
//! Signals need no care: the kernel keeps from number 1 whatever it has no handler for. Only SIGCHLD is blocked, to be
//! polled for.

use super::job::{self, Crowd, Job, SIGCHLD_ONLY};
use super::message;
use super::spawn::{Descriptors, Place};
use super::strings::{Command, Strings};
use super::supervise::{self, FAILED};
use super::sys;
use crate::protocol::Config;

/// Runs the command and the namespace, to the end of both.
pub(crate) fn run(config: &Config, command: Option<Command>, environment: Strings) -> ! {
    if sys::pid() != 1 {
        // Elsewhere, what is meant for the namespace would hit the whole machine.
        message::say(&[message::Part::Text(b"not number 1 of a PID namespace")]);
        sys::exit(FAILED)
    }
    let code = start(config, command, environment).map(|mut job| job.live());
    sys::exit(code.unwrap_or_else(|failed| failed))
}

fn start(
    config: &Config,
    command: Option<Command>,
    environment: Strings,
) -> Result<Job<Namespace>, i32> {
    let place = Place::Inherited(Descriptors::of(config));
    let command = job::start(config, command, environment, SIGCHLD_ONLY, place, None)?;
    supervise::close_strangers([]);
    Job::new(config, command, Namespace).ok_or(FAILED)
}

/// All others in the namespace.
struct Namespace;

impl Crowd for Namespace {
    fn signal(&mut self, signal: i32) {
        const EVERYBODY: i32 = -1;
        let _ = sys::kill(EVERYBODY, signal);
    }

    fn kill(&mut self) {
        self.signal(sys::SIGKILL);
    }

    /// Nobody has to: when we are gone, so is the namespace.
    fn watch(&self) -> i32 {
        -1
    }
}
