//! Pid objects: one number per level, held by the roles thread, process, process group and session.
//!
//! A pid object is allocated at fork and goes when no role holds it any more; reaping the process is not enough
//! // NUM-13. `PidObject::task` is the roles thread and process in one: it is a process exactly if that task leads
//! its group. Neighbours: `pidmap.rs` for one namespace's numbers, `session.rs` moves groups between pid objects.

use crate::errno::{Errno, Result};
use crate::id::{GroupIx, Index, NsIx, Pid, PidIx, TaskIx};
use crate::pidmap::PID_MAX_LIMIT;
use crate::privilege::{Authority, Capability};
use crate::ring;
use crate::set::{Quirks, Sink, TaskSet};
use crate::task::Members;

/// The thing that has a number per level (kernel: `struct pid`).
#[derive(Clone, Debug)]
pub(crate) struct PidObject {
    /// The innermost namespace, in which it is `nr`.
    pub(crate) ns: NsIx,
    pub(crate) nr: u32,
    /// Row of the numbers in the ancestors.
    row: u32,
    pub(crate) task: Option<TaskIx>,
    /// First group of the process group that it names.
    pub(crate) pgrp: Option<GroupIx>,
    /// How many groups are in the session that it names.
    pub(crate) sessions: u32,
    pub(crate) level: u8,
    /// Whether a pidfd was opened for it.
    pub(crate) watched: bool,
}

impl PidObject {
    /// The pid object with number 0: never looked up, never freed (kernel: `init_struct_pid`).
    pub(crate) fn swapper(root: NsIx) -> Self {
        Self {
            ns: root,
            nr: 0,
            row: 0,
            task: None,
            pgrp: None,
            sessions: 1,
            level: 0,
            watched: false,
        }
    }

    fn is_held(&self) -> bool {
        self.task.is_some() || self.pgrp.is_some() || self.sessions > 0
    }
}

impl<G, T> TaskSet<G, T> {
    /// Returns the number of a pid object in `viewer`, `None` where it has none (kernel: `pid_nr_ns`). // NUM-01
    pub(crate) fn nr_in(&self, pid: PidIx, viewer: NsIx) -> Option<Pid> {
        let object = &self.pids[pid];
        if object.ns == viewer {
            return Pid::from_number(object.nr);
        }
        let level = self.spaces[viewer].level;
        if level >= object.level || self.ancestor_at(object.ns, level) != viewer {
            return None;
        }
        Pid::from_number(self.numbers.get(
            usize::from(object.level),
            object.row,
            usize::from(level),
        ))
    }

    /// Returns the pid object that has this number in `ns`, whatever its roles (kernel: `find_pid_ns`).
    pub(crate) fn pid_at(&self, ns: NsIx, nr: Pid) -> Option<PidIx> {
        self.spaces[ns].map.get(&self.maps, nr.number()).map(PidIx::from_slot)
    }

    /// Returns the task that has this thread id in `ns` (kernel: `find_task_by_pid_ns`).
    pub(crate) fn task_at(&self, ns: NsIx, nr: Pid) -> Option<TaskIx> {
        self.pids[self.pid_at(ns, nr)?].task
    }

    /// Returns the group that a pid object is the process id of.
    pub(crate) fn process_of(&self, pid: PidIx) -> Option<GroupIx> {
        let task = self.pids[pid].task?;
        let group = self.group_of(task);
        (self.groups[group].leader == task).then_some(group)
    }

    /// Allocates a pid object in `ns`: a number in it and in each of its ancestors (kernel: `alloc_pid`).
    ///
    /// `set_tid[0]` is the number wanted in `ns`, the next one that in its parent, and so on.
    ///
    /// # Errors
    /// Those of clone3(2) with `set_tid`; `EAGAIN` if a level is full, `ENOMEM` also if `ns` is closed. Nothing has
    /// changed then, cursors excepted.
    pub(crate) fn alloc_pid(
        &mut self,
        ns: NsIx,
        set_tid: &[i32],
        auth: &dyn Authority,
    ) -> Result<PidIx> {
        let level = self.spaces[ns].level;
        if set_tid.len() > usize::from(level) + 1 {
            return Err(Errno::EINVAL); // TID-05
        }
        let pid = self.pids.claim()?;
        let row = match self.numbers.claim(usize::from(level)) {
            Ok(row) => row,
            Err(errno) => {
                self.pids.unclaim(pid);
                return Err(errno);
            }
        };
        let object = PidObject {
            ns,
            nr: 0,
            row,
            task: None,
            pgrp: None,
            sessions: 0,
            level,
            watched: false,
        };
        self.pids.fill(pid, object);
        match self.number_all(pid, ns, set_tid, auth) {
            Ok(()) => Ok(pid),
            Err(errno) => {
                self.numbers.release(usize::from(level), row);
                self.pids.remove(pid);
                Err(errno)
            }
        }
    }

    /// Numbers `pid` at every level, or at none.
    fn number_all(
        &mut self,
        pid: PidIx,
        ns: NsIx,
        set_tid: &[i32],
        auth: &dyn Authority,
    ) -> Result<()> {
        let mut at = Some(ns);
        let mut wanted = set_tid.iter();
        let mut result = Ok(());
        while let Some(here) = at {
            match self.number_one(pid, here, wanted.next().copied(), auth) {
                Ok(number) => self.store_number(pid, here, number),
                Err(errno) => {
                    result = Err(errno);
                    break;
                }
            }
            at = self.spaces[here].parent;
        }
        if result.is_ok() && !self.accepts_pids(ns) {
            result = Err(Errno::ENOMEM); // CRE-16 TID-08
        }
        let end = at;
        let mut at = Some(ns);
        while at != end {
            let Some(here) = at else { break };
            if result.is_ok() {
                self.spaces[here].allocated += 1;
            } else {
                let number = self.number_at(pid, here);
                self.spaces[here].map.remove(&mut self.maps, number);
            }
            at = self.spaces[here].parent;
        }
        match result {
            Ok(()) => self.spaces[ns].refs += 1,
            // The first number of a namespace is 1, also on a second try.
            Err(_) if self.spaces[ns].allocated == 0 => self.spaces[ns].map.rewind(),
            Err(_) => {}
        }
        result
    }

    /// Numbers `pid` in one namespace.
    fn number_one(
        &mut self,
        pid: PidIx,
        ns: NsIx,
        wanted: Option<i32>,
        auth: &dyn Authority,
    ) -> Result<u32> {
        let space = &mut self.spaces[ns];
        let Some(wanted) = wanted else {
            return space.map.alloc(&mut self.maps, space.pid_max, pid.slot());
        };
        let number = u32::try_from(wanted).map_err(|_| Errno::EINVAL)?;
        if number < 1 || number >= space.pid_max {
            return Err(Errno::EINVAL); // TID-04
        }
        if number != 1 && space.reaper.is_none() {
            return Err(Errno::EINVAL); // TID-02: the first one of a namespace is its init
        }
        if !auth.capable(space.owner, Capability::CheckpointRestore) {
            return Err(Errno::EPERM); // TID-06
        }
        space.map.insert(&mut self.maps, number, pid.slot()).map(|()| number)
    }

    /// Says whether `ns` may still get a process.
    fn accepts_pids(&self, ns: NsIx) -> bool {
        if !self.config.quirks.contains(Quirks::CHECK_ANCESTORS) {
            return self.spaces[ns].is_open();
        }
        self.ancestors(ns).all(|ns| self.spaces[ns].is_open())
    }

    fn store_number(&mut self, pid: PidIx, ns: NsIx, number: u32) {
        let object = &mut self.pids[pid];
        if object.ns == ns {
            object.nr = number;
        } else {
            let level = usize::from(self.spaces[ns].level);
            self.numbers.set(usize::from(object.level), object.row, level, number);
        }
    }

    fn number_at(&self, pid: PidIx, ns: NsIx) -> u32 {
        self.nr_in(pid, ns).map_or(0, Pid::number)
    }

    /// Takes back a pid object that no role ever held. A namespace that is left without any pid object before it had
    /// an init is closed for good with `poison`. // CRE-24
    pub(crate) fn free_unborn_pid(&mut self, pid: PidIx, poison: bool, sink: Sink<'_, G, T>) {
        let ns = self.pids[pid].ns;
        self.forget_numbers(pid, sink);
        let space = &mut self.spaces[ns];
        if space.reaper.is_none() && space.allocated == 0 {
            if poison { space.poison() } else { space.map.rewind() }
        }
        self.put_ns(ns, sink);
    }

    /// Lets the maps hand out the numbers of `pid` once more, but for those of the innermost levels that were `chosen`.
    pub(crate) fn unnumber(&mut self, pid: PidIx, chosen: u8) {
        let mut at = Some(self.pids[pid].ns);
        let mut level = 0;
        while let Some(here) = at {
            if level >= chosen {
                let number = self.number_at(pid, here);
                self.spaces[here].map.unwind(number);
            }
            level += 1;
            at = self.spaces[here].parent;
        }
    }

    /// Takes a pid object out of every map, and lets an init that waits for that go on. // ZAP-05
    fn forget_numbers(&mut self, pid: PidIx, sink: Sink<'_, G, T>) {
        let object = &self.pids[pid];
        let (level, row, nr) = (object.level, object.row, object.nr);
        let mut number = nr;
        let mut at = Some(object.ns);
        while let Some(ns) = at {
            let space = &mut self.spaces[ns];
            space.map.remove(&mut self.maps, number);
            space.allocated -= 1;
            at = space.parent;
            if let Some(parent) = at {
                let parent_level = usize::from(self.spaces[parent].level);
                number = self.numbers.get(usize::from(level), row, parent_level);
            }
        }
        self.numbers.release(usize::from(level), row);
        let ns = self.pids.remove(pid).ns;
        let mut at = Some(ns);
        while let Some(here) = at {
            self.zap_check_count(here, sink);
            at = self.spaces[here].parent;
        }
    }

    /// Frees a pid object if no role holds it (kernel: `free_pid`).
    fn free_if_unheld(&mut self, pid: PidIx, sink: Sink<'_, G, T>) {
        if self.pids[pid].is_held() {
            return;
        }
        let ns = self.pids[pid].ns;
        self.forget_numbers(pid, sink);
        self.put_ns(ns, sink);
    }

    /// Gives the pid object the role thread id of `task`.
    pub(crate) fn attach_tid(&mut self, pid: PidIx, task: TaskIx) {
        self.pids[pid].task = Some(task);
        self.tasks[task].pid = pid;
    }

    /// Takes the role thread id (and with it process id) away.
    pub(crate) fn detach_tid(&mut self, pid: PidIx, sink: Sink<'_, G, T>) {
        self.pids[pid].task = None;
        self.free_if_unheld(pid, sink);
    }

    /// Puts a group that is in no process group into that of `pid`.
    pub(crate) fn join_pgrp(&mut self, group: GroupIx, pid: PidIx) {
        self.groups[group].pgrp = pid;
        ring::push_front::<_, _, Members>(&mut self.groups, &mut self.pids[pid].pgrp, group);
    }

    /// Takes a group out of its process group.
    pub(crate) fn leave_pgrp(&mut self, group: GroupIx, sink: Sink<'_, G, T>) {
        let pid = self.groups[group].pgrp;
        ring::remove::<_, _, Members>(&mut self.groups, &mut self.pids[pid].pgrp, group);
        self.free_if_unheld(pid, sink);
    }

    /// Puts a group that is in no session into that of `pid`.
    pub(crate) fn join_session(&mut self, group: GroupIx, pid: PidIx) {
        self.groups[group].session = pid;
        self.pids[pid].sessions += 1;
    }

    /// Takes a group out of its session.
    pub(crate) fn leave_session(&mut self, group: GroupIx, sink: Sink<'_, G, T>) {
        let pid = self.groups[group].session;
        self.pids[pid].sessions -= 1;
        self.free_if_unheld(pid, sink);
    }

    /// Visits the processes of a process group, the latest to join first.
    pub(crate) fn pgrp_members(&self, pid: PidIx) -> impl Iterator<Item = GroupIx> {
        ring::iter::<_, _, Members>(&self.groups, self.pids[pid].pgrp)
    }

    /// Visits the taken numbers of a namespace from `from` on.
    pub(crate) fn pids_from(&self, ns: NsIx, from: u32) -> impl Iterator<Item = (u32, PidIx)> {
        let next = move |from: u32| {
            self.spaces[ns]
                .map
                .next(&self.maps, from)
                .map(|(nr, slot)| (nr, PidIx::from_slot(slot)))
        };
        core::iter::successors(
            next(from),
            move |&(nr, _)| {
                if nr + 1 < PID_MAX_LIMIT { next(nr + 1) } else { None }
            },
        )
    }
}
