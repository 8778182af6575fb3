//! Tracer and listener run before others that want their cpu.
//!
//! Their answers are short and waited for. A thread that has just run is not let before others again at once: it may wait
//! for a tick of the kernel's clock, milliseconds, while who waits for it leaves another cpu idle. So they take short
//! turns, and a lower nice value where they may.
//!
//! With many tasks the tracer had better come when several have stopped: each wait looks through all of them, unless one of
//! the [recent](super::recent) ones stops meanwhile.

use std::time::Duration;

use pidns_sys::cpu::Share;

/// The shortest that the kernel has.
const TURN: Duration = Duration::from_micros(100);
const NICE: i32 = -15;
/// Of more tasks than these, the tracer waits as others do, until there are few.
const MANY: usize = 256;
const FEW: usize = 64;

#[derive(Debug)]
pub(super) struct Precedence {
    /// `None` where the kernel tells of no other.
    usual: Option<Share>,
    taken: bool,
}

impl Precedence {
    /// Takes precedence for the calling thread, as far as the kernel lets it.
    pub(super) fn take() -> Self {
        let mut precedence = Self { usual: Share::of_thread().ok(), taken: false };
        precedence.set(true);
        precedence
    }

    /// There are `count` tasks now.
    pub(super) fn suit(&mut self, count: usize) {
        if self.taken && count > MANY {
            self.set(false);
        } else if !self.taken && count < FEW {
            self.set(true);
        }
    }

    fn set(&mut self, taken: bool) {
        self.taken = taken;
        let Some(usual) = self.usual else { return };
        let short = usual.in_turns_of(TURN);
        let wanted = if taken { short.before_others(NICE) } else { short };
        // Without either it is as slow as it was.
        let _ = wanted.take().or_else(|_| short.take());
    }
}
