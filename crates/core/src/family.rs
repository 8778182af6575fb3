//! Who belongs to whom: threads to their group, child processes to the thread that forked them.
//!
//! The one place that keeps [`ChildCounts`](crate::task::ChildCounts) true, so that a wait with nothing to report
//! looks at no child. Neighbours: `clone.rs` and `reparent.rs` link, `exit.rs` unlinks, `wait.rs` reads.

use crate::id::{GroupIx, TaskIx};
use crate::ring;
use crate::set::TaskSet;
use crate::signal::Signal;
use crate::task::{GroupFlags, Siblings, TaskState, Threads};

impl<G, T> TaskSet<G, T> {
    /// Visits the threads of a group that were not released.
    pub(crate) fn threads(&self, group: GroupIx) -> impl Iterator<Item = TaskIx> {
        ring::iter::<_, _, Threads>(&self.tasks, self.groups[group].threads)
    }

    /// Returns the thread after `thread` in its group.
    pub(crate) fn thread_after(&self, group: GroupIx, thread: TaskIx) -> Option<TaskIx> {
        ring::after::<_, _, Threads>(&self.tasks, self.groups[group].threads, thread)
    }

    /// Returns the thread after `thread` in its group, the first after the last.
    pub(crate) fn thread_round(&self, thread: TaskIx) -> TaskIx {
        let group = self.group_of(thread);
        self.thread_after(group, thread).or(self.groups[group].threads).unwrap_or(thread)
    }

    /// Adds a live thread to a group.
    pub(crate) fn attach_thread(&mut self, group: GroupIx, task: TaskIx) {
        let entry = &mut self.groups[group];
        ring::push_back::<_, _, Threads>(&mut self.tasks, &mut entry.threads, task);
        entry.live += 1;
        entry.count += 1;
    }

    /// Takes a released thread out of its group.
    pub(crate) fn detach_thread(&mut self, group: GroupIx, task: TaskIx) {
        let entry = &mut self.groups[group];
        ring::remove::<_, _, Threads>(&mut self.tasks, &mut entry.threads, task);
        entry.count -= 1;
    }

    /// Visits the child processes of a thread, oldest first, adopted ones last.
    pub(crate) fn children(&self, task: TaskIx) -> impl Iterator<Item = GroupIx> {
        ring::iter::<_, _, Siblings>(&self.groups, self.tasks[task].children)
    }

    /// Returns the child after `child` in the list of `parent`.
    pub(crate) fn sibling_after(&self, parent: TaskIx, child: GroupIx) -> Option<GroupIx> {
        ring::after::<_, _, Siblings>(&self.groups, self.tasks[parent].children, child)
    }

    /// Makes `child`, which has no parent, the youngest child of `parent`.
    pub(crate) fn adopt(&mut self, parent: TaskIx, child: GroupIx) {
        ring::push_back::<_, _, Siblings>(
            &mut self.groups,
            &mut self.tasks[parent].children,
            child,
        );
        self.groups[child].parent = Some(parent);
        self.count_kind(child, parent);
        self.recount(child);
    }

    /// Takes `child` away from its parent.
    pub(crate) fn disown(&mut self, child: GroupIx) {
        let Some(parent) = self.groups[child].parent.take() else {
            return;
        };
        ring::remove::<_, _, Siblings>(&mut self.groups, &mut self.tasks[parent].children, child);
        self.uncount_kind(child, parent);
        let entry = &mut self.groups[child];
        let counts = &mut self.tasks[parent].counts;
        counts.ended -= u32::from(entry.has(GroupFlags::COUNTED_ENDED));
        counts.changed -= u32::from(entry.has(GroupFlags::COUNTED_CHANGED));
        entry.flags -= GroupFlags::COUNTED_ENDED | GroupFlags::COUNTED_CHANGED;
    }

    /// Changes the exit signal of a process.
    pub(crate) fn set_exit_signal(&mut self, group: GroupIx, signal: Option<Signal>) {
        match self.groups[group].parent {
            Some(parent) => {
                self.uncount_kind(group, parent);
                self.groups[group].exit_signal = signal;
                self.count_kind(group, parent);
            }
            None => self.groups[group].exit_signal = signal,
        }
    }

    fn count_kind(&mut self, child: GroupIx, parent: TaskIx) {
        let plain = !self.groups[child].is_clone_child();
        self.groups[child].flags.set(GroupFlags::COUNTED_PLAIN, plain);
        let counts = &mut self.tasks[parent].counts;
        *if plain { &mut counts.plain } else { &mut counts.clone } += 1;
    }

    fn uncount_kind(&mut self, child: GroupIx, parent: TaskIx) {
        let plain = self.groups[child].has(GroupFlags::COUNTED_PLAIN);
        let counts = &mut self.tasks[parent].counts;
        *if plain { &mut counts.plain } else { &mut counts.clone } -= 1;
    }

    /// Brings the parent's counts in line with what `child` has to report now.
    pub(crate) fn recount(&mut self, child: GroupIx) {
        let ended = self.is_reapable(child);
        let entry = &mut self.groups[child];
        let changed = entry.flags.intersects(GroupFlags::STOP_REPORT | GroupFlags::CONT_REPORT);
        let Some(parent) = entry.parent else { return };
        let counts = &mut self.tasks[parent].counts;
        if ended != entry.has(GroupFlags::COUNTED_ENDED) {
            entry.flags.toggle(GroupFlags::COUNTED_ENDED);
            counts.ended = if ended { counts.ended + 1 } else { counts.ended - 1 };
        }
        if changed != entry.has(GroupFlags::COUNTED_CHANGED) {
            entry.flags.toggle(GroupFlags::COUNTED_CHANGED);
            counts.changed = if changed { counts.changed + 1 } else { counts.changed - 1 };
        }
    }

    /// Says whether the process has ended as a whole: its leader is a zombie and no other thread is left
    /// (kernel: not `delay_group_leader`). // WAI-09
    pub(crate) fn has_ended(&self, group: GroupIx) -> bool {
        let entry = &self.groups[group];
        entry.count == 1 && self.tasks[entry.leader].state == TaskState::Zombie
    }

    /// Says whether the natural parent may reap it: it has ended, and no outsider traces it. // ZAP-18 ZAP-36
    pub(crate) fn is_reapable(&self, group: GroupIx) -> bool {
        self.has_ended(group) && !self.is_traced_by_other(group)
    }
}
