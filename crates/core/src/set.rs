//! [`TaskSet`]: the whole subsystem in one value, its configuration, and how ids become slots.
//!
//! The operations are in files named after their verb; this one has what all of them share.

use crate::effect::EffectSink;
use crate::errno::{Errno, Result};
use crate::id::{
    GroupId, GroupIx, NsId, NsIx, Pid, PidId, PidIx, QueuedIx, TaskId, TaskIx, TraceIx,
};
use crate::map_arena::MapArena;
use crate::ns::Namespace;
use crate::numbers::Numbers;
use crate::pidmap::PID_MAX_LIMIT;
use crate::pids::PidObject;
use crate::privilege::{Root, UserNs};
use crate::send::Queued;
use crate::slab::Slab;
use crate::task::{Group, GroupFlags, Task};
use crate::trace::Trace;

/// Where effects go, inside the crate.
pub(crate) type Sink<'a, G, T> = &'a mut dyn EffectSink<G, T>;

/// Every task of a machine, or of a sandbox: the PID-namespace subsystem as a value.
///
/// `G` and `T` are what the embedder attaches to each thread group and each task. Operations take `&mut self`, never
/// block, and append what has to be done to an [`EffectSink`]. Several sets are independent of each other.
///
/// ```
/// use pidns_core::{CloneArgs, Config, ExitOutcome, ExitStatus, Root, TaskSet, WaitOptions, WaitOutcome, WaitTarget};
///
/// let mut effects = Vec::new();
/// let mut set: TaskSet = TaskSet::new(Config::default()).unwrap();
/// let init = set.boot((), ()).unwrap();
/// let child = set.clone_task(init, &CloneArgs::fork(), &Root, || (), (), &mut effects).unwrap();
/// assert_eq!(set.getpid(child).unwrap().raw(), 2);
/// assert_eq!(set.exit(child, ExitStatus::exited(3), &mut effects), Ok(ExitOutcome::Zombie));
/// let outcome = set.wait(init, WaitTarget::Any, WaitOptions::EXITED, &mut effects).unwrap();
/// let WaitOutcome::Ready(report) = outcome else { panic!("a zombie is there") };
/// assert_eq!((report.pid.map(|pid| pid.raw()), report.status.code()), (Some(2), Some(3)));
/// ```
#[derive(Clone, Debug)]
pub struct TaskSet<G = (), T = ()> {
    pub(crate) tasks: Slab<TaskIx, Task<T>>,
    pub(crate) groups: Slab<GroupIx, Group<G>>,
    pub(crate) pids: Slab<PidIx, PidObject>,
    pub(crate) spaces: Slab<NsIx, Namespace>,
    pub(crate) queued: Slab<QueuedIx, Queued>,
    pub(crate) traces: Slab<TraceIx, Trace>,
    pub(crate) maps: MapArena,
    pub(crate) numbers: Numbers,
    pub(crate) root: NsIx,
    /// The nameless pid object, number 0, whose group and session the root init starts in.
    pub(crate) swapper: PidIx,
    pub(crate) config: Config,
    /// How many groups have the subreaper flag.
    pub(crate) subreapers: u32,
    pub(crate) next_ns_serial: u64,
    #[cfg(any(test, feature = "check"))]
    pub(crate) planted: Option<crate::bug::Bug>,
}

/// What an embedder chooses when it makes a [`TaskSet`].
#[derive(Clone, Debug)]
pub struct Config {
    /// `pid_max` of the root namespace, exclusive; 301 to [`PID_MAX_LIMIT`].
    pub pid_max: u32,
    /// Owner of the root namespace.
    pub owner: UserNs,
    /// Who delivers signals.
    pub delivery: Delivery,
    /// Most signals that may be queued at one receiver with their information (`RLIMIT_SIGPENDING`).
    pub max_queued: u32,
    /// Which differences between kernel versions to show.
    pub quirks: Quirks,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            pid_max: PID_MAX_LIMIT,
            owner: UserNs::default(),
            delivery: Delivery::Simulated,
            max_queued: 1024,
            quirks: Quirks::LINUX_6_18,
        }
    }
}

/// Who keeps pending signals and runs default actions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// This crate: signals are queued, [`next_signal`](TaskSet::next_signal) takes them, default actions happen here.
    Simulated,
    /// A host kernel under real processes: a signal that passes the rules becomes
    /// [`Effect::Deliver`](crate::Effect::Deliver), nothing is queued, and the embedder reports what came of it
    /// through [`exit`](TaskSet::exit) and [`note_stopped`](TaskSet::note_stopped). Only a SIGKILL, whoever made it,
    /// condemns the group at once ([`Effect::Kill`](crate::Effect::Kill)).
    Host,
}

bitflags::bitflags! {
    /// Behaviour that changed between kernel versions (`spec` section 19).
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Quirks: u32 {
        /// A fork that fails after its number was allocated closes a namespace that has no init yet. // CRE-24
        const POISON_FAILED_FIRST_FORK = 1;
        /// A namespace without init cannot be opened through `pid_for_children`. // CRE-05
        const HIDE_EMPTY_NAMESPACE = 2;
        /// Fork fails with ENOMEM when *any* ancestor namespace is dead, not only the target.
        const CHECK_ANCESTORS = 4;
        /// What Linux 6.18 does.
        const LINUX_6_18 = 1 | 2;
        /// What Linux 7.2 does.
        const LINUX_7_2 = 4;
    }
}

impl<G, T> TaskSet<G, T> {
    /// Makes an empty set: the root namespace, and nobody in it.
    ///
    /// # Errors
    /// `ENOMEM`; `EINVAL` for a `pid_max` out of range.
    pub fn new(config: Config) -> Result<Self> {
        if !(crate::sysctl::PID_MAX_MIN..=PID_MAX_LIMIT).contains(&config.pid_max) {
            return Err(Errno::EINVAL);
        }
        let mut spaces = Slab::new();
        let root = spaces.insert(Namespace::root(config.owner, config.pid_max))?;
        let mut pids = Slab::new();
        let swapper = pids.insert(PidObject::swapper(root))?;
        Ok(Self {
            tasks: Slab::new(),
            groups: Slab::new(),
            pids,
            spaces,
            queued: Slab::new(),
            traces: Slab::new(),
            maps: MapArena::new(),
            numbers: Numbers::default(),
            root,
            swapper,
            config,
            subreapers: 0,
            next_ns_serial: 1,
            #[cfg(any(test, feature = "check"))]
            planted: None,
        })
    }

    /// Makes the root namespace's init: number 1, without a parent, in the nameless group and session 0.
    ///
    /// # Errors
    /// `ENOMEM`; `EBUSY` if it exists or existed.
    pub fn boot(&mut self, group: G, task: T) -> Result<TaskId> {
        if self.spaces[self.root].reaper.is_some() {
            return Err(Errno::EBUSY);
        }
        let group_ix = self.groups.claim()?;
        let task_ix = self.tasks.claim().inspect_err(|_| self.groups.unclaim(group_ix))?;
        let pid = self.alloc_pid(self.root, &[], &Root).inspect_err(|_| {
            self.tasks.unclaim(task_ix);
            self.groups.unclaim(group_ix);
        })?;
        self.spaces[self.root].refs += 1;
        self.tasks.fill(task_ix, Task::new(group_ix, pid, self.root, task));
        self.attach_tid(pid, task_ix);
        let mut init = Group::new(task_ix, None, self.swapper, self.swapper, group);
        init.flags |= GroupFlags::UNKILLABLE;
        self.groups.fill(group_ix, init);
        self.join_pgrp(group_ix, self.swapper);
        self.join_session(group_ix, self.swapper);
        self.attach_thread(group_ix, task_ix);
        self.spaces[self.root].reaper = Some(task_ix);
        Ok(self.task_id(task_ix))
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the root namespace.
    pub fn root(&self) -> NsId {
        self.ns_id(self.root)
    }

    /// Returns the number of tasks that have not been released, zombies among them.
    pub fn task_count(&self) -> usize {
        self.tasks.len() as usize
    }

    pub(crate) fn task_id(&self, ix: TaskIx) -> TaskId {
        TaskId::new(ix, self.tasks.generation(ix))
    }

    pub(crate) fn group_id(&self, ix: GroupIx) -> GroupId {
        GroupId::new(ix, self.groups.generation(ix))
    }

    pub(crate) fn pid_id(&self, ix: PidIx) -> PidId {
        PidId::new(ix, self.pids.generation(ix))
    }

    pub(crate) fn ns_id(&self, ix: NsIx) -> NsId {
        NsId::new(ix, self.spaces.generation(ix))
    }

    /// Returns the slot of a task that was not released; `ESRCH` otherwise.
    pub(crate) fn task_ix(&self, id: TaskId) -> Result<TaskIx> {
        self.tasks.get(id.ix(), id.generation()).map(|_| id.ix()).ok_or(Errno::ESRCH)
    }

    /// Returns the slot of a task that can make system calls; `ESRCH` otherwise.
    pub(crate) fn caller(&self, id: TaskId) -> Result<TaskIx> {
        self.task_ix(id).and_then(
            |ix| {
                if self.tasks[ix].is_live() { Ok(ix) } else { Err(Errno::ESRCH) }
            },
        )
    }

    pub(crate) fn group_ix(&self, id: GroupId) -> Result<GroupIx> {
        self.groups.get(id.ix(), id.generation()).map(|_| id.ix()).ok_or(Errno::ESRCH)
    }

    pub(crate) fn pid_ix(&self, id: PidId) -> Result<PidIx> {
        self.pids.get(id.ix(), id.generation()).map(|_| id.ix()).ok_or(Errno::ESRCH)
    }

    pub(crate) fn ns_ix(&self, id: NsId) -> Result<NsIx> {
        self.spaces.get(id.ix(), id.generation()).map(|_| id.ix()).ok_or(Errno::ESRCH)
    }

    /// Returns the namespace in which a task lives: that of its pid object, fixed at birth.
    pub(crate) fn active_ns(&self, task: TaskIx) -> NsIx {
        self.pids[self.tasks[task].pid].ns
    }

    /// Returns the pid object of a process.
    pub(crate) fn group_pid(&self, group: GroupIx) -> PidIx {
        self.tasks[self.groups[group].leader].pid
    }

    /// Returns the number of a process in a namespace.
    pub(crate) fn group_nr(&self, group: GroupIx, ns: NsIx) -> Option<Pid> {
        self.nr_in(self.group_pid(group), ns)
    }

    /// Returns the group of a task.
    pub(crate) fn group_of(&self, task: TaskIx) -> GroupIx {
        self.tasks[task].group
    }

    /// Says whether the group is the root namespace's init.
    pub(crate) fn is_global_init(&self, group: GroupIx) -> bool {
        self.groups[group].parent.is_none()
    }

    /// Returns a thread of the group that has not begun to exit (kernel: `find_alive_thread`).
    pub(crate) fn live_thread(&self, group: GroupIx) -> Option<TaskIx> {
        if self.groups[group].live == 0 {
            return None;
        }
        self.threads(group).find(|&thread| self.tasks[thread].is_live())
    }
}
