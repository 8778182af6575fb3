//! A command, run for a supervisor: started, told of and done with as the supervisor asks, to its end.
//!
//! Whoever runs a [`Job`] also adopts and reaps what the command leaves orphaned. What it is to the processes that the
//! command starts differs, and is a [`Crowd`]: [`init`](super::init) is their namespace's number 1,
//! [`keeper`](super::keeper) an ancestor that looks for them.

use super::report::{self, Gone, Outbox};
use super::request::{self, Asked};
use super::spawn::{self, Failure, Launch, Place};
use super::strings::{Command, Strings};
use super::supervise::{self, FAILED};
use super::sys::{self, Change, Changes, Disposition, Errno, PollFd, SignalSet, Usage};
use super::term::{Order, Term};
use super::{exec, host};
use crate::protocol::{Config, EventKind, WATCH_FD};

/// How many children are reaped before everything else gets its turn again. In a storm of forks there may always be
/// one more.
const BATCH: u32 = 64;

/// How long a command that may be a short one is awaited awake.
const AWAKE_NS: u64 = 200_000;

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

/// Starts the command, in `cgroup` where possible, with the signals of `mask` blocked in this process from now on, and
/// tells the supervisor. The result is its number, or what to exit with.
pub(crate) fn start(
    config: &Config,
    command: Option<Command>,
    environment: Strings,
    mask: SignalSet,
    place: Place,
    cgroup: Option<i32>,
) -> Result<i32, i32> {
    if supervise::supervisor_is_gone() {
        return Err(FAILED);
    }
    let on_sigchld = sys::set_disposition(sys::SIGCHLD, Disposition::Default);
    sys::set_mask(mask);
    let mask = SignalSet(config.sigmask);
    // Until the command is executed this process sleeps and sees nothing, for long if a file system hangs. The thread
    // that has started us waits to be told, so that until then its end is the supervisor's. Whoever is not number 1 must
    // not end so: it would leave the command behind.
    let is_number_one = sys::pid() == 1;
    if is_number_one {
        let _ = sys::set_parent_death_signal(sys::SIGKILL);
    }
    let started = command.ok_or(Failure::Exec(Errno::ENOENT)).and_then(|command| {
        spawn::spawn(&Launch { command, environment, mask, on_sigchld, place, cgroup })
    });
    if is_number_one && config.flags & Config::BOUND == 0 {
        let _ = sys::set_parent_death_signal(0);
    }
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
    /// There may be children to reap of whom no signal tells any more.
    unreaped: bool,
    outbox: Outbox,
    /// Up to here the command's end is awaited awake.
    awake_until: u64,
    stage: Stage,
    /// What to exit with, for those who look at it: the command's own status, as a shell gives it.
    code: i32,
}

impl<C: Crowd> Job<C> {
    /// Takes on the command that [`start`] has started. `None` if the kernel has no descriptor for us.
    pub(crate) fn new(config: &Config, command: i32, crowd: C) -> Option<Self> {
        supervise::close_standard_fds();
        let signals = sys::signal_fd(SIGCHLD_ONLY).ok()?;
        let now = sys::now_ns();
        let stage = Stage::Running(Term::start(config, now));
        let outbox = Outbox::new();
        Some(Self {
            config: *config,
            crowd,
            command,
            signals,
            unreaped: false,
            outbox,
            awake_until: now.saturating_add(AWAKE_NS),
            stage,
            code: 0,
        })
    }

    /// Does what comes until nothing is left to do but to destroy what is still there; says what to exit with.
    pub(crate) fn live(&mut self) -> i32 {
        loop {
            match self.turn() {
                Err(Gone) => return FAILED,
                Ok(()) if matches!(self.stage, Stage::Done) && self.outbox.is_empty() => {
                    return self.code;
                }
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
            self.outbox.control(),
            PollFd::input(self.signals),
        ];
        if sys::poll_awake(&mut fds, self.patience(), self.awake_until).is_err() {
            return Ok(());
        }
        let [watch, behind, target, control, signals] = &fds;
        if watch.is_ready() || behind.is_ready() || control.is_broken() {
            return Err(Gone);
        }
        if target.is_ready() {
            self.end_with_target();
        }
        if control.is_writable() {
            self.outbox.flush()?;
        }
        if control.is_readable() {
            self.obey()?;
        }
        if signals.is_ready() {
            self.take_sigchld();
        }
        if self.unreaped {
            self.reap()?;
        }
        self.check_time()
    }

    /// How long to wait for something to happen.
    fn patience(&self) -> Option<u64> {
        if self.unreaped {
            return Some(0);
        }
        self.deadline().map(|deadline| deadline.saturating_sub(sys::now_ns()))
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
                (Asked::Go | Asked::End, Stage::Held) => self.leave(),
                (Asked::Go, Stage::Running(_)) => self.config.flags &= !Config::HOLD,
                (Asked::Guest(descriptors), Stage::Running(_) | Stage::Held) => {
                    host::take_in(descriptors);
                }
                (Asked::Guest(descriptors), _) => descriptors.into_iter().for_each(sys::close),
                // The supervisor did not know yet that the command has ended: who wants an end does not want to wait for
                // the grace.
                (Asked::Signal(signal), _) if sys::ENDS.contains(&signal) => {
                    self.config.grace_ns = 0;
                    if matches!(self.stage, Stage::Leaving { .. }) {
                        self.finish();
                    }
                }
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
    fn take_sigchld(&mut self) {
        let mut information = [0; 128];
        let _ = sys::read(self.signals, &mut information);
        self.unreaped = true;
    }

    /// Takes what the kernel has to tell of children, up to a [`BATCH`].
    fn reap(&mut self) -> Result<(), Gone> {
        let mut usage = Usage::default();
        for _ in 0..BATCH {
            match sys::wait(Changes::All, &mut usage) {
                Ok(Some((pid, change))) => self.note(pid, change, &usage)?,
                Ok(None) => {
                    self.unreaped = false;
                    break;
                }
                Err(_) => {
                    self.note_no_children();
                    break;
                }
            }
            if matches!(self.stage, Stage::Done) {
                break;
            }
        }
        Ok(())
    }

    /// Goes on after a change of a child, which means something if it is the command.
    fn note(&mut self, pid: i32, change: Change, usage: &Usage) -> Result<(), Gone> {
        if pid != self.command || !matches!(self.stage, Stage::Running(_)) {
            return Ok(());
        }
        self.outbox.post(report::change(pid, change, usage))?;
        match change {
            Change::Stopped { .. } | Change::Continued => return Ok(()),
            Change::Exited { code } => self.code = code,
            Change::Signaled { signal, .. } => self.code = 128 + signal,
        }
        if self.config.flags & Config::HOLD == 0 {
            self.leave();
        } else {
            self.stage = Stage::Held;
        }
        Ok(())
    }

    /// ECHILD: what the command has left behind is gone.
    fn note_no_children(&mut self) {
        self.unreaped = false;
        if matches!(self.stage, Stage::Leaving { .. }) {
            self.finish();
        }
    }

    /// Gives what the command has left behind its time, if it is to have any.
    fn leave(&mut self) {
        if self.config.grace_ns == 0 {
            self.finish();
            return;
        }
        self.crowd.signal(self.config.signal as i32);
        // Those who are stopped take it only then.
        self.crowd.signal(sys::SIGCONT);
        // Perhaps there is nobody.
        self.unreaped = true;
        self.stage =
            Stage::Leaving { deadline: sys::now_ns().saturating_add(self.config.grace_ns) };
    }

    /// It is over now, or as soon as the supervisor has been told all: nobody else is to live until then.
    fn finish(&mut self) {
        self.stage = Stage::Done;
        if !self.outbox.is_empty() {
            self.crowd.kill();
        }
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
                    self.outbox.post(report::event(EventKind::TimedOut, self.command, 0))?;
                }
                self.carry_out(Some(order));
            }
            Stage::Leaving { .. } => self.finish(),
            Stage::Held | Stage::Done => {}
        }
        Ok(())
    }
}
