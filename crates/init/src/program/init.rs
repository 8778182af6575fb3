//! Number 1 of a namespace that a supervisor has made.
//!
//! Starts the command, reaps whatever is orphaned, tells the supervisor what happens to the command and does what it
//! asks. When this process goes, the kernel kills and reaps all others before anyone learns of it
//! (`zap_pid_ns_processes`). It goes when the command's end has been dealt with, and at once when the supervisor is gone.
//!
//! Signals need no care: the kernel keeps from number 1 whatever it has no handler for. Only SIGCHLD is blocked, to be
//! polled for.

use super::exec;
use super::message;
use super::report::{self, Gone};
use super::request::{self, Asked};
use super::spawn::{self, Failure, Launch, Place};
use super::strings::{Command, Strings};
use super::supervise::{self, FAILED};
use super::sys::{self, Change, Changes, Disposition, Errno, PollFd, SignalSet, Usage};
use super::term::{Order, Term};
use crate::protocol::{CONTROL_FD, Config, EventKind, WATCH_FD};

const SIGCHLD_ONLY: SignalSet = SignalSet::of(&[sys::SIGCHLD]);

/// All others in the namespace.
const EVERYBODY: i32 = -1;

/// Runs the command and the namespace, to the end of both.
pub(crate) fn run(config: &Config, command: Option<Command>, environment: Strings) -> ! {
    if sys::pid() != 1 {
        // Elsewhere, what is meant for the namespace would hit the whole machine.
        message::say(&[message::Part::Text(b"not number 1 of a PID namespace")]);
        sys::exit(FAILED)
    }
    match start(config, command, environment) {
        Ok(mut init) => {
            let code = init.live();
            sys::exit(code)
        }
        Err(code) => sys::exit(code),
    }
}

/// Starts the command, or tells why not.
fn start(config: &Config, command: Option<Command>, environment: Strings) -> Result<Init, i32> {
    if supervise::supervisor_is_gone() {
        return Err(FAILED);
    }
    let on_sigchld = sys::set_disposition(sys::SIGCHLD, Disposition::Default);
    sys::set_mask(SIGCHLD_ONLY);
    let mask = SignalSet(config.sigmask);
    let started = command.ok_or(Failure::Exec(Errno::ENOENT)).and_then(|command| {
        spawn::spawn(&Launch { command, environment, mask, on_sigchld, place: Place::Inherited })
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
        (Ok(pid), Ok(())) => Init::new(config, pid).ok_or(FAILED),
        (Err(Failure::Exec(errno)), _) => Err(exec::exit_code(errno)),
        (Err(_), _) | (_, Err(Gone)) => Err(FAILED),
    }
}

/// What number 1 is about.
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

struct Init {
    config: Config,
    /// Its number, which nobody else can have while [`Stage::Running`] lasts.
    command: i32,
    /// Tells of SIGCHLD.
    signals: i32,
    stage: Stage,
    /// What to exit with, for those who look at it: the command's own status, as a shell gives it.
    code: i32,
}

impl Init {
    /// `None` if the kernel has no descriptor for us.
    fn new(config: &Config, command: i32) -> Option<Self> {
        // What the command has closed is to be closed for those at the other end.
        let _ = sys::close_range(0, 2);
        let signals = sys::signal_fd(SIGCHLD_ONLY).ok()?;
        let stage = Stage::Running(Term::start(config, sys::now_ns()));
        Some(Self { config: *config, command, signals, stage, code: 0 })
    }

    /// Does what comes until nothing is left to do.
    fn live(&mut self) -> i32 {
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
        let mut fds =
            [PollFd::input(WATCH_FD), PollFd::input(CONTROL_FD), PollFd::input(self.signals)];
        let timeout = self.deadline().map(|deadline| deadline.saturating_sub(sys::now_ns()));
        if sys::poll(&mut fds, timeout).is_err() {
            return Ok(());
        }
        let [watch, control, signals] = &fds;
        if watch.is_ready() || control.is_broken() {
            return Err(Gone);
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

    fn carry_out(&self, order: Option<Order>) {
        match order {
            Some(Order::Ask) => ask_to_end(self.command, self.config.signal),
            Some(Order::Kill) => {
                let _ = sys::kill(EVERYBODY, sys::SIGKILL);
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
        ask_to_end(EVERYBODY, self.config.signal);
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

/// Sends `signal` and lets those who are stopped take it.
fn ask_to_end(pid: i32, signal: u32) {
    let _ = sys::kill(pid, signal as i32);
    let _ = sys::kill(pid, sys::SIGCONT);
}
