//! Guards, from outside, a namespace whose number 1 is the command itself.
//!
//! Nothing in such a namespace would notice that the supervisor has gone. This process does, and kills number 1, which
//! takes the namespace with it. It also enforces the time limit. It has number 1 by a pidfd, which number 1 has sent
//! of itself before it became the command.

use super::report::{self, Gone};
use super::request::{self, Asked};
use super::supervise::{self, FAILED};
use super::sys::{self, Errno, PollFd, SignalSet};
use super::term::{Order, Term};
use crate::protocol::{CONTROL_FD, Config, EventKind, WATCH_FD};

/// Guards until number 1 has ended.
pub(crate) fn run(config: &Config) -> ! {
    sys::set_mask(SignalSet::ALL);
    // Before number 1 may become the command: a SIGKILL to the caller's group, from inside too, must not hit us together
    // with the supervisor. Cannot fail: a process that has just been made leads no group.
    let _ = sys::lead_session();
    supervise::close_standard_fds();
    supervise::close_strangers([]);
    let Some(target) = receive_target() else { sys::exit(FAILED) };
    let mut guard = Guard { config: *config, target, term: Term::start(config, sys::now_ns()) };
    let guarded = guard.begin().and_then(|()| guard.live());
    if guarded == Err(Gone) {
        guard.kill(sys::SIGKILL);
    }
    sys::exit(0)
}

/// The pidfd of number 1, or nothing if everybody who could send it has gone.
///
/// A supervisor that is gone does not end the wait: number 1 may have become the command only after the answer, so it
/// either sends its pidfd, to be killed, or ends and closes the socket.
fn receive_target() -> Option<i32> {
    loop {
        match sys::receive_fd(CONTROL_FD) {
            Ok(target) => return target,
            Err(Errno::EAGAIN) => {
                let _ = sys::poll(&mut [PollFd::input(CONTROL_FD)], None);
            }
            Err(Errno::EINTR | Errno::EINVAL) => {}
            Err(_) => return None,
        }
    }
}

struct Guard {
    config: Config,
    /// A pidfd of number 1.
    target: i32,
    term: Term,
}

impl Guard {
    /// Lets number 1 become the command, unless the supervisor has gone.
    fn begin(&self) -> Result<(), Gone> {
        if supervise::supervisor_is_gone() {
            return Err(Gone);
        }
        report::send(&report::event(EventKind::Started, 0, 0))
    }

    /// Until number 1 has ended.
    fn live(&mut self) -> Result<(), Gone> {
        loop {
            let mut fds =
                [PollFd::input(self.target), PollFd::input(WATCH_FD), PollFd::input(CONTROL_FD)];
            let timeout =
                self.term.deadline().map(|deadline| deadline.saturating_sub(sys::now_ns()));
            if sys::poll(&mut fds, timeout).is_err() {
                continue;
            }
            let [target, watch, control] = &fds;
            if target.is_ready() {
                return Ok(());
            }
            if watch.is_ready() || control.is_broken() {
                return Err(Gone);
            }
            if control.is_readable() {
                self.obey()?;
            }
            self.check_time()?;
        }
    }

    fn obey(&mut self) -> Result<(), Gone> {
        while let Some(asked) = request::next()? {
            match asked {
                Asked::Signal(signal) => self.kill(signal),
                Asked::End => {
                    if let Some(order) = self.term.end(sys::now_ns()) {
                        self.carry_out(order);
                    }
                }
                Asked::Go => {}
                Asked::Guest(descriptors) => descriptors.into_iter().for_each(sys::close),
            }
        }
        Ok(())
    }

    fn check_time(&mut self) -> Result<(), Gone> {
        let now = sys::now_ns();
        if self.term.deadline().is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        let out_of_time = self.term.is_running();
        let order = self.term.expire(now);
        if out_of_time {
            report::send(&report::event(EventKind::TimedOut, 0, 0))?;
        }
        self.carry_out(order);
        Ok(())
    }

    fn carry_out(&self, order: Order) {
        match order {
            Order::Ask => {
                self.kill(self.config.signal as i32);
                self.kill(sys::SIGCONT);
            }
            Order::Kill => self.kill(sys::SIGKILL),
        }
    }

    fn kill(&self, signal: i32) {
        let _ = sys::pidfd_kill(self.target, signal);
    }
}
