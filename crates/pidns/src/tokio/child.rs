//! A job that can be awaited.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;

use super::pipe::{ChildInput, ChildOutput};
use super::readable;
use crate::{Change, ExitStatus, PidNamespace, Report, Signal};

/// A command that runs in its PID namespace, with all that it has started, to be awaited. Dropping it kills them all.
#[derive(Debug)]
pub struct Child {
    /// The other end of the command's standard input, if piped.
    pub stdin: Option<ChildInput>,
    /// The other end of the command's standard output, if piped.
    pub stdout: Option<ChildOutput>,
    /// The other end of the command's standard error, if piped.
    pub stderr: Option<ChildOutput>,
    news: AsyncFd<OwnedFd>,
    pidfd: AsyncFd<OwnedFd>,
    /// Always there, but while this is dropped.
    job: Option<crate::Child>,
}

impl Child {
    pub(super) fn new(mut job: crate::Child) -> io::Result<Self> {
        let [news, pidfd] = job.descriptors().map(readable);
        Ok(Self {
            news: news?,
            pidfd: pidfd?,
            stdin: job.stdin.take().map(ChildInput::new).transpose()?,
            stdout: job.stdout.take().map(ChildOutput::new).transpose()?,
            stderr: job.stderr.take().map(ChildOutput::new).transpose()?,
            job: Some(job),
        })
    }

    /// Waits until the command has ended and all other processes of the namespace are killed and reaped. Closes
    /// [`stdin`](Self::stdin) first. Cancel safe.
    ///
    /// # Errors
    /// As [`Child::wait`](crate::Child::wait).
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            self.stirred().await?;
        }
    }

    /// Waits as [`wait`](Self::wait), but not longer than `timeout`; `None` if some process is still there then. It
    /// ends nothing: [`kill`](Self::kill) does. Cancel safe.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub async fn wait_timeout(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        match tokio::time::timeout(timeout, self.wait()).await {
            Ok(status) => status.map(Some),
            // It may have come at the same time.
            Err(_) => self.try_wait(),
        }
    }

    /// Collects the end if it has come to all processes of the namespace; does not wait.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.job_mut().try_wait()
    }

    /// Waits for the next change of the command; `None` once its end has been told. Cancel safe.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub async fn next_change(&mut self) -> io::Result<Option<Change>> {
        loop {
            if let Some(change) = self.job_mut().next_change()? {
                return Ok(Some(change));
            }
            if !self.job().is_running() {
                return Ok(None);
            }
            self.stirred().await?;
        }
    }

    /// Sends a signal to the command.
    ///
    /// # Errors
    /// As [`Child::signal`](crate::Child::signal).
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        self.job().signal(signal)
    }

    /// Asks for the end, as a timeout does: the command's signal, its grace, then SIGKILL for all. Does not wait.
    ///
    /// # Errors
    /// As [`Child::end`](crate::Child::end).
    pub fn end(&self) -> io::Result<()> {
        self.job().end()
    }

    /// Kills every process of the namespace. Does not wait.
    ///
    /// # Errors
    /// As [`Child::kill`](crate::Child::kill).
    pub fn start_kill(&mut self) -> io::Result<()> {
        self.job_mut().kill()
    }

    /// Kills every process of the namespace, and waits until they are gone. Cancel safe.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub async fn kill(&mut self) -> io::Result<()> {
        self.start_kill()?;
        self.wait().await.map(drop)
    }

    /// The caller's number of number 1.
    pub fn init_pid(&self) -> u32 {
        self.job().init_pid()
    }

    /// The namespace.
    ///
    /// # Errors
    /// As [`Child::namespace`](crate::Child::namespace).
    pub fn namespace(&self) -> io::Result<PidNamespace> {
        self.job().namespace()
    }

    /// What is known so far; complete after [`wait`](Self::wait).
    pub fn report(&self) -> &Report {
        self.job().report()
    }

    fn job(&self) -> &crate::Child {
        self.job.as_ref().expect("it is there until this is dropped")
    }

    fn job_mut(&mut self) -> &mut crate::Child {
        self.job.as_mut().expect("it is there until this is dropped")
    }

    /// Waits until there may be something new. What is ready is forgotten before anybody looks: what comes later is told
    /// of again, and what has come by then is seen.
    async fn stirred(&self) -> io::Result<()> {
        tokio::select! {
            ready = self.news.readable(), if self.job().is_running() => ready?.clear_ready(),
            ready = self.pidfd.readable() => ready?.clear_ready(),
        }
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let Some(mut job) = self.job.take() else { return };
        if matches!(job.try_wait(), Ok(Some(_))) {
            return;
        }
        // At once, whatever becomes of the rest: collecting them takes a moment.
        let _ = job.kill();
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn_blocking(move || drop(job)));
        }
    }
}
