//! The tracer and a tracee that stops often share a cpu.
//!
//! A stop is two switches between tracee and tracer. On one cpu these are plain context switches; between two, each is a
//! wake-up by interrupt of a cpu that perhaps sleeps, which costs several times as much. The scheduler knows nothing of
//! that: it moves whoever wakes up to an idle cpu. So the tracer binds itself to the cpu that it is on, and with it one
//! tracee, the *fellow*: one that has just stopped several times in a row. All others are the scheduler's, so that what runs
//! in parallel still does. A fellow that stops no more, or waits for others, is let go of for the next.
//!
//! A fellow is not to know, nor are its children to inherit it: it is let go of before it makes a task, and before
//! anybody asks for an affinity.

use pidns_sys::cpu::{self, Set};
use pidns_sys::ptrace::Tid;

/// Where the tracer runs, and with whom.
pub(super) struct Affinity {
    /// Where the tracer may run; `None` where there is no choice.
    home: Option<Set>,
    /// The cpu that it has bound itself to.
    at: Option<usize>,
    /// Who shares that, and where it may run otherwise.
    fellow: Option<(Tid, Set)>,
    /// Stops of others since the fellow's last.
    absent: u32,
    last: Option<Tid>,
    /// Stops of `last` in a row.
    streak: u32,
    /// Stops and changes of the fellow in this window.
    stops: u32,
    changes: u32,
    /// Stops to go before the next look.
    rest: u32,
}

/// Stops in a row that make a fellow.
const OFTEN: u32 = 16;
/// Stops of others after which a fellow is gone.
const GONE: u32 = 32;
/// Stops that are looked at together.
const WINDOW: u32 = 256;
/// Stops that a change of the fellow has to pay for.
const WORTH: u32 = 6;
/// Stops without a look, where changes do not pay.
const REST: u32 = 512;

impl Affinity {
    pub(super) fn new() -> Self {
        let home = cpu::allowed(None).ok().filter(|set| set.count() > 1);
        Self {
            home,
            at: None,
            fellow: None,
            absent: 0,
            last: None,
            streak: 0,
            stops: 0,
            changes: 0,
            rest: 0,
        }
    }

    /// Who shares the tracer's cpu.
    pub(super) fn fellow(&self) -> Option<Tid> {
        self.fellow.as_ref().map(|(tid, _)| *tid)
    }

    /// A task has stopped. `waits` says that the fellow waits for others.
    pub(super) fn stopped(&mut self, tid: Tid, waits: bool) {
        if self.home.is_none() {
            return;
        }
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        self.streak = if self.last == Some(tid) { self.streak + 1 } else { 1 };
        self.last = Some(tid);
        let fellow = self.fellow();
        self.absent = if fellow == Some(tid) { 0 } else { self.absent + 1 };
        if fellow != Some(tid)
            && self.streak >= OFTEN
            && (fellow.is_none() || waits || self.absent >= GONE)
        {
            self.join(tid);
        }
        self.stops += 1;
        if self.stops >= WINDOW {
            if self.changes * WORTH > self.stops {
                self.part();
            }
            self.stops = 0;
            self.changes = 0;
        }
    }

    /// Lets the fellow run where it may.
    pub(super) fn release(&mut self) {
        if let Some((tid, set)) = self.fellow.take() {
            // It may have ended.
            let _ = cpu::allow(Some(tid), &set);
        }
    }

    /// Makes `tid`, which is stopped, the fellow.
    fn join(&mut self, tid: Tid) {
        self.release();
        self.changes += 1;
        let Some(at) = self.at.or_else(bind_to_current) else { return };
        self.at = Some(at);
        let (Ok(before), Some(here)) = (cpu::allowed(Some(tid)), Set::one(at)) else { return };
        if before.has(at) && cpu::allow(Some(tid), &here).is_ok() {
            self.fellow = Some((tid, before));
            self.absent = 0;
        }
    }

    /// Leaves it to the scheduler for a while.
    fn part(&mut self) {
        self.release();
        if let Some(home) = &self.home {
            let _ = cpu::allow(None, home);
        }
        self.at = None;
        self.rest = REST;
    }
}

/// Binds the calling thread to the cpu that it is on.
fn bind_to_current() -> Option<usize> {
    let at = cpu::current();
    cpu::allow(None, &Set::one(at)?).ok()?;
    Some(at)
}
