//! Where the order in which processes die in one call shows, and a kernel promises none.
//!
//! * Two fathers that die in one call leave their children to the same reaper in the order of their deaths, which decides the
//!   order of its waits.
//! * Two children that die, stop or go on in one call may send one SIGCHLD or two to a parent that handles it, and a parent that waits for any
//!   may hear of either.
//! * A parent in vfork whose child ends may come back before it is killed by what ended the child.
//! * A thread that sends its own process a signal which stops or ends it, and which another thread takes, may come back or not.
//! * A thread that sleeps in vfork with a signal pending is not looked at for the next one, which then goes to another thread, or
//!   is not fatal at once (kernel: `wants_signal`). The model does not go that far.

use super::SimWorld;
use super::cast::{Doing, Sleep};
use pidns_core::{GroupId, TaskId, TaskState};
use std::collections::{BTreeMap, BTreeSet};

/// What happened in one call.
#[derive(Clone, Debug, Default)]
pub(super) struct Chance {
    /// The children that each task had when it ended.
    orphans: Vec<Vec<GroupId>>,
    /// How many children of a process ended.
    ends: BTreeMap<GroupId, u32>,
    /// Processes of which an actor slept in a wait while children ended.
    waited: BTreeSet<GroupId>,
    /// Tasks that came back from vfork.
    woken: BTreeSet<TaskId>,
    /// Something else.
    seen: bool,
}

impl SimWorld {
    /// Says whether what the last call led to may come in another order on a real machine.
    #[must_use]
    pub fn is_left_to_chance(&self) -> bool {
        let lives = |group: &GroupId| self.set.leader(*group).is_ok();
        let leaves_orphans = |children: &&Vec<GroupId>| children.iter().any(lives);
        let fathers = self.chance.orphans.iter().filter(leaves_orphans).count();
        self.chance.seen
            || fathers > 1
            || self.chance.ends.iter().any(|(parent, ends)| *ends > 1 && self.shows_in(*parent))
    }

    /// Says whether a process would notice which of its children ended first.
    fn shows_in(&self, parent: GroupId) -> bool {
        self.chance.waited.contains(&parent) || self.hears_of_children(parent)
    }

    /// Takes note that a task is about to end.
    pub(super) fn note_end(&mut self, task: TaskId) {
        self.chance.seen |= self.is_back_from_vfork(task);
        let children: Vec<GroupId> = self.set.child_groups(task).collect();
        if !children.is_empty() {
            self.chance.orphans.push(children);
        }
        let parent = self.set.parent(task).ok().flatten();
        if let Some(parent) = parent.and_then(|parent| self.set.group(parent).ok()) {
            *self.chance.ends.entry(parent).or_default() += 1;
            if self.is_waited_in(parent) {
                self.chance.waited.insert(parent);
            }
        }
    }

    /// Says whether the task sleeps in vfork, or has just been woken from it, and the child is dead.
    fn is_back_from_vfork(&self, task: TaskId) -> bool {
        let Some(slot) = self.cast.slot(task) else { return false };
        match self.cast.actor(slot).doing {
            Doing::Asleep(Sleep::Vfork { child, .. }) => {
                self.set.state(child) != Ok(TaskState::Live)
            }
            _ => self.chance.woken.contains(&task),
        }
    }

    /// Takes note that a task was woken from vfork.
    pub(super) fn note_vfork_done(&mut self, task: TaskId) {
        self.chance.woken.insert(task);
    }

    /// Takes note that a task has to keep a signal until it is back from vfork.
    pub(super) fn note_signal_in_vfork(&mut self) {
        self.chance.seen = true;
    }

    /// Takes note that a process stops or goes on, of which its parent is told as of an end.
    pub(super) fn note_change(&mut self, group: GroupId) {
        let parent =
            self.set.leader(group).and_then(|leader| self.set.parent(leader)).ok().flatten();
        if let Some(parent) = parent.and_then(|parent| self.set.group(parent).ok()) {
            *self.chance.ends.entry(parent).or_default() += 1;
        }
    }

    /// Takes note that a task stops or ends its process: another thread that made the signal may or may not come back from that call.
    pub(super) fn note_end_by_other(&mut self, task: TaskId, group: GroupId) {
        self.chance.seen |=
            self.cast.actor(self.caller).group == group && self.task(self.caller) != task;
    }

    fn is_waited_in(&self, group: GroupId) -> bool {
        let slots = self.cast.of_group(group);
        slots
            .into_iter()
            .any(|slot| matches!(self.cast.actor(slot).doing, Doing::Asleep(Sleep::Wait { .. })))
    }

    fn hears_of_children(&self, group: GroupId) -> bool {
        const SIGCHLD: i32 = 17;
        self.cast.of_group(group).into_iter().any(|slot| {
            let actor = self.cast.actor(slot);
            let waits = matches!(actor.doing, Doing::Asleep(Sleep::Signal(_)));
            waits || actor.handlers.borrow().flags.contains_key(&SIGCHLD)
        })
    }
}
