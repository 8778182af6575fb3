//! Signals and stops, between those around `pidns run` and the command.
//!
//! The command is in our session and process group, so that pipelines and job control work as without us. What a
//! terminal sends, it sends to the whole group: the command has got it, and we keep it from ourselves. What processes
//! send to us, we pass on. When the command stops, we stop in the same way, so that a shell sees its job stopped.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use pidns::{Change, Child, ExitStatus, Signal, SignalSet};
use pidns_sys::signal::{self, Taken};
use pidns_sys::{poll, tty};

use crate::exit::Failure;

/// The signals of this process, taken as data instead of by handlers.
pub(crate) struct Signals {
    taken: OwnedFd,
    before: SignalSet,
    terminal: Option<Terminal>,
}

/// Faults are ours if they come; SIGKILL and SIGSTOP cannot be taken.
const NOT_TAKEN: [i32; 6] = [4, 5, 7, 8, 11, 31];

/// Signals that ask for an end.
const ENDS: [Signal; 4] = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];

impl Signals {
    /// Blocks all signals but faults, and takes them from now on.
    pub(crate) fn take() -> Result<Self, Failure> {
        let faults = NOT_TAKEN.into_iter().filter_map(Signal::new);
        let set = faults.fold(SignalSet::FULL, SignalSet::without);
        let before = signal::set_mask(set);
        let taken =
            signal::descriptor(set).map_err(|error| Failure::new("cannot take signals", error))?;
        Ok(Self { taken, before, terminal: Terminal::in_foreground() })
    }

    /// What was blocked before: the command is to have the same mask.
    pub(crate) fn mask_before(&self) -> SignalSet {
        self.before
    }

    /// Passes on what comes until the command has ended, and waits until all others are gone.
    pub(crate) fn supervise(&self, child: &mut Child) -> io::Result<ExitStatus> {
        self.until_end(child)?;
        if let Some(terminal) = &self.terminal {
            terminal.take_back();
        }
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            poll::readable([self.taken.as_fd(), child.pidfd()], None)?;
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
                    Change::Stopped(signal) => self.stop(signal)?,
                    Change::Ended => return Ok(()),
                    _ => {}
                }
            }
            let [news, pidfd] = child.descriptors();
            poll::readable([self.taken.as_fd(), news, pidfd], None)?;
            while let Some(taken) = signal::take(&self.taken)? {
                if is_for_command(&taken) {
                    child.signal(taken.signal)?;
                }
            }
        }
    }

    /// Stops this process as `signal` has stopped the command, until somebody continues it.
    fn stop(&self, signal: Signal) -> io::Result<()> {
        signal::send_to_self(signal)?;
        // It is blocked until now, except SIGSTOP, which has stopped us above.
        if signal != Signal::STOP {
            let blocked = signal::set_mask(SignalSet::FULL.without(signal));
            signal::set_mask(blocked);
        }
        Ok(())
    }
}

/// Says whether `taken` was meant for the command and has not reached it yet.
fn is_for_command(taken: &Taken) -> bool {
    match taken.signal {
        Signal::CHLD => false,
        // A hangup goes to the leader of the session only.
        Signal::HUP => taken.from_process() || tty::leads_session(),
        _ => taken.from_process(),
    }
}

/// The terminal whose foreground we are in.
struct Terminal(OwnedFd);

impl Terminal {
    fn in_foreground() -> Option<Self> {
        let stdio =
            [io::stdin().as_fd().try_clone_to_owned(), io::stderr().as_fd().try_clone_to_owned()];
        let mut terminals = stdio.into_iter().flatten();
        terminals.find(|fd| tty::foreground(fd) == Ok(tty::own_group())).map(Self)
    }

    /// Makes our group the foreground again, if the command has put another one there: it is gone now, and whoever
    /// reads from the terminal next would be stopped.
    fn take_back(&self) {
        if tty::foreground(&self.0) != Ok(tty::own_group()) {
            // SIGTTOU is blocked. A terminal that is gone needs no foreground.
            let _ = tty::set_foreground(&self.0, tty::own_group());
        }
    }
}
