//! The same, for programs with a tokio runtime: nothing here blocks a thread while a job runs.
//!
//! [`Command`]s are built as ever, and started by [`spawn_async`](Command::spawn_async), [`status_async`] or
//! [`output_async`]; what is awaited is a [`Child`] of this module.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use std::time::Duration;
//!
//! let mut job = pidns::Command::new("make").arg("test").spawn_async()?;
//! match job.wait_timeout(Duration::from_secs(60)).await? {
//!     Some(status) => println!("{status}"),
//!     None => job.kill().await?, // nothing that make started is running any more
//! }
//! # Ok(())
//! # }
//! ```
//!
//! All futures are cancel safe: one that is dropped leaves the job as it is, and another can be awaited. Only that of
//! [`output_async`], which owns its job, ends it. Dropping a [`Child`] kills every process of its namespace at once; they
//! are reaped in the background.
//!
//! Starting a command takes its time on the calling thread: some hundreds of microseconds. So does looking at leftovers
//! ([`Leftovers::List`](crate::Leftovers::List)), if there are any: up to 50 ms.
//!
//! [`status_async`]: Command::status_async
//! [`output_async`]: Command::output_async

mod child;
mod pipe;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, Interest};

pub use child::Child;
pub use pipe::{ChildInput, ChildOutput};

use crate::{Command, ExitStatus, Output, PidNamespace, Stdio};

impl Command {
    /// Starts the command as [`spawn`](Self::spawn) does, to be awaited.
    ///
    /// # Errors
    /// A [`SpawnError`](crate::SpawnError) inside an [`io::Error`], and that the runtime takes no descriptors.
    ///
    /// # Panics
    /// Outside of a tokio runtime that has I/O enabled.
    pub fn spawn_async(&mut self) -> io::Result<Child> {
        Child::new(self.spawn()?)
    }

    /// Runs the command to its end, and all that it started. Dropping the future ends them.
    ///
    /// # Errors
    /// As [`spawn_async`](Self::spawn_async), and that of the wait.
    ///
    /// # Panics
    /// As [`spawn_async`](Self::spawn_async).
    pub async fn status_async(&mut self) -> io::Result<ExitStatus> {
        self.spawn_async()?.wait().await
    }

    /// Runs the command to its end as [`output`](Self::output) does, with standard output and error collected and
    /// standard input empty, unless said otherwise. Dropping the future ends the command and all that it started.
    ///
    /// # Errors
    /// As [`status_async`](Self::status_async), and those of reading.
    ///
    /// # Panics
    /// As [`spawn_async`](Self::spawn_async).
    pub async fn output_async(&mut self) -> io::Result<Output> {
        let mut child = Child::new(self.spawn_with(Stdio::null, Stdio::piped)?)?;
        drop(child.stdin.take());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (status, stdout, stderr) =
            tokio::join!(child.wait(), read_all(stdout), read_all(stderr));
        Ok(Output { status: status?, stdout: stdout?, stderr: stderr? })
    }
}

async fn read_all(pipe: Option<ChildOutput>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

impl PidNamespace {
    /// Starts `command` in the namespace as [`spawn`](Self::spawn) does, to be awaited.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    ///
    /// # Panics
    /// As [`Command::spawn_async`].
    pub fn spawn_async(&self, command: &mut Command) -> io::Result<Child> {
        Child::new(self.spawn(command)?)
    }

    /// Waits as [`wait`](Self::wait).
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    /// As [`Command::spawn_async`].
    pub async fn wait_async(&self) -> io::Result<Option<ExitStatus>> {
        readable(self.pidfd())?.readable().await?.retain_ready();
        let namespace = self.try_clone()?;
        // What is left to wait for is the supervisor's last word.
        let waited = tokio::task::spawn_blocking(move || namespace.wait()).await;
        waited.map_err(io::Error::other)?
    }
}

/// A copy of `fd` that the runtime watches.
#[allow(deprecated, reason = "what replaces it is unsafe, and asks for what an OwnedFd is anyway")]
fn readable(fd: impl AsFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd.as_fd().try_clone_to_owned()?, Interest::READABLE)
}
