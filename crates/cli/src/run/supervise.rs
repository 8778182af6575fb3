//! Signals and stops, between those around `pidns run` and the command.
//!
//! The command is in our session and process group, so that pipelines and job control work as without us. What a
//! terminal sends, it sends to the whole group: the command has got it, and we keep it from ourselves. What processes
//! send to us, we pass on. When the command stops, we stop in the same way, so that a shell sees its job stopped.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use pidns::{Change, Child, ExitStatus, Process, Signal, SignalSet};
use pidns_sys::signal::{self, Taken};
use pidns_sys::{pidfd, poll, tty};

use super::terminal::Terminal;
use crate::exit::Failure;
use crate::text;

/// The signals of this process, taken as data instead of by handlers.
pub(crate) struct Signals {
    taken: OwnedFd,
    before: SignalSet,
    terminal: Option<Terminal>,
}

/// Faults are ours if they come; SIGKILL and SIGSTOP cannot be taken.
const NOT_TAKEN: [i32; 6] = [4, 5, 7, 8, 11, 31];

/// How long what may take but a moment is worth staying awake for: a short command, the end of number 1.
const AWAKE: Duration = Duration::from_micros(100);

/// How long it may take to hear that the command goes on.
const MOMENT: Duration = Duration::from_millis(10);

/// Signals that ask for an end.
const ENDS: [Signal; 4] = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];

impl Signals {
    /// Blocks all signals but faults, and takes them from now on.
    pub(crate) fn take() -> Result<Self, Failure> {
        let faults = NOT_TAKEN.into_iter().filter_map(Signal::new);
        let set = faults.fold(SignalSet::FULL, SignalSet::without);
        let before = signal::set_mask(set);
        let taken = signal::descriptor(set).map_err(|errno| {
            Failure::new("cannot take signals", text::without_number(&errno.into()))
        })?;
        Ok(Self { taken, before, terminal: Terminal::in_foreground() })
    }

    /// What was blocked before: the command is to have the same mask.
    pub(crate) fn mask_before(&self) -> SignalSet {
        self.before
    }

    /// Passes on what comes until the command has ended, and waits until all others are gone.
    pub(crate) fn supervise(&self, child: &mut Child) -> io::Result<ExitStatus> {
        self.until_end(child)?;
        let status = self.until_all_are_gone(child)?;
        if let Some(terminal) = &self.terminal {
            terminal.take_back();
        }
        Ok(status)
    }

    fn until_all_are_gone(&self, child: &mut Child) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            poll::readable_soon([self.taken.as_fd(), child.pidfd()], AWAKE)?;
            while let Some(taken) = signal::take(&self.taken)? {
                // The command cannot take it any more: whoever wants an end does not want to wait for the grace.
                if ENDS.contains(&taken.signal) {
                    child.kill()?;
                }
            }
        }
    }

    fn until_end(&self, child: &mut Child) -> io::Result<()> {
        loop {
            while let Some(change) = child.next_change()? {
                match change {
                    // It may be old news: a signal to the whole group has stopped us too, and another has let all go on.
                    Change::Stopped(signal) if stays_stopped(child)? => self.stop(signal, child)?,
                    Change::Ended => return Ok(()),
                    _ => {}
                }
            }
            let [news, pidfd] = child.descriptors();
            poll::readable_soon([self.taken.as_fd(), news, pidfd], AWAKE)?;
            while let Some(taken) = signal::take(&self.taken)? {
                if is_for_command(&taken, child) {
                    child.signal(taken.signal)?;
                }
            }
        }
    }

    /// Stops this process as `signal` has stopped the command, until somebody continues it.
    fn stop(&self, signal: Signal, child: &Child) -> io::Result<()> {
        signal::send_to_self(signal)?;
        // It is blocked until now, except SIGSTOP, which has stopped us above.
        if signal != Signal::STOP {
            let blocked = signal::set_mask(SignalSet::FULL.without(signal));
            signal::set_mask(blocked);
        }
        while let Some(taken) = signal::take(&self.taken)? {
            if is_for_command(&taken, child)
                // Mostly it is not needed: a shell continues the whole group. One that comes late would undo the next stop.
                && (taken.signal != Signal::CONT || stays_stopped(child)?)
            {
                child.signal(taken.signal)?;
            }
        }
        Ok(())
    }
}

/// Says whether the command is stopped, and is not just going on: a signal to our group reaches one after the other.
fn stays_stopped(child: &Child) -> io::Result<bool> {
    if !is_stopped(child) {
        return Ok(false);
    }
    let [news, pidfd] = child.descriptors();
    Ok(poll::readable([news, pidfd], Some(MOMENT))? == [false; 2] && is_stopped(child))
}

/// Says whether the command is stopped at this moment, as far as /proc shows.
fn is_stopped(child: &Child) -> bool {
    let number = child.report().number;
    let is_command = |process: &Process| process.number == number;
    match child.namespace().and_then(|namespace| namespace.tree()) {
        Ok(tree) => tree.iter().any(|one| is_command(one) && matches!(one.state, 'T' | 't')),
        // Without a /proc it has to be believed. With one, number 1 is gone, and so is the command.
        Err(_) => matches!(pidfd::has_ended(child.pidfd()), Ok(false)),
    }
}

/// Says whether `taken` was meant for the command and has not reached it yet.
fn is_for_command(taken: &Taken, child: &Child) -> bool {
    match taken.signal {
        Signal::CHLD => false,
        // What the terminal sends, it sends to our group alone.
        _ if !child.is_in_callers_group() => true,
        // A hangup goes to the leader of the session only.
        Signal::HUP => taken.from_process() || tty::leads_session(),
        _ => taken.from_process(),
    }
}
