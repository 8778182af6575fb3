//! What can be done to a namespace.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::{Duration, Instant};

use pidns_sys::signal::Signal;
use pidns_sys::{Errno, pidfd, poll, wait};

use super::{PidNamespace, lineage, process};
use crate::{Engine, ExitStatus, engine};

/// How long the kernel, or another supervisor, may take to tell how a namespace that is gone has ended.
const LAST_WORD: Duration = Duration::from_secs(1);

/// How far apart two looks at what cannot be waited for are.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// How a wait with a limit has ended: [`PidNamespace::wait_within`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Some process is still there, or the job's supervisor has not said yet how it has ended.
    TimedOut,
    /// All are gone, and this is how it has ended, as far as that can be known.
    Ended(Option<ExitStatus>),
}

impl PidNamespace {
    /// Kills number 1, and with it the namespace. Does not wait: [`wait`](Self::wait) does.
    ///
    /// # Errors
    /// `EPERM`. That it is dead already is none.
    pub fn destroy(&self) -> io::Result<()> {
        match self.engine {
            Engine::Subreaper => {
                let warden = self.number_one.as_ref().map(|_| self.pidfd());
                engine::kill_kept(warden, self.number_one())
            }
            _ => engine::send_signal(self.number_one(), Signal::KILL),
        }
    }

    /// Sends `signal` to the command: to what pidns runs there or, in a namespace that others have made, to number 1,
    /// which takes from outside what it has a handler for, SIGKILL and SIGSTOP. See pid_namespaces(7).
    ///
    /// # Errors
    /// `ESRCH` if the command has ended, `EPERM`.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let Some(pid) = self.command_pid()? else {
            return Ok(pidfd::send_signal(self.number_one(), signal)?);
        };
        let command = pidfd::open(pid)?;
        // Once it is held, look whether it is still the command, of the number 1 that is held.
        if self.command_pid()? != Some(pid) {
            return Err(Errno::SRCH.into());
        }
        self.still_there()?;
        Ok(pidfd::send_signal(&command, signal)?)
    }

    /// The command's host pid; `None` if it is number 1.
    fn command_pid(&self) -> io::Result<Option<u32>> {
        let number = self.number.unwrap_or_else(|| self.guess_number());
        if number == 1 {
            return Ok(None);
        }
        let children = lineage::children(self.init).map_err(|_| Errno::SRCH)?;
        let mut children = children.into_iter();
        let command = match self.engine {
            // Number 1 adopts the others' orphans.
            Engine::Kernel => {
                let level = self.level();
                children.find(|pid| {
                    let numbers = process::numbers_of(*pid);
                    numbers.is_some_and(|numbers| numbers.get(level) == Some(&number))
                })
            }
            // Numbers are the host's.
            Engine::Subreaper => children.find(|pid| *pid == number),
            // For the host, number 1 has one child: the tracer adopts the orphans.
            _ => children.next(),
        };
        command.map(Some).ok_or_else(|| Errno::SRCH.into())
    }

    /// What runs below a supervised `pidns-init` is its first child. All else is number 1 itself.
    fn guess_number(&self) -> u32 {
        let command = process::command_line(self.init).unwrap_or_default();
        if process::supervised_by(&command).is_some() { 2 } else { 1 }
    }

    /// Waits until every process of the namespace is gone, and says how it has ended, as far as that can be known: of a
    /// job of pidns that is registered, the command's status; of others, that of number 1, since Linux 6.15. A command
    /// that a signal killed shows there as `pidns-init` exits then, with 128 and the signal's number.
    ///
    /// # Errors
    /// None in practice.
    pub fn wait(&self) -> io::Result<Option<ExitStatus>> {
        self.wait_gone()?;
        self.last_word()
    }

    /// Waits until every process of the namespace is gone.
    ///
    /// # Errors
    /// None in practice.
    pub fn wait_gone(&self) -> io::Result<()> {
        for last in self.last_ones() {
            poll::readable([last], None)?;
        }
        Ok(())
    }

    /// Waits as [`wait_gone`](Self::wait_gone), but not longer than `timeout`; says whether all are gone.
    ///
    /// # Errors
    /// None in practice.
    pub fn wait_timeout(&self, timeout: Duration) -> io::Result<bool> {
        let start = Instant::now();
        for last in self.last_ones() {
            let left = timeout.saturating_sub(start.elapsed());
            if !poll::readable([last], Some(left))?[0] {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits as [`wait`](Self::wait), but not longer than `timeout`. A supervisor that is stopped does not say how its job
    /// has ended.
    ///
    /// # Errors
    /// None in practice.
    pub fn wait_within(&self, timeout: Duration) -> io::Result<Waited> {
        let start = Instant::now();
        if !self.wait_timeout(timeout)? {
            return Ok(Waited::TimedOut);
        }
        while let Some(entry) = &self.entry
            && !entry.is_left()?
        {
            // No lock can be waited for with a limit.
            if start.elapsed() >= timeout {
                return Ok(Waited::TimedOut);
            }
            thread::sleep(LOOK_AGAIN);
        }
        self.last_word().map(Waited::Ended)
    }

    /// When both have ended, all have. Mostly that is one process, or the end of the first is after that of the second;
    /// only a keeper may have lost its warden.
    fn last_ones(&self) -> [BorrowedFd<'_>; 2] {
        [self.pidfd(), self.number_one()]
    }

    fn last_word(&self) -> io::Result<Option<ExitStatus>> {
        if let Some(entry) = &self.entry {
            // Nothing is left but the supervisor, which is about to say it, or has been killed.
            entry.wait_for_supervisor()?;
            if let Some(status) = entry.record()?.and_then(|record| record.status) {
                return Ok(Some(status));
            }
        }
        // The kernel tells once the parent has collected number 1.
        poll::hung_up(self.pidfd.as_fd(), LAST_WORD)?;
        Ok(wait::collected(&self.pidfd).ok().flatten().and_then(ExitStatus::of))
    }
}
