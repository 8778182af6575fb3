//! Keeps a command without a namespace: nothing that it starts survives it, its supervisor, or one of us.
//!
//! ```text
//! supervisor -> warden (subreaper) -> keeper (subreaper) -> the command -> ..
//! ```
//!
//! The keeper runs the command as a [`job`](super::job). Whatever loses its parent below becomes a child of the keeper,
//! which is the nearest subreaper, or stays below a subreaper of the command's own; so all that the command has started
//! is found by going down from here ([`descendants`]). When the command has ended, the supervisor has gone or the time
//! is over, the keeper stops, kills and reaps until nothing is left ([`sweep`]).
//!
//! The [`warden`] does the same should the keeper be killed, and the keeper ends all should the warden be. Each has a
//! pidfd of the other. Only if both are killed at the same time, nobody is left to do it.
//!
//! So that this does not happen by a signal to a whole process group, as from `kill -9 %1` or a runner of tests, the
//! warden has a session of its own before the command starts, and the keeper leaves the command's group right after.
//! It stays in the session: the command's groups would be orphaned otherwise, which job control would notice.

mod descendants;
mod sweep;
mod warden;

use super::job::{self, Crowd, Job};
use super::report::{self, Gone};
use super::spawn::{Descriptors, Place};
use super::strings::{Command, Strings};
use super::supervise::{self, FAILED};
use super::sys::{self, Errno, Forked, PollFd, SignalSet};
use crate::protocol::{CONTROL_FD, Config, EventKind};

/// Parts into warden and keeper, and runs the command to its end and that of all others.
pub(crate) fn run(config: &Config, command: Option<Command>, environment: Strings) -> ! {
    // Neither terminal nor group may end us. The command gets its own mask.
    sys::set_mask(SignalSet::ALL);
    match part() {
        Ok(Side::Warden { keeper, ready }) => {
            supervise::close_strangers([keeper, ready]);
            warden::run(keeper, ready)
        }
        Ok(Side::Keeper(keeper)) => keeper.run(config, command, environment),
        Err(errno) => {
            let _ = report::send(&report::event(EventKind::ForkFailed, 0, errno.0));
            sys::exit(FAILED)
        }
    }
}

/// Which of the two this process is.
enum Side {
    Warden {
        /// A pidfd of the keeper.
        keeper: i32,
        /// To be written to once the warden is where no signal to the group reaches it.
        ready: i32,
    },
    Keeper(Keeper),
}

fn part() -> Result<Side, Errno> {
    sys::become_subreaper()?;
    let warden = sys::pidfd_open(sys::pid())?;
    let ready = sys::event_fd()?;
    Ok(match sys::fork()? {
        Forked::Parent { child } => Side::Warden { keeper: child, ready },
        Forked::Child => Side::Keeper(Keeper { warden, ready }),
    })
}

struct Keeper {
    /// A pidfd of the warden.
    warden: i32,
    /// Readable once the warden is ready.
    ready: i32,
}

impl Keeper {
    fn run(self, config: &Config, command: Option<Command>, environment: Strings) -> ! {
        sys::set_name(c"pidns-keeper");
        let warden = self.warden;
        let code = match self.start(config, command, environment) {
            Ok(mut job) => job.live(),
            Err(code) => code,
        };
        sweep::sweep(sweep::PATIENCE_NS);
        // Somebody may have stopped it, and it is the one that is waited for.
        let _ = sys::pidfd_kill(warden, sys::SIGCONT);
        sys::exit(code)
    }

    fn start(
        self,
        config: &Config,
        command: Option<Command>,
        environment: Strings,
    ) -> Result<Job<Descendants>, i32> {
        // Whoever has this flag does not pass it on to its children.
        sys::become_subreaper().map_err(|_| FAILED)?;
        self.wait_for_warden().map_err(|Gone| FAILED)?;
        introduce().map_err(|_| FAILED)?;
        let place = Place::Inherited(Descriptors::of(config));
        let command = job::start(config, command, environment, SignalSet::ALL, place)?;
        supervise::close_strangers([self.warden, supervise::target(config)]);
        // No signal to the caller's group is to reach us. A group of our own in its session would not do: the command's
        // end would then orphan the caller's group, as the kernel sees it, and with a stopped member all of that group
        // would get a SIGHUP (`kill_orphaned_pgrp`). Cannot fail: we lead no group.
        let _ = sys::lead_session();
        Job::new(config, command, Descendants { warden: self.warden }).ok_or(FAILED)
    }

    fn wait_for_warden(&self) -> Result<(), Gone> {
        loop {
            let mut fds = [PollFd::input(self.ready), PollFd::input(self.warden)];
            let _ = sys::poll(&mut fds, None);
            let [ready, warden] = &fds;
            if ready.is_ready() {
                sys::close(self.ready);
                return Ok(());
            }
            if warden.is_ready() {
                return Err(Gone);
            }
        }
    }
}

/// Gives the supervisor a pidfd of this process.
fn introduce() -> sys::Result<()> {
    let pid = sys::pid();
    let own = sys::pidfd_open(pid)?;
    let sent = sys::send_with_fd(CONTROL_FD, &report::event(EventKind::Keeper, pid, 0), own);
    sys::close(own);
    sent
}

/// All that descends from this process.
struct Descendants {
    /// A pidfd of the warden.
    warden: i32,
}

impl Crowd for Descendants {
    fn signal(&mut self, signal: i32) {
        descendants::signal(signal);
    }

    fn kill(&mut self) {
        sweep::kill();
    }

    fn watch(&self) -> i32 {
        self.warden
    }
}
