//! The invariants of a task set, checked after every operation in tests, and switches that tests use: memory that
//! runs out on demand, and bugs planted on purpose so that the proofs can show that they would find them.

use alloc::format;
use alloc::string::String;

pub use crate::bug::Bug;
use crate::id::{GroupIx, NsIx, PidIx, TaskIx};
use crate::ns::Life;
use crate::ring;
use crate::set::TaskSet;
use crate::task::{ChildCounts, GroupFlags, TaskState, Threads};

/// A place where memory can run out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each is the store of its name")]
pub enum Store {
    Tasks,
    Groups,
    Pids,
    Namespaces,
    QueuedSignals,
    Traces,
    MapNodes,
    MapLeaves,
    Numbers,
}

impl Store {
    /// Every store.
    pub const ALL: [Store; 9] = [
        Store::Tasks,
        Store::Groups,
        Store::Pids,
        Store::Namespaces,
        Store::QueuedSignals,
        Store::Traces,
        Store::MapNodes,
        Store::MapLeaves,
        Store::Numbers,
    ];
}

macro_rules! ensure {
    ($condition:expr, $($what:tt)*) => {
        if !$condition {
            return Err(format!($($what)*));
        }
    };
}

impl<G, T> TaskSet<G, T> {
    /// Breaks a rule from now on, or none.
    pub fn plant(&mut self, bug: Option<Bug>) {
        self.planted = bug;
    }

    /// Makes a store report that memory ran out, or work again.
    pub fn deny_memory(&mut self, store: Store, denied: bool) {
        match store {
            Store::Tasks => self.tasks.deny(denied),
            Store::Groups => self.groups.deny(denied),
            Store::Pids => self.pids.deny(denied),
            Store::Namespaces => self.spaces.deny(denied),
            Store::QueuedSignals => self.queued.deny(denied),
            Store::Traces => self.traces.deny(denied),
            Store::MapNodes => self.maps.nodes.deny(denied),
            Store::MapLeaves => self.maps.leaves.deny(denied),
            Store::Numbers => self.numbers.deny(denied),
        }
    }

    /// Checks every invariant that the crate's documentation lists.
    ///
    /// # Errors
    /// Says which does not hold, and where.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.check_groups()?;
        self.check_tasks()?;
        self.check_pids()?;
        self.check_namespaces()?;
        self.check_storage()
    }

    /// Says how many slots are claimed by reservations.
    pub fn outstanding(&self) -> usize {
        self.tasks.claimed() + self.groups.claimed() + self.pids.claimed() + self.spaces.claimed()
    }

    fn check_groups(&self) -> Result<(), String> {
        for (ix, group) in self.groups.iter() {
            let threads = ring::iter::<_, _, Threads>(&self.tasks, group.threads);
            let count = threads.count() as u32;
            let live = self.threads(ix).filter(|&task| self.tasks[task].is_live()).count() as u32;
            ensure!(
                count == group.count && count > 0,
                "{ix:?}: {} threads counted, {count} there",
                group.count
            );
            ensure!(
                live == group.live,
                "{ix:?}: {} live threads counted, {live} there",
                group.live
            );
            ensure!(
                self.threads(ix).any(|task| task == group.leader),
                "{ix:?}: its leader is no thread of it"
            );
            ensure!(
                group.live > 0 || group.has(GroupFlags::ENDING),
                "{ix:?}: ended without a status"
            );
            ensure!(
                self.pgrp_members(group.pgrp).any(|member| member == ix),
                "{ix:?}: not in its process group"
            );
            ensure!(
                group.ignored.and(group.handled).is_empty(),
                "{ix:?}: a signal is ignored and handled"
            );
            ensure!(
                !(group.has(GroupFlags::ENDING) && group.stopped.is_some()),
                "{ix:?}: dying and stopped"
            );
            match group.parent {
                Some(parent) => {
                    ensure!(
                        self.children(parent).any(|child| child == ix),
                        "{ix:?}: unknown to its parent"
                    );
                    ensure!(
                        self.tasks[parent].state != TaskState::Zombie,
                        "{ix:?}: its parent is a zombie"
                    );
                    let (own, theirs) = (self.pids[self.group_pid(ix)].ns, self.active_ns(parent));
                    ensure!(
                        self.is_ns_below(own, theirs),
                        "{ix:?}: its parent is in a namespace elsewhere"
                    );
                }
                None => ensure!(
                    self.pids[self.group_pid(ix)].ns == self.root,
                    "{ix:?}: no parent inside"
                ),
            }
        }
        Ok(())
    }

    fn check_tasks(&self) -> Result<(), String> {
        for (ix, task) in self.tasks.iter() {
            ensure!(self.pids[task.pid].task == Some(ix), "{ix:?}: its pid object is another's");
            ensure!(
                task.counts == self.count_children(ix),
                "{ix:?}: counts {:?} are wrong",
                task.counts
            );
            ensure!(
                task.state != TaskState::Zombie || task.children.is_none(),
                "{ix:?}: a zombie with children"
            );
            ensure!(
                task.is_live() == task.ns_children.is_some(),
                "{ix:?}: namespace for children of the dead"
            );
            ensure!(
                task.blocked.and(crate::SigSet::UNSTOPPABLE).is_empty(),
                "{ix:?}: SIGKILL or SIGSTOP blocked"
            );
            for tracee in self.tracees(ix) {
                ensure!(self.tracer_of(tracee) == Some(ix), "{ix:?}: a tracee does not know it");
            }
            let leads = self.groups[task.group].leader == ix;
            let thread_zombie = task.state == TaskState::Zombie && !leads;
            ensure!(
                !thread_zombie || task.trace.is_some(),
                "{ix:?}: an untraced thread is a zombie"
            );
            if task.state == TaskState::Exiting {
                let ns = self.active_ns(ix);
                ensure!(
                    matches!(self.spaces[ns].life, Life::Zapping(_)),
                    "{ix:?}: exiting, but destroys nothing"
                );
                ensure!(self.spaces[ns].reaper == Some(ix), "{ix:?}: exiting, but is no reaper");
            }
        }
        Ok(())
    }

    fn count_children(&self, task: TaskIx) -> ChildCounts {
        let mut counts = ChildCounts::default();
        for child in self.children(task) {
            let entry = &self.groups[child];
            *if entry.is_clone_child() { &mut counts.clone } else { &mut counts.plain } += 1;
            counts.ended += u32::from(self.is_reapable(child));
            counts.changed += u32::from(
                entry.flags.intersects(GroupFlags::STOP_REPORT | GroupFlags::CONT_REPORT),
            );
        }
        counts
    }

    fn check_pids(&self) -> Result<(), String> {
        for (ix, pid) in self.pids.iter().filter(|&(ix, _)| ix != self.swapper) {
            let sessions =
                self.groups.iter().filter(|(_, group)| group.session == ix).count() as u32;
            ensure!(
                pid.sessions == sessions,
                "{ix:?}: {} processes counted in its session, {sessions}",
                pid.sessions
            );
            let unheld = pid.task.is_none() && pid.pgrp.is_none() && sessions == 0;
            ensure!(!unheld || self.outstanding() > 0, "{ix:?}: no role holds it");
            ensure!(pid.level == self.spaces[pid.ns].level, "{ix:?}: level of another namespace");
            for ns in self.ancestors(pid.ns) {
                let nr = self.nr_in(ix, ns);
                ensure!(
                    nr.and_then(|nr| self.pid_at(ns, nr)) == Some(ix),
                    "{ix:?}: number {nr:?} in {ns:?} is lost"
                );
            }
        }
        Ok(())
    }

    fn check_namespaces(&self) -> Result<(), String> {
        for (ix, ns) in self.spaces.iter() {
            let counted = self.pids_from(ix, 1).count() as u32;
            ensure!(
                counted == ns.allocated,
                "{ix:?}: {} pid objects counted, {counted} mapped",
                ns.allocated
            );
            ensure!(ns.refs >= self.known_refs(ix), "{ix:?}: {} references counted", ns.refs);
            if let Some(parent) = ns.parent {
                ensure!(
                    self.spaces[parent].level + 1 == ns.level,
                    "{ix:?}: level {} below its parent",
                    ns.level
                );
            }
            match (ns.life, ns.reaper) {
                (Life::Open, Some(reaper)) => {
                    let init = self.group_of(reaper);
                    ensure!(self.tasks[reaper].is_live(), "{ix:?}: alive, but its reaper is not");
                    let number = self.group_nr(init, ix);
                    ensure!(
                        number == Some(crate::Pid::INIT),
                        "{ix:?}: its reaper is number {number:?}"
                    );
                }
                (Life::Zapping(_), Some(reaper)) => {
                    let live = self.groups[self.group_of(reaper)].live;
                    ensure!(live == 0, "{ix:?}: destroyed, but {live} threads of its init live"); // REP-15
                }
                (Life::Dead, _) => {
                    let other =
                        self.pids_from(ix, 2).find(|&(_, pid)| !self.is_pid_of_init(ix, pid));
                    ensure!(other.is_none(), "{ix:?}: dead, but {other:?} is left in it"); // ZAP-06
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Says whether a pid object belongs to a thread of the namespace's init.
    fn is_pid_of_init(&self, ns: NsIx, pid: PidIx) -> bool {
        let group: Option<GroupIx> = self.pids[pid].task.map(|task| self.group_of(task));
        group.is_some_and(|group| self.group_nr(group, ns) == Some(crate::Pid::INIT))
    }

    fn known_refs(&self, ns: NsIx) -> u32 {
        let tasks = self.tasks.iter().filter(|(_, task)| task.ns_children == Some(ns)).count();
        let pids = self.pids.iter().filter(|&(ix, pid)| pid.ns == ns && ix != self.swapper).count();
        let spaces = self.spaces.iter().filter(|(_, space)| space.parent == Some(ns)).count();
        (tasks + pids + spaces) as u32
    }

    /// Nothing is kept that nobody refers to.
    fn check_storage(&self) -> Result<(), String> {
        let tasks = self.tasks.iter().map(|(_, task)| task.queue);
        let groups = self.groups.iter().map(|(_, group)| group.queue);
        let queued: usize = tasks.chain(groups).map(|last| self.queue_iter(last).count()).sum();
        ensure!(
            queued == self.queued.len() as usize,
            "{} signal records, {queued} queued",
            self.queued.len()
        );
        let traced = self.tasks.iter().filter(|(_, task)| task.trace.is_some()).count();
        ensure!(
            traced == self.traces.len() as usize,
            "{} traces, {traced} traced tasks",
            self.traces.len()
        );
        let subreapers =
            self.groups.iter().filter(|(_, group)| group.has(GroupFlags::SUBREAPER)).count();
        ensure!(
            subreapers == self.subreapers as usize,
            "{} subreapers counted, {subreapers}",
            self.subreapers
        );
        Ok(())
    }
}
