//! Works off what the model wants done, first come, first served.

use super::cast::{Doing, Sleep};
use super::{Progress, SimWorld};
use crate::answer;
use crate::world::Event;
use pidns_core::{Effect, ExitOutcome, ExitStatus, GroupId, Signal, TaskId};

impl SimWorld {
    /// Goes on until nothing is left to be done.
    pub(super) fn drain(&mut self) {
        while let Some(effect) = self.effects.pop_front() {
            self.handle(effect);
        }
    }

    fn handle(&mut self, effect: Effect<(), ()>) {
        match effect {
            Effect::Kill { task } => {
                self.note_end(task);
                self.wait_once_more(task);
                let outcome =
                    self.set.exit(task, ExitStatus::signaled(Signal::KILL), &mut self.effects);
                self.left(task, outcome);
            }
            Effect::SignalPending { task } => self.signal_pending(task),
            // Where a task stopped itself that is known already; a continuation may have come since.
            Effect::Stop { group, .. } => self.note_change(group),
            Effect::Continue { group } => {
                self.note_change(group);
                self.continued(group);
            }
            Effect::WakeWaiters { group } => self.wake_waiters(group),
            Effect::VforkDone { child } => self.vfork_done(child),
            Effect::ExecReady { task } => self.exec_ready(task),
            Effect::ZapReady { task } => {
                self.note_end(task);
                let outcome = self.set.exit_resume(task, &mut self.effects);
                self.left(task, outcome);
            }
            Effect::Panic { status } => {
                self.broken = Some(format!("panic of the root namespace: {status:?}"))
            }
            Effect::Pidfd { pid, event } => self.note_pidfd(pid, event),
            _ => {}
        }
    }

    /// A task that is killed in a wait looks at its children once more before it notices, and may reap one.
    fn wait_once_more(&mut self, task: TaskId) {
        let Some(slot) = self.cast.slot(task).filter(|slot| !self.is_stopped(*slot)) else {
            return;
        };
        if let Doing::Asleep(Sleep::Wait { target, options, by_id }) = self.cast.actor(slot).doing {
            let _ = self.wait(slot, target, options, by_id);
        }
    }

    /// A task called exit, or was called for in its zap.
    pub(super) fn left(&mut self, task: TaskId, outcome: Result<ExitOutcome, pidns_core::Errno>) {
        let Some(slot) = self.cast.slot(task) else {
            return;
        };
        match outcome {
            Ok(ExitOutcome::AwaitZap) => self.close_files(slot, Doing::Zapping),
            Ok(ExitOutcome::Zombie | ExitOutcome::Reaped) => {
                self.close_files(slot, Doing::Gone);
                self.events.push(Event::Gone { slot });
            }
            Ok(ExitOutcome::Panicked) | Err(_) => {}
        }
    }

    fn signal_pending(&mut self, task: TaskId) {
        let Some(slot) = self.cast.slot(task) else {
            return self.deliver(task);
        };
        match self.cast.actor(slot).doing.clone() {
            Doing::Gone | Doing::Zapping => {}
            // Only a fatal signal ends the sleep of vfork and exec, and that comes as a kill.
            Doing::Asleep(Sleep::Vfork { .. }) => self.note_signal_in_vfork(),
            Doing::Asleep(Sleep::Exec) => {}
            Doing::Asleep(Sleep::Signal(set)) => {
                // What is waited for is taken rather than delivered; anything else disturbs the sleep.
                if !self.take_awaited(slot, set) {
                    self.deliver(task);
                    self.disturb(slot);
                }
            }
            Doing::Asleep(Sleep::Wait { .. }) => {
                // Something to report comes before the signal that told of it.
                self.retry(slot);
                self.deliver(task);
            }
            Doing::Idle | Doing::Told(_) | Doing::Returning(_) => self.deliver(task),
        }
    }

    /// A wait for signals ends once its sleep was disturbed, even if nothing came of the signal.
    fn disturb(&mut self, slot: usize) {
        if !self.is_stopped(slot)
            && matches!(self.cast.actor(slot).doing, Doing::Asleep(Sleep::Signal(_)))
        {
            self.finish(slot, answer::error(EINTR));
        }
    }

    pub(super) fn is_stopped(&self, slot: usize) -> bool {
        self.cast.stopped.contains(&self.cast.actor(slot).group)
    }

    fn continued(&mut self, group: GroupId) {
        self.cast.stopped.remove(&group);
        for slot in self.cast.of_group(group) {
            let task = self.task(slot);
            self.signal_pending(task);
            match self.cast.actor(slot).doing.clone() {
                Doing::Told(request) => {
                    self.cast.actor_mut(slot).doing = Doing::Idle;
                    self.start(slot, &request);
                }
                Doing::Returning(_) => self.arrive(slot),
                Doing::Asleep(Sleep::Signal(_)) => self.disturb(slot),
                Doing::Asleep(_) => self.retry(slot),
                _ => {}
            }
        }
    }

    fn wake_waiters(&mut self, group: GroupId) {
        for slot in self.cast.of_group(group) {
            self.retry(slot);
        }
    }

    /// Looks again whether the call in which an actor sleeps can end.
    fn retry(&mut self, slot: usize) {
        if self.is_stopped(slot) {
            return;
        }
        let Doing::Asleep(Sleep::Wait { target, options, by_id }) = self.cast.actor(slot).doing
        else {
            return;
        };
        if let Progress::Done(text) = self.wait(slot, target, options, by_id) {
            self.finish(slot, text);
        }
    }

    fn vfork_done(&mut self, child: TaskId) {
        let Some(slot) = self.cast.vfork_parent(child) else {
            return;
        };
        if let Doing::Asleep(Sleep::Vfork { number, .. }) = self.cast.actor(slot).doing {
            let task = self.task(slot);
            self.note_vfork_done(task);
            // Signals were kept from it while it slept.
            self.cast.actor_mut(slot).doing = Doing::Returning(number.to_string());
            self.deliver(task);
            self.arrive(slot);
        }
    }
}

const EINTR: i32 = 4;
