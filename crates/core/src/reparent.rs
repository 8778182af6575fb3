//! reparent: who adopts the children of an exiting thread.
//!
//! In order: a live thread of the same process, the nearest ancestor marked as subreaper *of the same level*, the
//! child reaper of the namespace in which the dying parent lives. Neighbour: `exit.rs` calls it; `zap.rs` has made sure
//! that an init has no children left by then.

use crate::bug::Bug;
use crate::id::{GroupIx, TaskIx};
use crate::send::{Scope, Source};
use crate::set::{Sink, TaskSet};
use crate::signal::{SigCode, SigInfo, Signal};
use crate::task::GroupFlags;

impl<G, T> TaskSet<G, T> {
    /// Makes sure the namespace has a reaper other than `task`; `false` if `task` is the last thread of its init and
    /// the namespace has to go (kernel: `find_child_reaper`). // REP-12 REP-15
    pub(crate) fn hand_over_reaping(&mut self, task: TaskIx) -> bool {
        let ns = self.active_ns(task);
        if self.spaces[ns].reaper != Some(task) {
            return true;
        }
        if self.has_bug(Bug::ZapWhenTheLeaderExits) {
            return self.groups[self.group_of(task)].leader != task;
        }
        match self.live_thread(self.group_of(task)) {
            Some(heir) => {
                self.spaces[ns].reaper = Some(heir);
                true
            }
            None => false,
        }
    }

    /// Gives the children of an exiting thread to their next parent (kernel: `forget_original_parent`).
    pub(crate) fn reparent_children(&mut self, father: TaskIx, sink: Sink<'_, G, T>) {
        if self.tasks[father].children.is_none() {
            return;
        }
        let Some(reaper) = self.find_new_reaper(father) else {
            return;
        };
        let sibling = self.group_of(reaper) == self.group_of(father);
        while let Some(child) = self.tasks[father].children {
            self.disown(child);
            self.adopt(reaper, child);
            self.fire_death_signals(child, father, sink);
            if !sibling {
                self.settle_orphan(child, father, sink);
            }
        }
    }

    /// Chooses who adopts (kernel: `find_new_reaper`). // REP-01
    fn find_new_reaper(&self, father: TaskIx) -> Option<TaskIx> {
        let group = self.group_of(father);
        self.live_thread(group) // REP-09
            .or_else(|| self.find_subreaper(group))
            .or(self.spaces[self.active_ns(father)].reaper) // REP-04 REP-05: the dying parent's namespace
    }

    /// Walks the ancestors as long as they are of the same level. // REP-02 REP-03
    fn find_subreaper(&self, group: GroupIx) -> Option<TaskIx> {
        if self.subreapers == 0 {
            return None;
        }
        let level = |group: GroupIx| self.pids[self.group_pid(group)].level;
        let parent = |&group: &GroupIx| self.groups[group].parent.map(|task| self.group_of(task));
        core::iter::successors(parent(&group), parent)
            .take_while(|&ancestor| {
                level(ancestor) == level(group) && !self.is_global_init(ancestor)
            })
            .filter(|&ancestor| self.groups[ancestor].has(GroupFlags::SUBREAPER))
            .find_map(|ancestor| self.live_thread(ancestor)) // REP-07
    }

    /// Sends the signals that `child`'s threads asked for on their parent's death. // REP-09 SIG-14 SIG-28
    fn fire_death_signals(&mut self, child: GroupIx, father: TaskIx, sink: Sink<'_, G, T>) {
        let mut at = self.groups[child].threads;
        while let Some(thread) = at {
            if let Some(signal) = self.tasks[thread].death_signal {
                let info = self.user_info(father, signal, SigCode::USER, self.active_ns(thread));
                self.send_or_lose(thread, Scope::Process, info, Source::Task(father), sink);
            }
            at = self.thread_after(child, thread);
        }
    }

    /// What a process meets that got a new parent in another process (kernel: `reparent_leader`). // REP-08
    fn settle_orphan(&mut self, child: GroupIx, father: TaskIx, sink: Sink<'_, G, T>) {
        self.set_exit_signal(child, Some(Signal::CHLD));
        let untraced = self.tasks[self.groups[child].leader].trace.is_none();
        let unwanted = untraced && self.has_ended(child) && self.notify_end(child, sink);
        self.check_orphaned_by_reparent(child, father, sink);
        if unwanted {
            let leader = self.groups[child].leader;
            self.release_task(leader, sink);
        }
    }

    /// A `SI_USER`-like record that names the process of `sender` as seen from `viewer`.
    fn user_info(
        &self,
        sender: TaskIx,
        signal: Signal,
        code: SigCode,
        viewer: crate::id::NsIx,
    ) -> SigInfo {
        let pid = crate::id::Pid::raw_or_zero(self.group_nr(self.group_of(sender), viewer));
        SigInfo { signal, code, pid, uid: 0, value: 0 }
    }
}
