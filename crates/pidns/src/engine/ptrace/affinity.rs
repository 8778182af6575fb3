//! The tracer follows its tracees to their cpu.
//!
//! A stop is two switches between tracee and tracer. On one cpu these are plain context switches; between two, each is a
//! wake-up by interrupt of a cpu that perhaps sleeps, which costs several times as much. So the tracer binds *itself* to
//! the cpu where its tracees stop; the guests' affinity is theirs. Where tracees stop on several cpus by turns, as with
//! `make -j`, moving would cost more than it saves: then it lets the scheduler choose for a while.
//!
//! A tracee's cpu is in its `rseq` area, where the kernel notes it whenever it moves the task (rseq(2)); C libraries
//! register one for each thread.

use pidns_sys::cpu::{self, Set};
use pidns_sys::ptrace::{self, Tid};

use super::memory;

/// Where the tracer runs, and why.
pub(super) struct Affinity {
    /// Where it may run.
    home: Option<Set>,
    at: Option<u32>,
    /// Stops elsewhere, in a row.
    elsewhere: u32,
    /// Stops and moves in this window.
    stops: u32,
    moves: u32,
    /// Stops to go before the next look.
    rest: u32,
}

/// Stops that are looked at together.
const WINDOW: u32 = 64;
/// Stops that a move has to pay for.
const WORTH: u32 = 3;
/// Stops without a look, where following does not pay.
const REST: u32 = 512;
/// The same, after a look that found nothing to do.
const PAUSE: u32 = 3;

impl Affinity {
    pub(super) fn new() -> Self {
        // With one cpu to run on there is nothing to follow.
        let home = cpu::allowed().ok().filter(|set| set.count() > 1);
        Self { home, at: None, elsewhere: 0, stops: 0, moves: 0, rest: 0 }
    }

    /// A task has stopped; `rseq` is where its area is, if that is known.
    pub(super) fn stopped(&mut self, tid: Tid, rseq: &mut Option<u64>) {
        let Some(home) = &self.home else { return };
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        let Some(cpu) = cpu_of(tid, rseq) else { return };
        self.stops += 1;
        if self.at == Some(cpu) {
            self.elsewhere = 0;
            self.rest = PAUSE;
        } else {
            self.elsewhere += 1;
            if self.elsewhere > 1 && cpu::bind(cpu).is_ok() {
                self.at = Some(cpu);
                self.elsewhere = 0;
                self.moves += 1;
            }
        }
        if self.stops >= WINDOW {
            if self.moves * WORTH > self.stops {
                let _ = cpu::allow(home);
                self.at = None;
                self.rest = REST;
            }
            self.stops = 0;
            self.moves = 0;
        }
    }
}

/// The cpu on which a task has run last, if it says so.
fn cpu_of(tid: Tid, rseq: &mut Option<u64>) -> Option<u32> {
    const CPU_ID: u64 = 4;
    let at = match *rseq {
        Some(at) => at,
        None => {
            let at = ptrace::rseq_area(tid).ok().filter(|at| *at != 0)?;
            *rseq = Some(at);
            at
        }
    };
    memory::read(tid, at + CPU_ID).ok().map(u32::from_ne_bytes)
}
