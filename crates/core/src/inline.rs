//! An embedder without threads: it carries every effect out on the spot.
//!
//! A killed task exits, a signal with a default action acts, an exiting init that may go on goes on. For simulations,
//! examples and tests; a kernel has real tasks that do this when they are next scheduled.

use alloc::vec::Vec;

use crate::deliver::NextSignal;
use crate::effect::{Effect, EffectSink};
use crate::errno::Errno;
use crate::id::TaskId;
use crate::set::TaskSet;
use crate::signal::{ExitStatus, SigInfo, Signal};

/// A sink that keeps all effects in order, and can act on those that a task would.
#[derive(Clone, Debug)]
pub struct Inline<G = (), T = ()> {
    /// Every effect so far, also those acted on.
    pub log: Vec<Effect<G, T>>,
    /// Handlers that ran: in which task, with what information.
    pub handled: Vec<(TaskId, SigInfo)>,
    acted: usize,
}

impl<G, T> Default for Inline<G, T> {
    fn default() -> Self {
        Self { log: Vec::new(), handled: Vec::new(), acted: 0 }
    }
}

impl<G, T> EffectSink<G, T> for Inline<G, T> {
    fn emit(&mut self, effect: Effect<G, T>) {
        self.log.push(effect);
    }
}

/// What a task does because of an effect.
enum Action {
    Exit(TaskId),
    Resume(TaskId),
    Signal(TaskId),
}

impl<G, T> Inline<G, T> {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Acts until no effect is left that asks for it.
    pub fn settle(&mut self, set: &mut TaskSet<G, T>) {
        while let Some(effect) = self.log.get(self.acted) {
            let action = match effect {
                Effect::Kill { task } => Some(Action::Exit(*task)),
                Effect::ZapReady { task } => Some(Action::Resume(*task)),
                Effect::SignalPending { task } => Some(Action::Signal(*task)),
                _ => None,
            };
            self.acted += 1;
            if let Some(action) = action {
                self.act(set, action);
            }
        }
    }

    /// Forgets the log, which must be settled.
    pub fn clear(&mut self) {
        self.log.drain(..self.acted);
        self.acted = 0;
        self.handled.clear();
    }

    /// An effect may have become stale by an earlier one: a task that is gone has nothing to do any more.
    fn act(&mut self, set: &mut TaskSet<G, T>, action: Action) {
        let outcome = match action {
            Action::Exit(task) => {
                set.exit(task, ExitStatus::signaled(Signal::KILL), self).map(drop)
            }
            Action::Resume(task) => set.exit_resume(task, self).map(drop),
            Action::Signal(task) => self.take_signals(set, task),
        };
        debug_assert!(
            matches!(outcome, Ok(()) | Err(Errno::ESRCH)),
            "a task in clone cannot be made to exit inline"
        );
    }

    fn take_signals(&mut self, set: &mut TaskSet<G, T>, task: TaskId) -> Result<(), Errno> {
        loop {
            match set.next_signal(task, self)? {
                NextSignal::Handler(info) => self.handled.push((task, info)),
                NextSignal::Die { status, .. } => {
                    return set.exit_group(task, status, self).map(drop);
                }
                NextSignal::None | NextSignal::Stopped(_) | NextSignal::Tracer(_) => return Ok(()),
            }
        }
    }
}
