//! Namespaces: a tree up to 32 levels deep, each with its numbers, its child reaper and its life.
//!
//! A namespace object outlives its init: it goes when no pid object, no task's "namespace for children", no child
//! namespace and no handle of the embedder refers to it. Neighbours: `pids.rs` allocates in it, `zap.rs` closes it.

use crate::effect::Effect;
use crate::errno::{Errno, Result};
use crate::id::{NsId, NsIx, TaskId, TaskIx};
use crate::pidmap::{PID_MAX_LIMIT, PidMap};
use crate::privilege::{Authority, Capability, UserNs};
use crate::set::{Quirks, Sink, TaskSet};
use crate::signal::Signal;
use crate::zap::ZapStep;

/// The deepest level; the root namespace is level 0 (kernel: `MAX_PID_NS_LEVEL`). // CRE-17
pub const MAX_LEVEL: u8 = 32;

/// One namespace (kernel: `struct pid_namespace`).
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    pub(crate) parent: Option<NsIx>,
    pub(crate) owner: UserNs,
    pub(crate) map: PidMap,
    pub(crate) pid_max: u32,
    /// Pid objects with a number here, those of descendants included.
    pub(crate) allocated: u32,
    /// What keeps the object: see the module head.
    pub(crate) refs: u32,
    /// A thread of init; stays behind when init is dead, and is then not to be followed.
    pub(crate) reaper: Option<TaskIx>,
    pub(crate) life: Life,
    /// What init's parent is to see instead of its status. // RBT-01
    pub(crate) reboot: Option<Signal>,
    pub(crate) serial: u64,
    pub(crate) level: u8,
}

/// How far a namespace has come; it only goes forward.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Life {
    /// May allocate.
    Open,
    /// Its first fork failed: may not allocate, never had an init. // CRE-24
    Poisoned,
    /// Its init is exiting, at this step.
    Zapping(ZapStep),
    /// Its init is gone.
    Dead,
}

/// What can be told of a namespace's life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NsState {
    /// Made by unshare(2); the next process made in it is its init. // CRE-03
    NotStarted,
    /// Its init lives.
    Alive,
    /// Its init is exiting and destroys it.
    Zapping(ZapStep),
    /// Its init is gone: it can be entered, but nothing can be forked into it. // SET-08
    Dead,
    /// Its first fork failed: as dead. // CRE-24
    Poisoned,
}

impl Namespace {
    pub(crate) fn root(owner: UserNs, pid_max: u32) -> Self {
        Self::new(None, owner, pid_max, 0, 0)
    }

    fn new(parent: Option<NsIx>, owner: UserNs, pid_max: u32, level: u8, serial: u64) -> Self {
        Self {
            parent,
            owner,
            map: PidMap::new(),
            pid_max,
            allocated: 0,
            refs: 1,
            reaper: None,
            life: Life::Open,
            reboot: None,
            serial,
            level,
        }
    }

    /// Says whether pids may be allocated (kernel: `PIDNS_ADDING`).
    pub(crate) fn is_open(&self) -> bool {
        self.life == Life::Open
    }

    /// Closes a namespace that never had an init.
    pub(crate) fn poison(&mut self) {
        debug_assert_eq!(self.life, Life::Open);
        self.life = Life::Poisoned;
    }

    fn state(&self) -> NsState {
        match (self.life, self.reaper) {
            (Life::Open, None) => NsState::NotStarted,
            (Life::Open, Some(_)) => NsState::Alive,
            (Life::Poisoned, _) => NsState::Poisoned,
            (Life::Zapping(step), _) => NsState::Zapping(step),
            (Life::Dead, _) => NsState::Dead,
        }
    }
}

impl<G, T> TaskSet<G, T> {
    /// Moves the caller's future children to a new namespace; the next one is its init (unshare(2) with
    /// `CLONE_NEWPID`). Nothing changes for the caller itself, nor for its other threads. // CRE-03 CRE-13
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve) with `NEWPID`.
    pub fn unshare(
        &mut self,
        caller: TaskId,
        auth: &dyn Authority,
        sink: Sink<'_, G, T>,
    ) -> Result<NsId> {
        let task = self.caller(caller)?;
        let ns = self.create_ns(task, auth)?;
        let id = self.ns_id(ns);
        self.switch_ns_children(task, Some(ns), sink);
        Ok(id)
    }

    /// Moves the caller's future children to `target`, its own namespace or a descendant (setns(2)). A dead one can
    /// be entered. // SET-01 SET-08
    ///
    /// # Errors
    /// `EPERM` without `CAP_SYS_ADMIN` in the owners of both sides // SET-06, `EINVAL` for an ancestor or a
    /// namespace elsewhere, `ESRCH` if `target` does not exist.
    pub fn setns(
        &mut self,
        caller: TaskId,
        target: NsId,
        auth: &dyn Authority,
        sink: Sink<'_, G, T>,
    ) -> Result<()> {
        let task = self.caller(caller)?;
        let target = self.ns_ix(target)?;
        self.install_ns(task, target, auth, sink)
    }

    /// As [`setns`](Self::setns), to the namespace in which the process of a pidfd lives. // SET-04
    ///
    /// # Errors
    /// As `setns`; also `ESRCH` if the process is a zombie, reaped, or in the kill stage of its own namespace.
    pub fn setns_pidfd(
        &mut self,
        caller: TaskId,
        target: crate::PidId,
        auth: &dyn Authority,
        sink: Sink<'_, G, T>,
    ) -> Result<()> {
        let task = self.caller(caller)?;
        let pid = self.pid_ix(target)?;
        let of = self.pids[pid].task.filter(|&of| self.tasks[of].is_live()).ok_or(Errno::ESRCH)?;
        self.install_ns(task, self.active_ns(of), auth, sink) // SET-05: invisible means no descendant
    }

    fn install_ns(
        &mut self,
        task: TaskIx,
        target: NsIx,
        auth: &dyn Authority,
        sink: Sink<'_, G, T>,
    ) -> Result<()> {
        let owner = self.spaces[target].owner;
        if !auth.capable(owner, Capability::SysAdmin)
            || !auth.capable(auth.user_ns(), Capability::SysAdmin)
        {
            return Err(Errno::EPERM);
        }
        if !self.is_ns_below(target, self.active_ns(task)) {
            return Err(Errno::EINVAL);
        }
        self.spaces[target].refs += 1;
        self.switch_ns_children(task, Some(target), sink);
        Ok(())
    }

    /// Replaces the namespace for children; the caller gives a reference to the new one.
    pub(crate) fn switch_ns_children(
        &mut self,
        task: TaskIx,
        ns: Option<NsIx>,
        sink: Sink<'_, G, T>,
    ) {
        if let Some(old) = core::mem::replace(&mut self.tasks[task].ns_children, ns) {
            self.put_ns(old, sink);
        }
    }

    /// Makes a namespace below the caller's own; the caller of this function owns the one reference
    /// (kernel: `copy_pid_ns`).
    pub(crate) fn create_ns(&mut self, task: TaskIx, auth: &dyn Authority) -> Result<NsIx> {
        let owner = auth.user_ns();
        if !auth.capable(owner, Capability::SysAdmin) {
            return Err(Errno::EPERM); // CRE-19
        }
        let parent = self.active_ns(task);
        if self.tasks[task].ns_children != Some(parent) {
            return Err(Errno::EINVAL); // CRE-06
        }
        if !auth.descends(owner, self.spaces[parent].owner) {
            return Err(Errno::EINVAL); // CRE-20
        }
        let level = self.spaces[parent].level;
        if level == MAX_LEVEL {
            return Err(Errno::ENOSPC); // CRE-17
        }
        let slot = self.spaces.claim()?;
        if !auth.charge_pid_ns(owner) {
            self.spaces.unclaim(slot);
            return Err(Errno::ENOSPC); // CRE-18
        }
        // NUM-11: pid_max starts at the limit, whatever the parent's.
        let ns = Namespace::new(Some(parent), owner, PID_MAX_LIMIT, level + 1, self.next_ns_serial);
        self.spaces.fill(slot, ns);
        self.next_ns_serial += 1;
        self.spaces[parent].refs += 1;
        Ok(slot)
    }

    /// Takes back a namespace that [`create_ns`](Self::create_ns) made and nobody saw.
    pub(crate) fn uncreate_ns(&mut self, ns: NsIx, auth: &dyn Authority) {
        let mut gone = self.spaces.remove(ns);
        gone.map.clear(&mut self.maps);
        if let Some(parent) = gone.parent {
            self.spaces[parent].refs -= 1;
        }
        auth.uncharge_pid_ns(gone.owner);
    }

    /// Takes a reference for an open file or a bind mount. // SET-10
    ///
    /// # Errors
    /// `ESRCH` if it does not exist.
    pub fn get_ns(&mut self, ns: NsId) -> Result<()> {
        let ns = self.ns_ix(ns)?;
        self.spaces[ns].refs += 1;
        Ok(())
    }

    /// Gives back a reference that [`get_ns`](Self::get_ns) took.
    ///
    /// # Errors
    /// `ESRCH` if it does not exist.
    pub fn release_ns(&mut self, ns: NsId, sink: Sink<'_, G, T>) -> Result<()> {
        let ns = self.ns_ix(ns)?;
        self.put_ns(ns, sink);
        Ok(())
    }

    /// Drops one reference; the last one frees the namespace, and perhaps its ancestors.
    pub(crate) fn put_ns(&mut self, ns: NsIx, sink: Sink<'_, G, T>) {
        let mut at = Some(ns);
        while let Some(ns) = at {
            self.spaces[ns].refs -= 1;
            if self.spaces[ns].refs > 0 {
                return;
            }
            let id = self.ns_id(ns);
            let mut gone = self.spaces.remove(ns);
            gone.map.clear(&mut self.maps);
            sink.emit(Effect::NamespaceReleased { ns: id, owner: gone.owner });
            at = gone.parent;
        }
    }

    /// Visits `ns` and its ancestors, outwards.
    pub(crate) fn ancestors(&self, ns: NsIx) -> impl Iterator<Item = NsIx> {
        core::iter::successors(Some(ns), |&ns| self.spaces[ns].parent)
    }

    /// Returns the ancestor of `ns` at a level that is not deeper than its own.
    pub(crate) fn ancestor_at(&self, ns: NsIx, level: u8) -> NsIx {
        let mut at = ns;
        while self.spaces[at].level > level {
            let Some(parent) = self.spaces[at].parent else {
                break;
            };
            at = parent;
        }
        at
    }

    /// Says whether `ns` is `ancestor` or below it (kernel: `pidns_is_ancestor`).
    pub(crate) fn is_ns_below(&self, ns: NsIx, ancestor: NsIx) -> bool {
        let level = self.spaces[ancestor].level;
        self.spaces[ns].level >= level && self.ancestor_at(ns, level) == ancestor
    }

    /// Returns the state of a namespace; `None` once it is released.
    pub fn ns_state(&self, ns: NsId) -> Option<NsState> {
        self.ns_ix(ns).ok().map(|ns| self.spaces[ns].state())
    }

    /// Returns the level of a namespace: 0 for the root.
    ///
    /// # Errors
    /// `ESRCH` if it does not exist.
    pub fn ns_level(&self, ns: NsId) -> Result<u8> {
        self.ns_ix(ns).map(|ns| self.spaces[ns].level)
    }

    /// Returns a 64-bit number that no other namespace of this set ever has (ioctl `NS_GET_ID`). // IOC-06
    ///
    /// # Errors
    /// `ESRCH` if it does not exist.
    pub fn ns_serial(&self, ns: NsId) -> Result<u64> {
        self.ns_ix(ns).map(|ns| self.spaces[ns].serial)
    }

    /// Returns the owning user namespace (ioctl `NS_GET_USERNS`).
    ///
    /// # Errors
    /// `ESRCH` if it does not exist.
    pub fn ns_owner(&self, ns: NsId) -> Result<UserNs> {
        self.ns_ix(ns).map(|ns| self.spaces[ns].owner)
    }

    /// Returns the parent of a namespace as `caller` may see it (ioctl `NS_GET_PARENT`). // IOC-02
    ///
    /// # Errors
    /// `EPERM` if the parent is not the caller's namespace or below it, or there is none.
    pub fn ns_parent(&self, caller: TaskId, ns: NsId) -> Result<NsId> {
        let viewer = self.active_ns(self.caller(caller)?);
        let parent = self.spaces[self.ns_ix(ns)?].parent.ok_or(Errno::EPERM)?;
        if self.is_ns_below(parent, viewer) { Ok(self.ns_id(parent)) } else { Err(Errno::EPERM) }
    }

    /// Returns how many pid objects have a number in the namespace; what zap waits for. // ZAP-05
    ///
    /// # Errors
    /// `ESRCH` if it does not exist.
    pub fn ns_pid_count(&self, ns: NsId) -> Result<u32> {
        self.ns_ix(ns).map(|ns| self.spaces[ns].allocated)
    }

    /// Returns the thread that adopts orphans of the namespace, while there is one.
    pub fn child_reaper(&self, ns: NsId) -> Option<TaskId> {
        let space = &self.spaces[self.ns_ix(ns).ok()?];
        let gone = matches!(space.life, Life::Dead);
        space.reaper.filter(|_| !gone).map(|reaper| self.task_id(reaper))
    }

    /// Returns the namespace in which a task lives (`/proc/PID/ns/pid`), also a zombie's. // SET-10
    ///
    /// # Errors
    /// `ESRCH` if the task was released.
    pub fn ns_of(&self, task: TaskId) -> Result<NsId> {
        self.task_ix(task).map(|task| self.ns_id(self.active_ns(task)))
    }

    /// Returns the namespace in which a task's next child is made.
    ///
    /// # Errors
    /// `ESRCH` if the task ended.
    pub fn ns_for_children(&self, task: TaskId) -> Result<NsId> {
        let ns = self.tasks[self.caller(task)?].ns_children.ok_or(Errno::ESRCH)?;
        Ok(self.ns_id(ns))
    }

    /// As [`ns_for_children`](Self::ns_for_children), with the errors of opening `/proc/PID/ns/pid_for_children`.
    ///
    /// # Errors
    /// `ENOENT` for a zombie // SET-10, and for a namespace without init where the kernel hides those // CRE-05;
    /// `ESRCH` if the task was released.
    pub fn open_ns_for_children(&self, task: TaskId) -> Result<NsId> {
        let task = self.task_ix(task)?;
        let ns = self.tasks[task].ns_children.ok_or(Errno::ENOENT)?;
        let hidden = self.config.quirks.contains(Quirks::HIDE_EMPTY_NAMESPACE);
        if hidden && self.spaces[ns].reaper.is_none() {
            Err(Errno::ENOENT)
        } else {
            Ok(self.ns_id(ns))
        }
    }
}
