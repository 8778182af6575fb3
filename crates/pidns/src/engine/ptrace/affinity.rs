//! The tracer and the tracees that it talks to share a cpu.
//!
//! A stop is two switches between tracee and tracer. On one cpu these are plain context switches; between two, each is a
//! wake-up by interrupt of a cpu that perhaps sleeps, which costs several times as much. The scheduler knows nothing of
//! that: it moves whoever wakes up to an idle cpu. So the tracer binds itself to the cpu that it is on, and with it tasks
//! that stop:
//!
//! * While all others wait for it, the task that runs is bound, and whom it makes: a shell and its commands take turns, and
//!   another cpu would not help them.
//! * Where several run, one that has just stopped many times in a row may be: the *fellow*. All others are the scheduler's,
//!   so that what runs in parallel still does. A fellow that stops no more, or waits for others, is let go of for the next.
//!
//! Before the tracer sleeps, it lets go of the former, but for those who wait: they may be at work for long. When several have
//! run for a while, it lets go of them and of itself.
//!
//! Guests are not to know: all are let go of before anybody asks for an affinity.

use std::time::{Duration, Instant};

use pidns_sys::cpu::{self, Set};
use pidns_sys::ptrace::Tid;

/// Where the tracer runs, and with whom.
pub(super) struct Affinity {
    /// Where the tracer may run; `None` where there is no choice.
    home: Option<Set>,
    /// The cpu that it has bound itself to, and when.
    at: Option<(usize, Instant)>,
    /// Who shares that, and where they may run otherwise.
    bound: Vec<(Tid, Set)>,
    /// Stops since one task ran alone; `None` where those who are bound are not so for that.
    crowded: Option<u32>,
    fellows: Fellows,
}

/// Which stops make a fellow.
#[derive(Default)]
struct Fellows {
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

/// Several may run for so many stops before they are let go of: who makes a process mostly waits for it soon.
const CROWDED: u32 = 8;
/// After this time the tracer lets the scheduler place it anew.
const LONG: Duration = Duration::from_millis(50);

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
        Self { home, at: None, bound: Vec::new(), crowded: None, fellows: Fellows::default() }
    }

    /// A task has stopped, and nobody else runs.
    pub(super) fn stopped_alone(&mut self, tid: Tid) {
        if self.home.is_some() {
            self.crowded = Some(0);
            self.bind(tid);
        }
    }

    /// A task has stopped, and others run. `calls` says that it stopped for a system call; `waits`, of a task, that it waits
    /// for others, or is gone.
    pub(super) fn stopped(&mut self, tid: Tid, calls: bool, waits: impl Fn(Tid) -> bool) {
        if self.home.is_none() {
            return;
        }
        if let Some(stops) = &mut self.crowded {
            *stops += 1;
            if *stops < CROWDED {
                return;
            }
            // The tracer too: where it is woken is the scheduler's matter again.
            self.part();
        }
        if !calls {
            return;
        }
        let fellow = self.bound.first().map(|(tid, _)| *tid);
        let is_free = fellow.is_none_or(waits);
        if self.fellows.choose(tid, fellow, is_free) {
            self.release();
            self.bind(tid);
        }
        if self.fellows.is_in_vain() {
            self.part();
        }
    }

    /// A task is about to make another, which then is to be [bound](Self::inherit) if this returns something.
    pub(super) fn heritage(&mut self, maker: Tid) -> Option<Set> {
        let set = self.set_of(maker);
        if set.is_some() && self.crowded.is_none() {
            // There is one fellow.
            self.release();
            return None;
        }
        set
    }

    /// A task has been made, on our cpu if its maker was bound to that, and has this heritage.
    pub(super) fn inherit(&mut self, child: Tid, set: Set) {
        self.bound.push((child, set));
        // Its maker may have been let go of meanwhile.
        self.crowded.get_or_insert(CROWDED);
    }

    /// A task has been made, by one that did not stop for it: it may run where its maker might at that time.
    pub(super) fn found(&mut self, child: Tid, maker: Tid) {
        if self.home.is_none() {
            return;
        }
        let bound = self.set_of(maker);
        if self.crowded.is_none()
            && let Some(own) = &bound
        {
            // There is one fellow.
            self.release();
            let _ = cpu::allow(Some(child), own);
            return;
        }
        let own = bound.or_else(|| cpu::allowed(Some(maker)).ok());
        if let (Some(own), Ok(now)) = (own, cpu::allowed(Some(child)))
            && now != own
        {
            self.inherit(child, own);
        }
    }

    /// Where a task that is bound may run otherwise.
    fn set_of(&self, task: Tid) -> Option<Set> {
        self.bound.iter().find(|(tid, _)| *tid == task).map(|(_, set)| set.clone())
    }

    /// A task is gone.
    pub(super) fn forget(&mut self, tid: Tid) {
        self.bound.retain(|(bound, _)| *bound != tid);
    }

    /// A task has another number now.
    pub(super) fn rename(&mut self, former: Tid, tid: Tid) {
        self.forget(tid);
        self.bound.iter_mut().filter(|(bound, _)| *bound == former).for_each(|bound| bound.0 = tid);
    }

    /// Lets all run where they may.
    pub(super) fn release(&mut self) {
        self.release_if(|_| true);
        self.crowded = None;
    }

    /// The tracer is about to sleep. Who waits for others will stop before it runs.
    pub(super) fn rest(&mut self, waits: impl Fn(Tid) -> bool) {
        if self.crowded.is_some() {
            self.release_if(|tid| !waits(tid));
        }
        if self.at.is_some_and(|(_, since)| since.elapsed() > LONG) {
            self.part();
        }
    }

    fn release_if(&mut self, whom: impl Fn(Tid) -> bool) {
        // Who has the number no more has ended, or is about to get another: we shall hear of either.
        self.bound.retain(|(tid, set)| !whom(*tid) || cpu::allow(Some(*tid), set).is_err());
    }

    /// Has `tid`, which is stopped, share our cpu.
    fn bind(&mut self, tid: Tid) {
        if self.bound.iter().any(|(bound, _)| *bound == tid) {
            return;
        }
        let Some(at) = self.at.map(|(at, _)| at).or_else(bind_to_current) else { return };
        self.at.get_or_insert_with(|| (at, Instant::now()));
        let (Ok(before), Some(here)) = (cpu::allowed(Some(tid)), Set::one(at)) else { return };
        if before.has(at) && cpu::allow(Some(tid), &here).is_ok() {
            self.bound.push((tid, before));
        }
    }

    /// Leaves it to the scheduler.
    fn part(&mut self) {
        self.release();
        if let Some(home) = &self.home {
            let _ = cpu::allow(None, home);
        }
        self.at = None;
    }
}

impl Fellows {
    /// Says whether `tid`, which has stopped, is to be the fellow; `is_free` says that there is none, or one that waits.
    fn choose(&mut self, tid: Tid, fellow: Option<Tid>, is_free: bool) -> bool {
        if self.rest > 0 {
            self.rest -= 1;
            return false;
        }
        self.stops += 1;
        self.streak = if self.last == Some(tid) { self.streak + 1 } else { 1 };
        self.last = Some(tid);
        self.absent = if fellow == Some(tid) { 0 } else { self.absent + 1 };
        let chosen =
            fellow != Some(tid) && self.streak >= OFTEN && (is_free || self.absent >= GONE);
        if chosen {
            self.changes += 1;
            self.absent = 0;
        }
        chosen
    }

    /// Says at the end of a window whether the changes in it were not worth it; if so, there are none for a while.
    fn is_in_vain(&mut self) -> bool {
        if self.stops < WINDOW {
            return false;
        }
        let in_vain = self.changes * WORTH > self.stops;
        if in_vain {
            self.rest = REST;
        }
        self.stops = 0;
        self.changes = 0;
        in_vain
    }
}

/// Binds the calling thread to the cpu that it is on.
fn bind_to_current() -> Option<usize> {
    let at = cpu::current();
    cpu::allow(None, &Set::one(at)?).ok()?;
    Some(at)
}
