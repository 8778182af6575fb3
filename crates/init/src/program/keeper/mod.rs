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
//! warden has a session of its own before the command starts, and the keeper leaves that of the command right after.

mod cgroup;
mod descendants;
mod path;
mod sweep;
mod warden;

use cgroup::Leaf;
use warden::Warden;

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
    match part(cgroup::parent(config)) {
        Ok(Side::Warden(warden)) => warden.run(),
        Ok(Side::Keeper(keeper)) => keeper.run(config, command, environment),
        Err(errno) => {
            let _ = report::send(&report::event(EventKind::ForkFailed, 0, errno.0));
            sys::exit(FAILED)
        }
    }
}

/// Which of the two this process is.
enum Side {
    Warden(Warden),
    Keeper(Keeper),
}

/// Where a cgroup for the command may be made, `cgroup` is its directory.
fn part(cgroup: i32) -> Result<Side, Errno> {
    sys::become_subreaper()?;
    let number = sys::pid();
    let warden = sys::pidfd_open(number)?;
    let ready = sys::event_fd()?;
    Ok(match sys::fork()? {
        Forked::Parent { child } => Side::Warden(Warden { keeper: child, ready, cgroup }),
        Forked::Child => Side::Keeper(Keeper { warden, number, ready, cgroup }),
    })
}

/// Whether the warden has made a cgroup for the command.
#[derive(Clone, Copy)]
enum Cgroup {
    Made,
    None,
}

struct Keeper {
    /// A pidfd of the warden, and its number.
    warden: i32,
    number: i32,
    /// Readable once the warden is ready.
    ready: i32,
    /// Where the warden may have made a cgroup, or negative.
    cgroup: i32,
}

impl Keeper {
    fn run(self, config: &Config, command: Option<Command>, environment: Strings) -> ! {
        sys::set_name(c"pidns-keeper");
        // Whoever has this flag does not pass it on to its children. The warden has been able to have it.
        let _ = sys::become_subreaper();
        let ready = self.wait_for_warden();
        let leaf = match ready {
            // One of that name is somebody else's, whose warden has the same number in another PID namespace, or had it.
            Ok(Cgroup::None) => Leaf::none(),
            // Whether one was made before the warden was killed, nobody knows. It is only removed, if it is empty.
            Ok(Cgroup::Made) | Err(Gone) => Leaf::find(self.cgroup, self.number),
        };
        let started = ready
            .map_err(|Gone| FAILED)
            .and_then(|_| self.start(config, command, environment, &leaf));
        let code = match started {
            Ok(mut job) => job.live(),
            Err(code) => code,
        };
        sweep::sweep(sweep::PATIENCE_NS, &leaf);
        if has_ended(self.warden) {
            leaf.remove();
        }
        // Somebody may have stopped it, and it is the one that is waited for.
        let _ = sys::pidfd_kill(self.warden, sys::SIGCONT);
        sys::exit(code)
    }

    fn start(
        &self,
        config: &Config,
        command: Option<Command>,
        environment: Strings,
        leaf: &Leaf,
    ) -> Result<Job<Descendants>, i32> {
        introduce().map_err(|_| FAILED)?;
        let place = Place::Inherited(Descriptors::of(config));
        let (mask, cgroup) = (SignalSet::ALL, leaf.directory());
        let command = job::start(config, command, environment, mask, place, cgroup)?;
        let [parent, directory] = leaf.fds();
        supervise::close_strangers([self.warden, supervise::target(config), parent, directory]);
        // No signal to the caller's group is to reach us. A group of our own in its session would not do: the command's
        // end would then orphan the caller's group, as the kernel sees it, and with a stopped member all of that group
        // would get a SIGHUP (`kill_orphaned_pgrp`). Cannot fail: we lead no group.
        let _ = sys::lead_session();
        Job::new(config, command, Descendants { warden: self.warden }).ok_or(FAILED)
    }

    fn wait_for_warden(&self) -> Result<Cgroup, Gone> {
        loop {
            let mut fds = [PollFd::input(self.ready), PollFd::input(self.warden)];
            let _ = sys::poll(&mut fds, None);
            let [ready, warden] = &fds;
            if ready.is_ready() {
                let mut news = [0; 8];
                let _ = sys::read(self.ready, &mut news);
                sys::close(self.ready);
                let made = u64::from_ne_bytes(news) == warden::READY_WITH_CGROUP;
                return Ok(if made { Cgroup::Made } else { Cgroup::None });
            }
            if warden.is_ready() {
                return Err(Gone);
            }
        }
    }
}

/// Says whether the process of `pidfd` has ended.
fn has_ended(pidfd: i32) -> bool {
    let mut fds = [PollFd::input(pidfd)];
    let _ = sys::poll(&mut fds, Some(0));
    fds.iter().any(PollFd::is_ready)
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
