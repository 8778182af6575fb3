//! Who is who: the actors of the script, their tasks, and what user space keeps for them.

use super::files::Files;
use crate::script::call::Request;
use pidns_core::{GroupId, SigSet, TaskId, WaitOptions, WaitTarget};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// One actor.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) task: TaskId,
    pub(super) group: GroupId,
    pub(super) doing: Doing,
    pub(super) files: Rc<RefCell<Files>>,
    pub(super) memory: Rc<RefCell<Memory>>,
    pub(super) handlers: Rc<RefCell<Handlers>>,
    /// The signals that it blocks.
    pub(super) mask: SigSet,
    pub(super) child_tid: i32,
}

impl Actor {
    /// The actor that is there at the beginning.
    pub(super) fn first(task: TaskId, group: GroupId) -> Self {
        Self {
            task,
            group,
            doing: Doing::Idle,
            files: Rc::default(),
            memory: Rc::default(),
            handlers: Rc::default(),
            mask: SigSet::EMPTY,
            child_tid: 0,
        }
    }
}

/// What it does.
#[derive(Clone, Debug)]
pub(super) enum Doing {
    /// It waits to be told.
    Idle,
    /// It was told while it was stopped.
    Told(Request),
    /// It sleeps in a call.
    Asleep(Sleep),
    /// It is on the way back from a call, with this result.
    Returning(String),
    /// It is an init that waits for the end of its namespace.
    Zapping,
    /// It is dead.
    Gone,
}

/// In which call.
#[derive(Clone, Debug)]
pub(super) enum Sleep {
    /// wait4 or waitid.
    Wait { target: WaitTarget, options: WaitOptions, by_id: bool },
    /// sigwaitinfo, with the set it waits for.
    Signal(u64),
    /// vfork, until this child lets go of the memory; with the number to return.
    Vfork { child: TaskId, number: i32 },
    /// execve, until the other threads are gone.
    Exec,
}

/// What the threads of a process share, and a child of vfork with its parent.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// What handlers wrote down.
    pub(super) caught: Vec<String>,
}

/// Which signals interrupt a call rather than restart it, and whether their handlers can be interrupted by themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct Handlers {
    pub(super) flags: BTreeMap<i32, u32>,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Cast {
    actors: Vec<Option<Actor>>,
    by_task: BTreeMap<TaskId, usize>,
    pub(super) stopped: BTreeSet<GroupId>,
}

impl Cast {
    /// Brings an actor on in a slot.
    pub(super) fn enter(&mut self, slot: usize, actor: Actor) {
        if self.actors.len() <= slot {
            self.actors.resize_with(slot + 1, || None);
        }
        self.by_task.insert(actor.task, slot);
        self.actors[slot] = Some(actor);
    }

    pub(super) fn actor(&self, slot: usize) -> &Actor {
        self.actors[slot].as_ref().expect("the player asks only actors that were born")
    }

    pub(super) fn actor_mut(&mut self, slot: usize) -> &mut Actor {
        self.actors[slot].as_mut().expect("the player asks only actors that were born")
    }

    /// Returns the slot of the actor that a task plays.
    pub(super) fn slot(&self, task: TaskId) -> Option<usize> {
        self.by_task.get(&task).copied()
    }

    /// Returns the slots of the actors of a process that are alive.
    pub(super) fn of_group(&self, group: GroupId) -> Vec<usize> {
        let alive = |actor: &Actor| actor.group == group && !matches!(actor.doing, Doing::Gone);
        let slots = self.actors.iter().enumerate();
        slots.filter(|(_, actor)| actor.as_ref().is_some_and(alive)).map(|(slot, _)| slot).collect()
    }

    /// Returns the slot of the actor that sleeps in vfork until `child` is done.
    pub(super) fn vfork_parent(&self, child: TaskId) -> Option<usize> {
        self.actors.iter().position(|actor| {
            let doing = actor.as_ref().map(|actor| &actor.doing);
            matches!(doing, Some(Doing::Asleep(Sleep::Vfork { child: waited, .. })) if *waited == child)
        })
    }
}
