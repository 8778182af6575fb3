//! zap: when the last thread of a namespace's init exits, everything in the namespace dies and is reaped first.
//!
//! A state, not a loop: each step is named, visible as [`Effect::Zap`], and left only when its condition holds.
//! In between init sleeps ([`ExitOutcome::AwaitZap`]) and is called for by [`Effect::ZapReady`].
//!
//! | step | what happens | the 2007 patch |
//! |---|---|---|
//! | `Seal` | no number is allocated any more: fork is ENOMEM | nothing: relied on the task list lock |
//! | `IgnoreChildren` | init's SIGCHLD is ignored, so that most children reap themselves | nothing |
//! | `KillMembers` | one forced SIGKILL to each number from 2 up, descendants included | the same walk, number by number |
//! | `ReapOwn` | wait for any child until there is none | the same: wait4 until ECHILD |
//! | `AwaitCount` | sleep until only init's own pid objects are counted | no need: nobody could be injected |
//! | `Release` | init goes on with its exit and becomes a zombie | the child reaper pointer is cleared |
//!
//! The root namespace's init never gets here: its death is [`Effect::Panic`], in `exit.rs`. // ZAP-41

use crate::bug::Bug;
use crate::effect::Effect;
use crate::exit::ExitOutcome;
use crate::id::{Index, NsIx, Pid, PidIx, TaskIx};
use crate::ns::Life;
use crate::send::{Scope, Source};
use crate::set::{Sink, TaskSet};
use crate::signal::{ExitStatus, SigInfo, Signal};
use crate::task::{TaskFlags, TaskState};

/// A step of the destruction of a namespace, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ZapStep {
    /// The map of numbers is closed.
    Seal,
    /// Init's SIGCHLD disposition becomes "ignore".
    IgnoreChildren,
    /// Every other member gets SIGKILL.
    KillMembers,
    /// Init reaps its own children.
    ReapOwn,
    /// Init waits for the pid objects that others have to let go.
    AwaitCount,
    /// Nothing is left; init ends.
    Release,
}

impl<G, T> TaskSet<G, T> {
    /// Begins the destruction of the namespace whose init's last thread is `task` (kernel: `zap_pid_ns_processes`).
    pub(crate) fn zap_begin(&mut self, task: TaskIx, sink: Sink<'_, G, T>) -> ExitOutcome {
        let ns = self.active_ns(task);
        self.zap_enter(ns, ZapStep::Seal, sink);
        self.zap_enter(ns, ZapStep::IgnoreChildren, sink);
        let init = self.group_of(task);
        self.ignore_children(init);
        self.zap_enter(ns, ZapStep::KillMembers, sink);
        self.kill_members(ns, sink);
        self.zap_enter(ns, ZapStep::ReapOwn, sink);
        self.zap_run(task, sink)
    }

    /// Goes through the steps that wait, as far as their conditions hold.
    pub(crate) fn zap_run(&mut self, task: TaskIx, sink: Sink<'_, G, T>) -> ExitOutcome {
        let ns = self.active_ns(task);
        if self.spaces[ns].life == Life::Zapping(ZapStep::ReapOwn) {
            self.reap_own(task, sink);
            if self.tasks[task].children.is_some() {
                return ExitOutcome::AwaitZap; // ZAP-04 ZAP-18
            }
            self.zap_enter(ns, ZapStep::AwaitCount, sink);
        }
        if !self.only_init_is_counted(ns, task) {
            return ExitOutcome::AwaitZap; // ZAP-05
        }
        self.zap_release(ns, task, sink)
    }

    fn zap_enter(&mut self, ns: NsIx, step: ZapStep, sink: Sink<'_, G, T>) {
        self.spaces[ns].life = Life::Zapping(step);
        sink.emit(Effect::Zap { ns: self.ns_id(ns), step });
    }

    /// One kernel-made, forced SIGKILL for each task, in number order, so that nested inits die too. // ZAP-02 ZAP-09
    fn kill_members(&mut self, ns: NsIx, sink: Sink<'_, G, T>) {
        let mut from = Pid::INIT.number() + 1;
        while let Some(run) = self.spaces[ns].map.next_run(&self.maps, from) {
            run.iter().for_each(|(_, slot)| self.kill_member(ns, PidIx::from_slot(slot), sink));
            from = run.end();
        }
    }

    fn kill_member(&mut self, ns: NsIx, pid: PidIx, sink: Sink<'_, G, T>) {
        let Some(task) = self.pids[pid].task else {
            return;
        };
        if self.tasks[task].flags.contains(TaskFlags::KILLED) {
            return;
        }
        if self.has_bug(Bug::ZapSparesNestedInits) && self.is_other_init(ns, task) {
            return;
        }
        self.send_or_lose(
            task,
            Scope::Process,
            SigInfo::kernel(Signal::KILL),
            Source::Kernel,
            sink,
        );
    }

    fn is_other_init(&self, ns: NsIx, task: TaskIx) -> bool {
        let own = self.active_ns(task);
        own != ns && self.group_nr(self.group_of(task), own) == Some(Pid::INIT)
    }

    /// Collects init's own zombies without a word. // ZAP-04 ZAP-35
    fn reap_own(&mut self, task: TaskIx, sink: Sink<'_, G, T>) {
        let mut at = self.tasks[task].children;
        while let Some(child) = at {
            if self.tasks[task].counts.ended == 0 {
                return;
            }
            at = self.sibling_after(task, child);
            if self.is_reapable(child) {
                let leader = self.groups[child].leader;
                self.release_task(leader, sink);
            }
        }
    }

    /// Says whether the namespace counts no pid object but init's: its last thread's, and its zombie leader's if
    /// that is another. // ZAP-05
    fn only_init_is_counted(&self, ns: NsIx, task: TaskIx) -> bool {
        let leads = self.groups[self.group_of(task)].leader == task;
        let own = if leads { 1 } else { 2 };
        self.spaces[ns].allocated == own || self.has_bug(Bug::ZapForgetsTheCount)
    }

    fn zap_release(&mut self, ns: NsIx, task: TaskIx, sink: Sink<'_, G, T>) -> ExitOutcome {
        self.zap_enter(ns, ZapStep::Release, sink);
        if let Some(signal) = self.spaces[ns].reboot {
            let group = self.group_of(task);
            self.groups[group].status = ExitStatus::signaled(signal); // RBT-01
        }
        self.spaces[ns].life = Life::Dead;
        self.exit_notify(task, sink)
    }

    /// A child of `parent` went or ended: an init in its reaping step has to look.
    pub(crate) fn zap_check_children(&mut self, parent: TaskIx, sink: Sink<'_, G, T>) {
        let entry = &self.tasks[parent];
        if entry.state != TaskState::Exiting || entry.children.is_some() && entry.counts.ended == 0
        {
            return;
        }
        let ns = self.active_ns(parent);
        if self.spaces[ns].life == Life::Zapping(ZapStep::ReapOwn) {
            self.zap_wake(parent, sink);
        }
    }

    /// A pid object went: an init in its last waiting step may be done.
    pub(crate) fn zap_check_count(&mut self, ns: NsIx, sink: Sink<'_, G, T>) {
        if self.spaces[ns].life != Life::Zapping(ZapStep::AwaitCount) {
            return;
        }
        let Some(task) = self.spaces[ns].reaper else {
            return;
        };
        if self.only_init_is_counted(ns, task) {
            self.zap_wake(task, sink);
        }
    }

    fn zap_wake(&mut self, task: TaskIx, sink: Sink<'_, G, T>) {
        let entry = &mut self.tasks[task];
        if entry.state == TaskState::Exiting && !entry.flags.contains(TaskFlags::ZAP_WOKEN) {
            entry.flags |= TaskFlags::ZAP_WOKEN;
            sink.emit(Effect::ZapReady { task: self.task_id(task) });
        }
    }
}
