//! Stands above the keeper, and takes its place should it be killed.

use super::cgroup::Leaf;
use super::sweep;
use crate::program::supervise::{self, FAILED};
use crate::program::sys::{self, Change, Changes, Disposition, Errno, PollFd, Usage};
use crate::protocol::{WARDEN, WATCH_FD};

/// How long a keeper may take once the supervisor has gone. Longer than [`sweep::PATIENCE_NS`].
const KEEPERS_TIME_NS: u64 = 2 * sweep::PATIENCE_NS;

/// What the warden adds to the counter once it is ready: with a cgroup that it has made for the command, or without.
const READY: u64 = 1;
pub(super) const READY_WITH_CGROUP: u64 = 2;

pub(super) struct Warden {
    /// A pidfd of the keeper.
    pub(super) keeper: i32,
    /// To be written to once the warden is where no signal to the group reaches it.
    pub(super) ready: i32,
    /// Where a cgroup for the command may be made, or negative.
    pub(super) cgroup: i32,
}

impl Warden {
    /// Waits for the end of the keeper, and destroys what it has left, if anything.
    pub(super) fn run(self) -> ! {
        let Self { keeper, ready, cgroup } = self;
        // To be killed by a signal to the caller's group at the same time as others would be the end of all guarding.
        // Cannot fail: a process that has just been made leads no group.
        let _ = sys::lead_session();
        sys::set_name(WARDEN);
        // Before the command can start: with SIGCHLD ignored, nobody would be told how the keeper has ended.
        sys::set_disposition(sys::SIGCHLD, Disposition::Default);
        let leaf = Leaf::make(cgroup);
        let news = if leaf.directory().is_some() { READY_WITH_CGROUP } else { READY };
        let _ = sys::write(ready, &news.to_ne_bytes());
        supervise::close_standard_fds();
        let [parent, directory] = leaf.fds();
        supervise::close_strangers([keeper, parent, directory]);
        wait_for(keeper);
        let (patience, code) = match collect() {
            // It has done what could be done.
            Some(Change::Exited { code }) => (0, code),
            Some(Change::Signaled { signal, .. }) => (sweep::PATIENCE_NS, 128 + signal),
            _ => (sweep::PATIENCE_NS, FAILED),
        };
        sweep::sweep(patience, &leaf);
        leaf.remove();
        sys::exit(code)
    }
}

/// Until the keeper has ended. Once the supervisor has gone, that must not take for ever: somebody may have stopped it.
fn wait_for(keeper: i32) {
    let mut fds = [PollFd::input(keeper), PollFd::input(WATCH_FD)];
    while !fds.iter().any(PollFd::is_ready) {
        let _ = sys::poll(&mut fds, None);
    }
    let deadline = sys::now_ns().saturating_add(KEEPERS_TIME_NS);
    loop {
        let mut fds = [PollFd::input(keeper)];
        let _ = sys::pidfd_kill(keeper, sys::SIGCONT);
        let _ = sys::poll(&mut fds, Some(sweep::PAUSE_NS));
        if fds.iter().any(PollFd::is_ready) {
            return;
        }
        if sys::now_ns() >= deadline {
            let _ = sys::pidfd_kill(keeper, sys::SIGKILL);
        }
    }
}

/// How the keeper has ended. Others become children of ours only after it, so it is the first to be told of.
fn collect() -> Option<Change> {
    let mut usage = Usage::default();
    loop {
        match sys::wait(Changes::Ends, &mut usage) {
            Ok(change) => return change.map(|(_, change)| change),
            Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}
