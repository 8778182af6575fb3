//! Tasks and thread groups: what is stored, and how they hang together.
//!
//! A *task* is one thread; a *thread group* is a process. Children hang off the *task* that forked them (wait's
//! `__WNOTHREAD` and PDEATHSIG need that), process-group membership off the group. Neighbours: `ring.rs` for the
//! lists, `clone.rs` makes both, `exit.rs` ends them.

use crate::id::{GroupIx, NsIx, PidIx, QueuedIx, TaskIx, TraceIx};
use crate::ring::{Linked, Links};
use crate::signal::{ExitStatus, SigSet, Signal};

/// One thread of execution (kernel: `struct task_struct`).
#[derive(Clone, Debug)]
pub(crate) struct Task<T> {
    pub(crate) blocked: SigSet,
    /// What it sleeps in sigtimedwait(2) for: taken in spite of being blocked, and then not acted on.
    pub(crate) awaited: SigSet,
    pub(crate) pending: SigSet,
    pub(crate) group: GroupIx,
    pub(crate) pid: PidIx,
    thread: Links<TaskIx>,
    /// First child process; the ring is in fork order, adopted ones at the end.
    pub(crate) children: Option<GroupIx>,
    pub(crate) counts: ChildCounts,
    /// Where its next child is made; let go of when it exits.
    pub(crate) ns_children: Option<NsIx>,
    pub(crate) queue: Option<QueuedIx>,
    /// The pair in which this task is the tracee.
    pub(crate) trace: Option<TraceIx>,
    /// First of the pairs in which this task is the tracer.
    pub(crate) tracees: Option<TraceIx>,
    pub(crate) status: ExitStatus,
    pub(crate) state: TaskState,
    pub(crate) death_signal: Option<Signal>,
    pub(crate) flags: TaskFlags,
    /// Clones begun and not yet published or abandoned.
    pub(crate) reservations: u8,
    pub(crate) payload: T,
}

impl<T> Task<T> {
    pub(crate) fn new(group: GroupIx, pid: PidIx, ns_children: NsIx, payload: T) -> Self {
        Self {
            blocked: SigSet::EMPTY,
            awaited: SigSet::EMPTY,
            pending: SigSet::EMPTY,
            group,
            pid,
            thread: Links::UNLINKED,
            children: None,
            counts: ChildCounts::default(),
            ns_children: Some(ns_children),
            queue: None,
            trace: None,
            tracees: None,
            status: ExitStatus::exited(0),
            state: TaskState::Live,
            death_signal: None,
            flags: TaskFlags::empty(),
            reservations: 0,
            payload,
        }
    }

    /// The signals that it does not want now: those blocked, without those that it sleeps for.
    pub(crate) fn closed(&self) -> SigSet {
        self.blocked.minus(self.awaited)
    }

    /// Says whether the task still runs, or could.
    pub(crate) fn is_live(&self) -> bool {
        self.state == TaskState::Live
    }

    /// Changes the state; refuses to go back.
    pub(crate) fn advance(&mut self, to: TaskState) {
        debug_assert!(self.state < to, "a task never comes back: {:?} to {:?}", self.state, to);
        self.state = to;
    }
}

/// How much of a task is left, in the order in which it happens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TaskState {
    /// Runs, sleeps or is stopped.
    Live,
    /// In exit(2). Only the last thread of an init stays here: it is destroying its namespace.
    Exiting,
    /// Ended, and somebody has yet to learn of it.
    Zombie,
}

bitflags::bitflags! {
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct TaskFlags: u8 {
        /// A fatal signal is pending (kernel: `fatal_signal_pending`).
        const KILLED = 1;
        /// Made with CLONE_VFORK and still on its creator's memory.
        const VFORK = 2;
        /// In execve(2), waiting for the other threads to go.
        const EXECING = 4;
        /// An init that was told to go on with its exit and has not yet.
        const ZAP_WOKEN = 8;
        /// In reboot(2), on its way to exit(0): a pending SIGKILL does not change its status.
        const REBOOTING = 16;
    }
}

/// How many children of a task there are, so that a wait with nothing to report looks at none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ChildCounts {
    /// With exit signal SIGCHLD.
    pub(crate) plain: u32,
    /// With another exit signal or none: "clone children".
    pub(crate) clone: u32,
    /// Zombies to be reaped.
    pub(crate) ended: u32,
    /// Stopped or continued, and not yet reported.
    pub(crate) changed: u32,
}

/// A process (kernel: `struct signal_struct`).
#[derive(Clone, Debug)]
pub(crate) struct Group<G> {
    pub(crate) ignored: SigSet,
    pub(crate) handled: SigSet,
    pub(crate) reset_hand: SigSet,
    pub(crate) pending: SigSet,
    pub(crate) leader: TaskIx,
    pub(crate) threads: Option<TaskIx>,
    /// Threads that have not begun to exit.
    pub(crate) live: u32,
    /// Threads that have not been released.
    pub(crate) count: u32,
    /// The thread that is its parent; `None` for the root namespace's init.
    pub(crate) parent: Option<TaskIx>,
    sibling: Links<GroupIx>,
    pub(crate) pgrp: PidIx,
    member: Links<GroupIx>,
    pub(crate) session: PidIx,
    pub(crate) queue: Option<QueuedIx>,
    /// How the process ended, once `Ending` is set.
    pub(crate) status: ExitStatus,
    pub(crate) flags: GroupFlags,
    pub(crate) exit_signal: Option<Signal>,
    /// Set while stopped: by which signal.
    pub(crate) stopped: Option<Signal>,
    pub(crate) payload: G,
}

bitflags::bitflags! {
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct GroupFlags: u16 {
        /// The whole group is exiting and `status` is decided (kernel: `SIGNAL_GROUP_EXIT`).
        const ENDING = 1;
        /// An init (kernel: `SIGNAL_UNKILLABLE`).
        const UNKILLABLE = 1 << 1;
        const SUBREAPER = 1 << 2;
        const SESSION_LEADER = 1 << 3;
        const DID_EXEC = 1 << 4;
        const NOCLDSTOP = 1 << 5;
        const NOCLDWAIT = 1 << 6;
        /// A stop that wait has not reported.
        const STOP_REPORT = 1 << 7;
        /// A continue that wait has not reported.
        const CONT_REPORT = 1 << 8;
        /// Counted in the parent's `ended`.
        const COUNTED_ENDED = 1 << 9;
        /// Counted in the parent's `changed`.
        const COUNTED_CHANGED = 1 << 10;
        /// Counted in the parent's `plain` rather than `clone`.
        const COUNTED_PLAIN = 1 << 11;
        /// A wait of this process blocked.
        const WAITING = 1 << 12;
        /// Its parent has passed an exec since the fork: its end is told by SIGCHLD only.
        const PARENT_EXECED = 1 << 13;
    }
}

impl<G> Group<G> {
    pub(crate) fn new(
        leader: TaskIx,
        parent: Option<TaskIx>,
        pgrp: PidIx,
        session: PidIx,
        payload: G,
    ) -> Self {
        Self {
            ignored: SigSet::EMPTY,
            handled: SigSet::EMPTY,
            reset_hand: SigSet::EMPTY,
            pending: SigSet::EMPTY,
            leader,
            threads: None,
            live: 0,
            count: 0,
            parent,
            sibling: Links::UNLINKED,
            pgrp,
            member: Links::UNLINKED,
            session,
            queue: None,
            status: ExitStatus::exited(0),
            flags: GroupFlags::empty(),
            exit_signal: Some(Signal::CHLD),
            stopped: None,
            payload,
        }
    }

    /// Says whether it is a "clone child": waited for with `__WCLONE`. // WAI-06
    pub(crate) fn is_clone_child(&self) -> bool {
        self.exit_signal != Some(Signal::CHLD)
    }

    pub(crate) fn has(&self, flag: GroupFlags) -> bool {
        self.flags.contains(flag)
    }
}

/// Ring of the threads of a group, headed by `Group::threads`.
pub(crate) enum Threads {}
/// Ring of the children of a task, headed by `Task::children`.
pub(crate) enum Siblings {}
/// Ring of the groups of a process group, headed by the pid object.
pub(crate) enum Members {}

impl<T> Linked<TaskIx, Threads> for Task<T> {
    fn links(&self) -> &Links<TaskIx> {
        &self.thread
    }
    fn links_mut(&mut self) -> &mut Links<TaskIx> {
        &mut self.thread
    }
}

impl<G> Linked<GroupIx, Siblings> for Group<G> {
    fn links(&self) -> &Links<GroupIx> {
        &self.sibling
    }
    fn links_mut(&mut self) -> &mut Links<GroupIx> {
        &mut self.sibling
    }
}

impl<G> Linked<GroupIx, Members> for Group<G> {
    fn links(&self) -> &Links<GroupIx> {
        &self.member
    }
    fn links_mut(&mut self) -> &mut Links<GroupIx> {
        &mut self.member
    }
}
