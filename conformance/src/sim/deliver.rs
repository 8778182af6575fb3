//! User space's part of signals: handlers run one on top of another, and calls are interrupted by them.

use super::SimWorld;
use super::cast::{Doing, Handlers, Sleep};
use crate::answer;
use crate::world::Event;
use std::mem::replace;

use pidns_core::{Effect, NextSignal, SigInfo, SigSet, TaskId};

const SA_RESTART: u32 = 0x1000_0000;
const SA_NODEFER: u32 = 0x4000_0000;

/// A handler that has been entered and has not run yet.
struct Frame {
    info: SigInfo,
    /// The mask to restore.
    mask: SigSet,
}

impl SimWorld {
    /// Lets a task that is about to run user code take its signals.
    pub(super) fn deliver(&mut self, task: TaskId) {
        let mut frames: Vec<Frame> = Vec::new();
        let mut ran = Vec::new();
        loop {
            match self.set.next_signal(task, &mut self.effects) {
                Ok(NextSignal::Handler(info)) => frames.push(self.enter_handler(task, info)),
                Ok(NextSignal::Die { status, .. }) => {
                    self.note_end(task);
                    if let Ok(group) = self.set.group(task) {
                        self.note_end_by_other(task, group);
                    }
                    let outcome = self.set.exit_group(task, status, &mut self.effects);
                    self.left(task, outcome);
                    return;
                }
                Ok(NextSignal::Stopped(_)) => self.note_stop(task),
                Ok(NextSignal::None | NextSignal::Tracer(_)) | Err(_) => match frames.pop() {
                    None => break,
                    Some(frame) => {
                        self.run_handler(task, &frame);
                        ran.push(frame.info.signal.raw());
                    }
                },
            }
        }
        self.interrupt(task, &ran);
    }

    /// The process is stopped from here on, before the effect that says so has its turn.
    fn note_stop(&mut self, task: TaskId) {
        if let Ok(group) = self.set.group(task) {
            self.cast.stopped.insert(group);
            self.note_end_by_other(task, group);
        }
    }

    /// The frame of a handler is set up: its own signal is blocked while it runs, unless it said otherwise.
    fn enter_handler(&mut self, task: TaskId, info: SigInfo) -> Frame {
        let mask = self.cast.slot(task).map_or(SigSet::EMPTY, |slot| self.cast.actor(slot).mask);
        let flags = self.handler_flags(task, info.signal.raw());
        if flags & SA_NODEFER == 0 {
            self.set_task_mask(task, mask.with(info.signal));
        }
        Frame { info, mask }
    }

    /// The handler writes down what it was told, and returns.
    fn run_handler(&mut self, task: TaskId, frame: &Frame) {
        let info = frame.info;
        if let Some(slot) = self.cast.slot(task) {
            let line = answer::caught(info.signal.raw(), info.code.0, info.pid);
            self.cast.actor(slot).memory.borrow_mut().caught.push(line);
        }
        self.set_task_mask(task, frame.mask);
    }

    fn set_task_mask(&mut self, task: TaskId, mask: SigSet) {
        if let Some(slot) = self.cast.slot(task) {
            // Fails only for a task that is gone, which has no use for a mask.
            let _ = self.set_mask(slot, mask);
        }
    }

    fn handler_flags(&self, task: TaskId, signal: i32) -> u32 {
        let slot = self.cast.slot(task);
        let flags = |handlers: &Handlers| handlers.flags.get(&signal).copied().unwrap_or(0);
        slot.map_or(0, |slot| flags(&self.cast.actor(slot).handlers.borrow()))
    }

    /// A call in which the task slept ends with EINTR if a handler ran that does not restart it. A wait for signals ends
    /// even without a handler, once its sleep was disturbed.
    fn interrupt(&mut self, task: TaskId, ran: &[i32]) {
        let Some(slot) = self.cast.slot(task) else {
            return;
        };
        let restarts = ran.iter().all(|signal| self.handler_flags(task, *signal) & SA_RESTART != 0);
        let interrupted = match self.cast.actor(slot).doing {
            Doing::Asleep(Sleep::Wait { .. }) => !ran.is_empty() && !restarts,
            Doing::Asleep(Sleep::Signal(_)) => !ran.is_empty(),
            _ => false,
        };
        if interrupted {
            self.finish(slot, answer::error(EINTR));
        }
    }

    /// A call has a result. On the way back to the program the actor takes its signals, which may end or stop it.
    pub(super) fn finish(&mut self, slot: usize, text: String) {
        let before = replace(&mut self.cast.actor_mut(slot).doing, Doing::Returning(text));
        let task = self.task(slot);
        if matches!(before, Doing::Asleep(Sleep::Signal(_))) {
            // Who has been killed in its sleep waits for nothing.
            let _ = self.set.set_awaited(task, SigSet::EMPTY);
        }
        if self.is_called_for(task) {
            self.deliver(task);
        }
        self.arrive(slot);
    }

    /// Says whether the task itself was told to look at its signals. A signal for the process is taken by the thread that was
    /// told, even if another one comes by first.
    fn is_called_for(&self, task: TaskId) -> bool {
        let tells = |effect: &Effect| match effect {
            Effect::Kill { task: told } | Effect::SignalPending { task: told } => *told == task,
            _ => false,
        };
        self.effects.iter().any(tells)
    }

    /// An actor that is not stopped arrives back in its program.
    pub(super) fn arrive(&mut self, slot: usize) {
        if self.is_stopped(slot) {
            return;
        }
        if let Doing::Returning(text) = self.cast.actor(slot).doing.clone() {
            self.cast.actor_mut(slot).doing = Doing::Idle;
            self.events.push(Event::Done { slot, text });
        }
    }
}

const EINTR: i32 = 4;
