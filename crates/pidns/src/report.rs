//! What is known of a job after its end.

use std::time::Duration;

use crate::{Engine, ExitStatus, PassedOver, Process};

/// What is known of a job.
///
/// ```no_run
/// use pidns::{Command, Leftovers};
///
/// let mut job = Command::new("./test").leftovers(Leftovers::List).spawn()?;
/// job.wait()?;
/// for leak in job.report().leaks.iter().flatten() {
///     println!("left behind: {:?}", leak.command);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Complete once [`Child::wait`](crate::Child::wait) has returned.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Report {
    /// Which engine ran it.
    pub engine: Engine,
    /// Those that [`Engine::Auto`] has tried before, which do not work here.
    pub passed_over: Vec<PassedOver>,
    /// The host pid of number 1.
    pub init_pid: u32,
    /// The command's number in its namespace, once it runs. Unknown if it has joined somebody's and ended at once.
    pub number: Option<u32>,
    /// How the command ended.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub status: Option<ExitStatus>,
    /// True if the command was out of time, and was ended for that.
    pub timed_out: bool,
    /// The processes that were still there when the command ended; `None` if nobody was to look, or
    /// /proc shows nothing.
    pub leaks: Option<Vec<Process>>,
    /// How long things took.
    pub times: Times,
    /// What the command used.
    pub usage: Usage,
}

/// How long the parts of a job took.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Times {
    /// From the call of `spawn` until the command's program was executed.
    pub launch: Duration,
    /// From then until the command ended.
    pub run: Duration,
    /// From then until every process was gone.
    pub zap: Duration,
}

/// What a command and the processes that it waited for used. See getrusage(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Usage {
    /// CPU time in user mode.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
    /// The largest resident set, in kilobytes.
    pub max_rss_kb: u64,
}
