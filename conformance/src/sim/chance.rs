//! Where the order in which processes die in one call shows, and a kernel promises none.
//!
//! Two fathers that die in one call leave their children to the same reaper in the order of their deaths, which decides the order of
//! its waits. Two children that die in one call may send one SIGCHLD or two to a parent that
//! handles it, and a parent that waits for any may hear of either.

use super::SimWorld;
use super::cast::{Doing, Sleep};
use pidns_core::{GroupId, TaskId};
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
}

impl SimWorld {
    /// Says whether what the last call led to may come in another order on a real machine.
    #[must_use]
    pub fn is_left_to_chance(&self) -> bool {
        let lives = |group: &GroupId| self.set.leader(*group).is_ok();
        let fathers =
            self.chance.orphans.iter().filter(|children| children.iter().any(lives)).count();
        fathers > 1
            || self
                .chance
                .ends
                .iter()
                .any(|(parent, ends)| *ends > 1 && self.hears_of_children(*parent))
    }

    /// Takes note that a task is about to end.
    pub(super) fn note_end(&mut self, task: TaskId) {
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
