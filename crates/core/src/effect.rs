//! What an operation wants done: effects, appended to a sink that the caller owns.
//!
//! The state has already changed when an effect is emitted; an effect only says what the embedder has to do about it.
//! Effects of one operation are ordered. None may be dropped, all may be deferred until the embedder's lock is released.

use alloc::vec::Vec;

use crate::id::{GroupId, NsId, PidId, TaskId};
use crate::privilege::UserNs;
use crate::signal::{ExitStatus, SigInfo, Signal};
use crate::zap::ZapStep;

/// One thing to do. `G` and `T` are the payloads of thread groups and tasks.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Effect<G = (), T = ()> {
    /// The task is being killed: it must run no more user code and call [`exit`](crate::TaskSet::exit) as soon as it can.
    Kill {
        /// Who.
        task: TaskId,
    },
    /// The task has a signal to take with [`next_signal`](crate::TaskSet::next_signal).
    /// Only with [`Delivery::Simulated`](crate::Delivery::Simulated).
    SignalPending {
        /// Who should look.
        task: TaskId,
    },
    /// A signal passed all rules; have the host deliver it. Only with [`Delivery::Host`](crate::Delivery::Host).
    Deliver {
        /// The thread it is meant for, or any thread of the group if `group_wide`.
        task: TaskId,
        /// Whether any thread of the process may take it.
        group_wide: bool,
        /// What the receiver is to see.
        info: SigInfo,
    },
    /// Every thread of the group stops.
    Stop {
        /// Which process.
        group: GroupId,
        /// By which signal.
        signal: Signal,
    },
    /// Every thread of the group runs again.
    Continue {
        /// Which process.
        group: GroupId,
    },
    /// A `wait` of this process that ended in [`Block`](crate::WaitOutcome::Block) has to be called again.
    WakeWaiters {
        /// Whose threads.
        group: GroupId,
    },
    /// The task let go of its memory (by exec or exit): who waits in vfork(2) for it goes on. // CRE-27
    VforkDone {
        /// The vfork child.
        child: TaskId,
    },
    /// All other threads are gone: call [`exec`](crate::TaskSet::exec) again.
    ExecReady {
        /// The thread in execve(2).
        task: TaskId,
    },
    /// What the exiting init waited for may have happened: call [`exit_resume`](crate::TaskSet::exit_resume).
    ZapReady {
        /// The last thread of the init.
        task: TaskId,
    },
    /// The destruction of a namespace got to this step.
    Zap {
        /// Which namespace.
        ns: NsId,
        /// Which step begins.
        step: ZapStep,
    },
    /// A pid object that a pidfd was opened for changed state: wake its pollers. // PFD-02
    Pidfd {
        /// Which pid object.
        pid: PidId,
        /// What happened.
        event: PidfdEvent,
    },
    /// The task is gone; here is its payload back.
    TaskReleased {
        /// Its id, valid no more.
        task: TaskId,
        /// What the embedder had attached.
        payload: T,
    },
    /// The last task of the group is gone; here is the group's payload back.
    GroupReleased {
        /// Its id, valid no more.
        group: GroupId,
        /// What the embedder had attached.
        payload: G,
    },
    /// Nothing refers to the namespace any more: uncharge it from its owner. // CRE-18
    NamespaceReleased {
        /// Its id, valid no more.
        ns: NsId,
        /// The user namespace that it was charged to.
        owner: UserNs,
    },
    /// The root namespace's init ended: there is no going on. // ZAP-41
    Panic {
        /// How its last thread ended.
        status: ExitStatus,
    },
}

/// What a pidfd becomes readable for (poll(2) bits of pidfd_open(2)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PidfdEvent {
    /// Every thread of the process has exited: `POLLIN`.
    Exited,
    /// It was reaped: `POLLIN | POLLHUP`. The status stays available from the pidfd. // PFD-08
    Reaped(ExitStatus),
}

/// Where effects go.
///
/// A kernel that must not allocate gives a sink that acts at once on a field of the task (sets its "killed" bit, puts
/// it on a run queue); everybody else uses a `Vec` or a closure.
pub trait EffectSink<G = (), T = ()> {
    /// Takes the next effect.
    fn emit(&mut self, effect: Effect<G, T>);
}

impl<G, T> EffectSink<G, T> for Vec<Effect<G, T>> {
    fn emit(&mut self, effect: Effect<G, T>) {
        self.push(effect);
    }
}

impl<G, T> EffectSink<G, T> for alloc::collections::VecDeque<Effect<G, T>> {
    fn emit(&mut self, effect: Effect<G, T>) {
        self.push_back(effect);
    }
}

/// Adapts a closure to a sink.
pub struct FnSink<F>(pub F);

impl<G, T, F: FnMut(Effect<G, T>)> EffectSink<G, T> for FnSink<F> {
    fn emit(&mut self, effect: Effect<G, T>) {
        (self.0)(effect);
    }
}
