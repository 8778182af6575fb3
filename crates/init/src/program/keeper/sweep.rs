//! Destroys all descendants: stops them, kills them, reaps them, and looks again until there is nobody.
//!
//! First all are stopped: who is stopped can neither start others nor react to the end of one. A signal that is on its
//! way makes fork(2) fail already (`copy_process`), so that a storm of forks loses. Then all are killed, those among them
//! whom the first look has missed. Who was too deep down to be found becomes a child of ours, and is next.
//!
//! Where the job has a cgroup of its own, that is used if it looks like being sooner, or the last resort.

use super::cgroup::Leaf;
use super::descendants::{self, Tally};
use crate::program::report;
use crate::program::sys::{self, Changes, Errno, SignalSet, Usage};
use crate::protocol::{CONTROL_FD, EventKind};

/// How long to go on when nothing happens any more.
pub(super) const PATIENCE_NS: u64 = 5_000_000_000;

/// How long to wait for an end before looking again.
pub(super) const PAUSE_NS: u64 = 10_000_000;

/// How long ends are awaited without a look at who else is there.
const ENDS_NS: u64 = 200_000_000;

/// After how many rounds the cgroup is the last resort.
const ROUNDS: u32 = 3;

/// How many processes are told of that do not go.
const TOLD: u32 = 16;

/// Goes on until no child is left, or until for `patience_ns` nobody has ended and nobody new has been found, which is
/// told to the supervisor.
pub(super) fn sweep(patience_ns: u64, leaf: &Leaf) {
    let Children::Some { .. } = reap() else { return };
    sys::hurry();
    let mut before = Tally::default();
    let mut moved = sys::now_ns();
    let mut round = 0;
    loop {
        let found = if is_sooner(leaf, round) && leaf.kill() { Tally::all() } else { kill() };
        round += 1;
        let Children::Some { reaped } = await_ends(&found) else { return };
        let now = sys::now_ns();
        if reaped > 0 || found != before {
            moved = now;
        }
        if now.saturating_sub(moved) >= patience_ns {
            if patience_ns > 0 {
                tell_stuck();
            }
            return;
        }
        before = found;
    }
}

/// Says whether in this round, the first of which is 0, the cgroup is to be used.
fn is_sooner(leaf: &Leaf, round: u32) -> bool {
    match round {
        0 => leaf.is_crowded(),
        ROUNDS => true,
        _ => false,
    }
}

/// Stops all that are there, and then kills all that are there.
pub(super) fn kill() -> Tally {
    descendants::signal(sys::SIGSTOP);
    descendants::signal(sys::SIGKILL)
}

/// What the kernel has to say of children.
enum Children {
    None,
    Some {
        /// How many have ended and been reaped.
        reaped: u32,
    },
}

/// How many are reaped at a time: they may end as fast as that.
const AT_A_TIME: u32 = 1024;

/// Reaps those who have ended.
fn reap() -> Children {
    let mut usage = Usage::default();
    let mut reaped = 0;
    while reaped < AT_A_TIME {
        match sys::wait(Changes::Ends, &mut usage) {
            Ok(Some(_)) => reaped += 1,
            Err(Errno::EINTR) => {}
            Err(Errno::ECHILD) => return Children::None,
            Ok(None) | Err(_) => break,
        }
    }
    Children::Some { reaped }
}

/// Reaps until as many have ended as were `found`, or nobody does for a while.
fn await_ends(found: &Tally) -> Children {
    let start = sys::now_ns();
    let mut all = 0;
    loop {
        let Children::Some { reaped } = reap() else { return Children::None };
        all += reaped;
        let enough = all > 0 && (found.is_cut || all >= found.count);
        let in_time = sys::now_ns().saturating_sub(start) <= ENDS_NS;
        if enough || !in_time || reaped < AT_A_TIME && !await_end() {
            return Children::Some { reaped: all };
        }
    }
}

/// Waits for a SIGCHLD, which is blocked; not for ever.
fn await_end() -> bool {
    sys::take_signal(SignalSet::of(&[sys::SIGCHLD]), Some(PAUSE_NS)).is_ok()
}

/// Says who is left.
fn tell_stuck() {
    let mut told = 0;
    descendants::walk(&mut |found| {
        let errno = found.signal(sys::SIGKILL).map_or_else(|errno| errno.0, |()| 0);
        told += 1;
        if told <= TOLD {
            // One who is not listening is not to be waited for.
            let _ = sys::send(CONTROL_FD, &report::event(EventKind::Stuck, found.pid, errno));
        }
    });
}
