//! A command that runs.

use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use pidns_sys::signal::Signal;
use pidns_sys::{Errno, pidfd, poll};

use crate::engine::enter::Door;
use crate::engine::{Chosen, Engine, Event, Job};
use crate::error::{SpawnError, Stage};
use crate::namespace::{PidNamespace, Process};
use crate::registry::{Claim, Record};
use crate::report::{Report, Times, Usage};
use crate::status::ExitStatus;
use crate::trace;

/// A command that runs in its PID namespace, with all that it has started. Dropping it destroys the namespace.
///
/// ```no_run
/// use std::time::Duration;
///
/// let mut job = pidns::Command::new("sh").args(["-c", "sleep 100 & sleep 100"]).spawn()?;
/// if job.wait_timeout(Duration::from_secs(1))?.is_none() {
///     job.kill()?; // the shell and both sleeps
/// }
/// let status = job.wait()?;
/// # let _ = status;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Of a command that was started in a namespace that was there before, by [`PidNamespace::spawn`], all that is said
/// here of the namespace is true of that command alone: it is what is waited for and killed.
#[derive(Debug)]
pub struct Child {
    /// The other end of the command's standard input, if piped.
    pub stdin: Option<PipeWriter>,
    /// The other end of the command's standard output, if piped.
    pub stdout: Option<PipeReader>,
    /// The other end of the command's standard error, if piped.
    pub stderr: Option<PipeReader>,
    job: Box<dyn Job>,
    state: State,
    hold: bool,
    since: Instant,
    report: Report,
    /// How others find the job.
    claim: Option<Claim>,
    /// Where others ask us.
    door: Option<Door>,
    /// The namespace that the command is in, if it was there before.
    visited: Option<PidNamespace>,
}

/// For how long, and how far apart, leftovers are looked at until two looks agree.
const SETTLE: Duration = Duration::from_millis(50);
const SETTLE_PAUSE: Duration = Duration::from_millis(5);

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The command runs, or is stopped.
    Running,
    /// The command has ended; others may be there.
    Ended,
    /// Number 1 has said all it has to say, and is going, or has gone.
    Closing,
    /// All are gone and collected.
    Gone(ExitStatus),
}

/// What has become of a command, by [`Child::next_change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It has stopped.
    Stopped(Signal),
    /// It goes on after a stop.
    Continued,
    /// Its time is over; it is being ended.
    TimedOut,
    /// It has ended. [`Child::wait`] takes no longer than its leftovers do.
    Ended,
}

impl Child {
    pub(crate) fn new(
        chosen: Chosen,
        ours: [Option<OwnedFd>; 3],
        hold: bool,
        start: Instant,
    ) -> Self {
        let now = Instant::now();
        let Chosen { engine, job, passed_over } = chosen;
        let [stdin, stdout, stderr] = ours;
        let report = Report {
            engine,
            passed_over,
            init_pid: job.init_pid(),
            number: job.number(),
            status: None,
            timed_out: false,
            leaks: None,
            times: Times { launch: now - start, ..Times::default() },
            usage: Usage::default(),
        };
        Self {
            stdin: stdin.map(PipeWriter::from),
            stdout: stdout.map(PipeReader::from),
            stderr: stderr.map(PipeReader::from),
            job,
            state: State::Running,
            hold,
            since: now,
            report,
            claim: None,
            door: None,
            visited: None,
        }
    }

    /// The command is in this namespace, which was there before it.
    pub(crate) fn visiting(mut self, namespace: PidNamespace) -> Self {
        self.report.init_pid = namespace.init_pid();
        self.visited = Some(namespace);
        self
    }

    /// Lets others find the job: by its name or, if the kernel does not know its namespace, by its number.
    ///
    /// # Errors
    /// Where the file of the name cannot be written. For a job without a name, that is no failure.
    pub(crate) fn register(
        &mut self,
        name: Option<Claim>,
        command: &[OsString],
    ) -> Result<(), SpawnError> {
        let engine = self.report.engine;
        self.open_door();
        let mut claim = match name {
            Some(claim) => claim,
            None if engine == Engine::Kernel => return Ok(()),
            None => match Claim::number(self.init_pid()) {
                Ok(claim) => claim,
                Err(_) => return Ok(()),
            },
        };
        let init = self.init_pid();
        let door = self.door.as_ref().map(Door::path);
        let record = Record::new(engine, init, self.job.number(), door, command);
        claim.publish(record).map_err(|error| SpawnError::of_io(Stage::Name, &error))?;
        self.claim = Some(claim);
        Ok(())
    }

    /// Where others are to ask the supervisor, has it answer. A job that cannot have that does without.
    fn open_door(&mut self) {
        let Some(behind) = self.job.door() else { return };
        let Ok(end) = self.job.pidfd().try_clone_to_owned() else { return };
        self.door = Door::open(behind, end).ok();
    }

    /// The caller's number of number 1 of the namespace, which is the command itself with
    /// [`as_init`](crate::Command::as_init).
    pub fn init_pid(&self) -> u32 {
        self.report.init_pid
    }

    /// A pidfd of number 1: it becomes readable once every process of the namespace is gone. See pidfd_open(2).
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.job.pidfd()
    }

    /// The namespace.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`.
    pub fn namespace(&self) -> io::Result<PidNamespace> {
        if let Some(visited) = &self.visited {
            return visited.try_clone();
        }
        let pidfd = self.job.pidfd().try_clone_to_owned()?;
        let number_one = self.job.number_one().map(|fd| fd.try_clone_to_owned()).transpose()?;
        let (engine, init) = (self.report.engine, self.init_pid());
        let namespace = PidNamespace::new(engine, init, pidfd, number_one, self.report.number);
        Ok(namespace.with_door(self.door.as_ref().map(|door| door.path().to_owned())))
    }

    /// Waits until the command has ended and all other processes of the namespace are killed and reaped. Closes
    /// [`stdin`](Self::stdin) first.
    ///
    /// # Errors
    /// `ECHILD` with [`as_init`](crate::Command::as_init), before Linux 6.15, if somebody else has collected the command.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        loop {
            match self.state {
                State::Running => {
                    if self.next_change()?.is_none() && self.state == State::Running {
                        poll::readable(self.descriptors(), None)?;
                    }
                }
                State::Ended => self.release()?,
                State::Closing => return self.reap(),
                State::Gone(status) => return Ok(status),
            }
        }
    }

    /// Waits as [`wait`](Self::wait), but not longer than `timeout`; `None` if some process is still there then. It
    /// ends nothing: that is what [`Command::timeout`](crate::Command::timeout) is for.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(Some(status));
            }
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            match self.state {
                State::Running => drop(poll::readable(self.descriptors(), Some(left))?),
                _ => drop(poll::readable([self.pidfd()], Some(left))?),
            }
        }
    }

    /// Collects the end if it has come to all processes of the namespace; does not wait.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        while self.state == State::Running && self.next_change()?.is_some() {}
        if self.state == State::Ended {
            self.release()?;
        }
        match self.state {
            State::Gone(status) => Ok(Some(status)),
            State::Closing if pidfd::has_ended(self.pidfd())? => self.reap().map(Some),
            _ => Ok(None),
        }
    }

    /// What has become of the command since the last call; `None` if nothing has. Does not wait: for that, poll the
    /// [`descriptors`](Self::descriptors).
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn next_change(&mut self) -> io::Result<Option<Change>> {
        if self.state != State::Running {
            return Ok(None);
        }
        let change = match self.job.next_event()? {
            None => None,
            Some(Event::Stopped(signal)) => Some(Change::Stopped(signal)),
            Some(Event::Continued) => Some(Change::Continued),
            Some(Event::TimedOut) => {
                self.report.timed_out = true;
                Some(Change::TimedOut)
            }
            Some(Event::Ended(status, usage)) => {
                self.ended(State::Ended);
                self.report.status = Some(status);
                self.report.usage = usage;
                Some(Change::Ended)
            }
            Some(Event::Gone) => {
                // Somebody has killed number 1: its own end is all there is to tell.
                self.ended(State::Closing);
                Some(Change::Ended)
            }
        };
        if let Some(change) = change {
            trace::changed(&self.report, change);
        }
        Ok(change)
    }

    /// Descriptors of which at least one is readable when [`next_change`](Self::next_change) has news. With
    /// [`as_init`](crate::Command::as_init), stops and continuations come with a SIGCHLD only.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        self.job.descriptors()
    }

    /// Says whether the command was started in the caller's session and process group, where it gets what a terminal
    /// sends to that group. So are all but those that have joined a job of the ptrace engine: they are in that job's.
    pub fn is_in_callers_group(&self) -> bool {
        self.job.is_in_callers_group()
    }

    /// Sends a signal to the command.
    ///
    /// # Errors
    /// `EPERM` where the command has taken other credentials.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        if self.state == State::Running { self.job.signal(signal) } else { Ok(()) }
    }

    /// Asks for the end, as a timeout does: the command's signal, its grace, then SIGKILL for all. Does not wait.
    ///
    /// # Errors
    /// None in practice.
    pub fn end(&self) -> io::Result<()> {
        if self.state == State::Running { self.job.end() } else { Ok(()) }
    }

    /// Kills every process of the namespace. Does not wait; [`wait`](Self::wait) does.
    ///
    /// # Errors
    /// None in practice.
    pub fn kill(&mut self) -> io::Result<()> {
        match self.state {
            State::Gone(_) => Ok(()),
            _ => self.job.kill(),
        }
    }

    /// Whether the command's end has not been told yet.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_running(&self) -> bool {
        self.state == State::Running
    }

    /// What is known so far; complete after [`wait`](Self::wait).
    pub fn report(&self) -> &Report {
        &self.report
    }

    fn ended(&mut self, state: State) {
        self.state = state;
        let now = Instant::now();
        self.report.times.run = now - self.since;
        self.since = now;
    }

    /// After the command's end: looks at the leftovers if it is to, and lets number 1 go.
    fn release(&mut self) -> io::Result<()> {
        if self.hold {
            // Whether or not there is something to see, nothing may survive.
            self.report.leaks = self.leftovers().ok();
            self.job.release()?;
        }
        self.state = State::Closing;
        Ok(())
    }

    /// Who is still there. What is just ending, or on its way to another program, gets a moment to arrive: two looks
    /// have to agree, or the last one counts.
    fn leftovers(&self) -> io::Result<Vec<Process>> {
        let namespace = self.namespace()?;
        let look = || match self.job.members() {
            Some(members) => namespace.members(&members),
            None => namespace.descendants(),
        };
        let start = Instant::now();
        let mut before = look()?;
        while !before.is_empty() && start.elapsed() < SETTLE {
            // Number 1 waits for us, so this is a pause that its death cuts short.
            poll::readable([self.pidfd()], Some(SETTLE_PAUSE))?;
            let now = look()?;
            let settled =
                now.iter().map(Process::identity).eq(before.iter().map(Process::identity));
            before = now;
            if settled {
                break;
            }
        }
        Ok(before)
    }

    fn reap(&mut self) -> io::Result<ExitStatus> {
        let own = self.job.reap()?;
        self.report.times.zap = self.since.elapsed();
        self.report.status = self.report.status.or(own);
        let status = self.report.status.ok_or(Errno::CHILD)?;
        self.state = State::Gone(status);
        trace::gone(&self.report);
        if let Some(mut claim) = self.claim.take() {
            // Those who wait for the job by its name do without, if they have to.
            let _ = claim.ended(status);
        }
        Ok(status)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !matches!(self.state, State::Gone(_)) && self.job.kill().is_ok() {
            // There is nobody to tell.
            let _ = self.reap();
        }
    }
}
