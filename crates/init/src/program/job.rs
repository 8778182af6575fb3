//! A command, run for a supervisor: started, told of and done with as the supervisor asks, to its end.
//!
//! Whoever runs a [`Job`] also adopts and reaps what the command leaves orphaned. What it is to the processes that the
//! command starts differs, and is a [`Crowd`]: [`init`](super::init) is their namespace's number 1,
//! [`keeper`](super::keeper) an ancestor that looks for them.

use super::exec;
use super::report::{self, Gone};
use super::request::{self, Asked};
use super::spawn::{self, Failure, Launch, Place};
use super::strings::{Command, Strings};
use super::supervise::{self, FAILED};
use super::sys::{self, Change, Changes, Disposition, Errno, PollFd, SignalSet, Usage};
use super::term::{Order, Term};
use crate::protocol::{CONTROL_FD, Config, EventKind, WATCH_FD};

/// What a [`Job`] has to have blocked.
pub(crate) const SIGCHLD_ONLY: SignalSet = SignalSet::of(&[sys::SIGCHLD]);

/// The command and all that it has started, directly or not.
pub(crate) trait Crowd {
    /// Sends `signal` to each of them.
    fn signal(&mut self, signal: i32);
    /// Kills them all, as far as they are there by now.
    fn kill(&mut self);
    /// A descriptor that is readable once nobody stands behind us any more, or negative.
    fn watch(&self) -> i32;
}

/// Starts the command with the signals of `mask` blocked in this process from now on, and tells the supervisor. The
/// result is its number, or what to exit with.
pub(crate) fn start(
    config: &Config,
    command: Option<Command>,
    environment: Strings,
    mask: SignalSet,
    place: Place,
) -> Result<i32, i32> {
    if supervise::supervisor_is_gone() {
        return Err(FAILED);
    }
    let on_sigchld = sys::set_disposition(sys::SIGCHLD, Disposition::Default);
    sys::set_mask(mask);
    let mask = SignalSet(config.sigmask);
    let started = command.ok_or(Failure::Exec(Errno::ENOENT)).and_then(|command| {
        spawn::spawn(&Launch { command, environment, mask, on_sigchld, place })
    });
    let (kind, pid, value) = match started {
        Ok(pid) => (EventKind::Started, pid, 0),
        Err(Failure::Exec(errno) | Failure::Group(errno) | Failure::Foreground(errno)) => {
            (EventKind::ExecFailed, 0, errno.0)
        }
        Err(Failure::Fork(errno)) => (EventKind::ForkFailed, 0, errno.0),
    };
    let sent = report::send(&report::event(kind, pid, value));
    match (started, sent) {
        (Ok(pid), Ok(())) => Ok(pid),
        (Err(Failure::Exec(errno)), _) => Err(exec::exit_code(errno)),
        (Err(_), _) | (_, Err(Gone)) => Err(FAILED),
    }
}

/// How far a job has come.
enum Stage {
    /// The command runs.
    Running(Term),
    /// The command has ended, and the supervisor looks at what it has left behind.
    Held,
    /// What the command has left behind has been asked to end and has time up to here.
    Leaving { deadline: u64 },
    /// Nothing is left to do.
    Done,
}

/// A command that has been started.
pub(crate) struct Job<C> {
    config: Config,
    crowd: C,
    /// Its number, which nobody else can have while [`Stage::Running`] lasts.
    command: i32,
    /// Tells of SIGCHLD.
    signals: i32,
    stage: Stage,
    /// What to exit with, for those who look at it: the command's own status, as a shell gives it.
    code: i32,
}

impl<C: Crowd> Job<C> {
    /// Takes on the command that [`start`] has started. `None` if the kernel has no descriptor for us.
    pub(crate) fn new(config: &Config, command: i32, crowd: C) -> Option<Self> {
        supervise::close_standard_fds();
        let signals = sys::signal_fd(SIGCHLD_ONLY).ok()?;
        let stage = Stage::Running(Term::start(config, sys::now_ns()));
        Some(Self { config: *config, crowd, command, signals, stage, code: 0 })
    }

    /// Does what comes until nothing is left to do but to destroy what is still there; says what to exit with.
    pub(crate) fn live(&mut self) -> i32 {
        loop {
            match self.turn() {
                Err(Gone) => return FAILED,
                Ok(()) if matches!(self.stage, Stage::Done) => return self.code,
                Ok(()) => {}
            }
        }
    }

    /// Waits for one thing or several and does them.
    fn turn(&mut self) -> Result<(), Gone> {
        let mut fds = [
            PollFd::input(WATCH_FD),
            PollFd::input(self.crowd.watch()),
            PollFd::input(supervise::target(&self.config)),
            PollFd::input(CONTROL_FD),
            PollFd::input(self.signals),
        ];
        let timeout = self.deadline().map(|deadline| deadline.saturating_sub(sys::now_ns()));
        if sys::poll(&mut fds, timeout).is_err() {
            return Ok(());
        }
        let [watch, behind, target, control, signals] = &fds;
        if watch.is_ready() || behind.is_ready() || control.is_broken() {
            return Err(Gone);
        }
        if target.is_ready() {
            self.end_with_target();
        }
        if control.is_ready() {
            self.obey()?;
        }
        if signals.is_ready() {
            self.take_sigchld();
            self.reap()?;
        }
        self.check_time()
    }

    fn deadline(&self) -> Option<u64> {
        match &self.stage {
            Stage::Running(term) => term.deadline(),
            Stage::Leaving { deadline } => Some(*deadline),
            Stage::Held | Stage::Done => None,
        }
    }

    /// Does what the supervisor asks for.
    fn obey(&mut self) -> Result<(), Gone> {
        while let Some(asked) = request::next()? {
            match (asked, &mut self.stage) {
                (Asked::Signal(signal), Stage::Running(_)) => {
                    let _ = sys::kill(self.command, signal);
                }
                (Asked::End, Stage::Running(term)) => {
                    let order = term.end(sys::now_ns());
                    self.carry_out(order);
                }
                (Asked::Go | Asked::End, Stage::Held) => {
                    self.leave();
                    self.reap()?;
                }
                (Asked::Go, Stage::Running(_)) => self.config.flags &= !Config::HOLD,
                (Asked::Signal(_), _)
                | (Asked::Go | Asked::End, Stage::Leaving { .. } | Stage::Done) => {}
            }
        }
        Ok(())
    }

    /// The supervisor, who is still there, is to hear how the command has ended by that.
    fn end_with_target(&mut self) {
        self.config.flags = 0;
        self.config.grace_ns = 0;
        match &mut self.stage {
            Stage::Running(_) => self.carry_out(Some(Order::Kill)),
            stage => *stage = Stage::Done,
        }
    }

    fn carry_out(&mut self, order: Option<Order>) {
        match order {
            Some(Order::Ask) => {
                let _ = sys::kill(self.command, self.config.signal as i32);
                let _ = sys::kill(self.command, sys::SIGCONT);
            }
            Some(Order::Kill) => {
                // First, so that nobody hears that it has been stopped.
                let _ = sys::kill(self.command, sys::SIGKILL);
                self.crowd.kill();
            }
            None => {}
        }
    }

    /// Before reaping, so that a child that ends meanwhile is told of again.
    fn take_sigchld(&self) {
        let mut information = [0; 128];
        let _ = sys::read(self.signals, &mut information);
    }

    /// Takes all that the kernel has to tell of children.
    fn reap(&mut self) -> Result<(), Gone> {
        let mut usage = Usage::default();
        loop {
            match sys::wait(Changes::All, &mut usage) {
                Ok(Some((pid, change))) => {
                    if pid == self.command && matches!(self.stage, Stage::Running(_)) {
                        report::send(&report::change(pid, change, &usage))?;
                        self.note(change);
                    }
                }
                Err(Errno::ECHILD) => {
                    if matches!(self.stage, Stage::Leaving { .. }) {
                        self.stage = Stage::Done;
                    }
                    return Ok(());
                }
                Ok(None) | Err(_) => return Ok(()),
            }
        }
    }

    /// Goes on after a change of the command.
    fn note(&mut self, change: Change) {
        match change {
            Change::Stopped { .. } | Change::Continued => return,
            Change::Exited { code } => self.code = code,
            Change::Signaled { signal, .. } => self.code = 128 + signal,
        }
        if self.config.flags & Config::HOLD == 0 {
            self.leave();
        } else {
            self.stage = Stage::Held;
        }
    }

    /// Gives what the command has left behind its time, if it is to have any.
    fn leave(&mut self) {
        if self.config.grace_ns == 0 {
            self.stage = Stage::Done;
            return;
        }
        self.crowd.signal(self.config.signal as i32);
        // Those who are stopped take it only then.
        self.crowd.signal(sys::SIGCONT);
        self.stage =
            Stage::Leaving { deadline: sys::now_ns().saturating_add(self.config.grace_ns) };
    }

    fn check_time(&mut self) -> Result<(), Gone> {
        let Some(deadline) = self.deadline() else { return Ok(()) };
        let now = sys::now_ns();
        if now < deadline {
            return Ok(());
        }
        match &mut self.stage {
            Stage::Running(term) => {
                let out_of_time = term.is_running();
                let order = term.expire(now);
                if out_of_time {
                    report::send(&report::event(EventKind::TimedOut, self.command, 0))?;
                }
                self.carry_out(Some(order));
            }
            Stage::Leaving { .. } => self.stage = Stage::Done,
            Stage::Held | Stage::Done => {}
        }
        Ok(())
    }
}
