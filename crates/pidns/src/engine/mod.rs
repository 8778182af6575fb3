//! The ways to have a PID namespace, behind one interface.
//!
//! [`Spec`] is a command made ready: plain data and open descriptors. An engine turns it into a [`Job`]. Engines do not
//! know each other.

mod auto;
mod control;
pub(crate) mod enter;
mod image;
mod kernel;
#[cfg(target_arch = "x86_64")]
mod ptrace;
mod reap;
mod steps;
mod subreaper;

use std::ffi::CString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use pidns_sys::Errno;
use pidns_sys::signal::{Signal, SignalSet};

use crate::command::{Descriptors, Map, Proc};
use crate::error::{SpawnError, Stage};
use crate::report::Usage;
use crate::status::ExitStatus;

pub use auto::PassedOver;
pub(crate) use auto::{Chosen, ORDER};
use enter::Behind;
pub(crate) use reap::send_signal;
pub(crate) use subreaper::kill as kill_kept;

/// How PID namespaces are had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Engine {
    /// The first that works here.
    #[default]
    Auto,
    /// The kernel's PID namespaces: pid_namespaces(7).
    Kernel,
    /// Our own PID namespaces, for unmodified programs, by ptrace(2) and seccomp(2).
    Ptrace,
    /// No namespace, but nothing survives: a child subreaper, PR_SET_CHILD_SUBREAPER(2const).
    Subreaper,
}

impl Engine {
    /// The name, as the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Kernel => "kernel",
            Self::Ptrace => "ptrace",
            Self::Subreaper => "subreaper",
        }
    }

    /// The engine of this [`name`](Self::name).
    pub fn by_name(name: &str) -> Option<Self> {
        let all = [Self::Auto, Self::Kernel, Self::Ptrace, Self::Subreaper];
        all.into_iter().find(|engine| engine.name() == name)
    }
}

/// Who is number 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberOne {
    /// `pidns-init`; the command is number 2.
    Init,
    /// The command.
    Command,
}

/// A command made ready.
#[derive(Debug)]
pub(crate) struct Spec {
    /// The first is the program; there is always one.
    pub(crate) args: Vec<CString>,
    pub(crate) env: Vec<CString>,
    pub(crate) directory: Option<CString>,
    /// Standard input, output and error; `None` is the caller's.
    pub(crate) stdio: [Option<OwnedFd>; 3],
    pub(crate) number_one: NumberOne,
    pub(crate) proc: Proc,
    pub(crate) map: Map,
    /// The command's signal mask.
    pub(crate) mask: SignalSet,
    pub(crate) descriptors: Descriptors,
    pub(crate) timeout: Option<Duration>,
    pub(crate) signal: Signal,
    pub(crate) grace: Duration,
    /// After the command's end, leave the others alone until [`Job::release`].
    pub(crate) hold: bool,
    /// Number 1 is not to outlive the thread that launches.
    pub(crate) bound: bool,
    /// A pidfd of a process that the command is not to outlive, for the subreaper engine.
    pub(crate) beside: Option<OwnedFd>,
}

/// What an engine tells of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The command has stopped.
    Stopped(Signal),
    /// The command goes on.
    Continued,
    /// The command is out of time.
    TimedOut,
    /// The command has ended; others may still be there.
    Ended(ExitStatus, Usage),
    /// Number 1 has gone. Nothing more will come.
    Gone,
}

/// Numbers inside, by the caller's number.
pub(crate) type Members = std::collections::BTreeMap<u32, u32>;

/// A command that runs, with all that it starts.
pub(crate) trait Job: std::fmt::Debug + Send + Sync {
    /// The host pid of number 1.
    fn init_pid(&self) -> u32;
    /// The command's number in the namespace.
    fn number(&self) -> Option<u32>;
    /// Who is inside besides number 1, by the caller's number, with the numbers inside: for an engine whose namespaces
    /// the kernel does not know.
    fn members(&self) -> Option<Members> {
        None
    }
    /// What others can ask of the supervisor, for such an engine.
    fn door(&self) -> Option<Box<dyn Behind>> {
        None
    }
    /// A pidfd of number 1: readable once every process of the namespace has gone.
    fn pidfd(&self) -> BorrowedFd<'_>;
    /// Whether the command was started in the caller's session and process group.
    fn is_in_callers_group(&self) -> bool {
        true
    }
    /// A pidfd of number 1, where that is not whose end tells that all are gone.
    fn number_one(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    /// Readable when [`next_event`](Self::next_event) may have news that the pidfd does not tell.
    fn news(&self) -> BorrowedFd<'_>;
    /// Readable, one or the other, when there may be news of either kind.
    fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.news(), self.pidfd()]
    }
    /// The next event, if there is one now.
    fn next_event(&mut self) -> io::Result<Option<Event>>;
    /// Sends a signal to the command.
    fn signal(&self, signal: Signal) -> io::Result<()>;
    /// Ends the command as a timeout would: its signal, the grace, SIGKILL.
    fn end(&self) -> io::Result<()>;
    /// Lets a held job go on to its end.
    fn release(&self) -> io::Result<()>;
    /// Kills number 1, and with it all others.
    fn kill(&self) -> io::Result<()>;
    /// Waits until all are gone, collects number 1, and returns its own end; `None` if somebody else has collected it
    /// and nobody tells.
    fn reap(&mut self) -> io::Result<Option<ExitStatus>>;
}

/// Starts `spec` and says which engine it was.
pub(crate) fn launch(engine: Engine, spec: &Arc<Spec>) -> Result<Chosen, SpawnError> {
    match engine {
        Engine::Auto => auto::launch(spec),
        _ => launch_with(engine, spec).map(|job| Chosen { engine, job, passed_over: Vec::new() }),
    }
}

/// Starts `spec` with this engine and no other.
fn launch_with(engine: Engine, spec: &Arc<Spec>) -> Result<Box<dyn Job>, SpawnError> {
    match engine {
        Engine::Kernel => kernel::launch(spec),
        Engine::Subreaper => subreaper::launch(spec),
        #[cfg(target_arch = "x86_64")]
        Engine::Ptrace => ptrace::launch(spec),
        // Ptrace on machines whose registers we do not know.
        _ => Err(SpawnError::new(Stage::Engine, Errno::NOSYS)),
    }
}
