//! The PID-namespace subsystem of Linux as a state machine: pid maps, threads, process groups, signals, wait, exit, and
//! the destruction of a namespace when its init dies.
//!
//! Everything is one value, [`TaskSet`]. Operations are named after the system calls, take `&mut self`, return their
//! result or an [`Errno`], and append what has to be done to an [`EffectSink`]. There is no lock, clock, thread or I/O,
//! no global, and no `unsafe`; memory is allocated fallibly. Several sets live side by side.
//!
//! The rules are those of Linux 6.18, observed on that kernel row by row; comments like `// ZAP-05` name the row, and
//! [`Quirks`] the few things that differ between versions.
//!
//! # Words
//! A *task* ([`TaskId`]) is a thread; a *thread group* ([`GroupId`]) is a process. A *pid object* ([`PidId`]) has one
//! number ([`Pid`]) per level and is held by roles: thread, process, process group, session. A *namespace* ([`NsId`]) is
//! a map of numbers at a level. Ids are never used twice; a number means nothing without its namespace ([`Upid`]).
//!
//! # For embedders
//! **Locks.** Put one `TaskSet` under one lock of yours (Linux: `tasklist_lock` with `pidmap_lock` and `siglock` inside
//! it; here there is nothing inside it). Order: *your locks on files, memory and credentials, then the lock of the set,
//! then run-queue and wait-queue locks*. Under the set's lock never sleep, allocate for yourself, or call back into the
//! set: effects are appended, not called, so that no rule ever runs in the middle of another.
//!
//! **Effects.** Either drain a list after the set's lock is released, in order; or let the sink act at once under the
//! lock, which needs no memory, as long as all it does is to mark a task and wake it. A task then acts by itself when it
//! is next scheduled: on [`Effect::Kill`] it calls [`TaskSet::exit`], on [`Effect::SignalPending`]
//! [`TaskSet::next_signal`], on [`Effect::ZapReady`] [`TaskSet::exit_resume`], on [`Effect::WakeWaiters`]
//! [`TaskSet::wait`] again. Effects may be late and may have become stale: an id that is gone is `ESRCH`, harmlessly.
//! None may be lost, except `WakeWaiters` towards a task that has returned from wait meanwhile. Payloads come back in
//! [`Effect::TaskReleased`] and [`Effect::GroupReleased`]; drop them outside the lock.
//!
//! **Blocking** is a return value: [`WaitOutcome::Block`], [`ExitOutcome::AwaitZap`], [`ExecOutcome::AwaitThreads`].
//! Register the sleeper before you release the set's lock, and no wake-up is lost.
//!
//! **fork.** [`TaskSet::reserve`], then your own fallible work without the lock if you like, then [`TaskSet::publish`],
//! which cannot fail, or [`TaskSet::abandon`]. The caller cannot exit in between. Signals to a process group that arrive
//! between the two do not reach the child; hold the lock across, or reserve late. A SIGKILL is never missed: a child of
//! a condemned caller or of a closed namespace is born dead.
//!
//! **Signals.** With [`Delivery::Simulated`] the set keeps pending signals and runs default actions. With
//! [`Delivery::Host`], for an engine over real processes, it only decides: what passes becomes [`Effect::Deliver`], and
//! the host's news come back through [`TaskSet::exit`], [`TaskSet::note_stopped`] and [`TaskSet::note_continued`]. The
//! question by itself is [`TaskSet::verdict`].
//!
//! **Privilege** is asked for through [`Authority`].
//!
//! `examples/toy_kernel.rs` is all of this in a page; [`Inline`] is an embedder for tests and simulations.
//!
//! # Invariants
//! `TaskSet::check_invariants` (feature `check`) checks after every operation of the tests:
//! 1. A process has a leader among its threads, and counts its threads and its live threads right.
//! 2. A process without live threads has a decided status; a dying one is not stopped.
//! 3. Parent and child know each other; a parent is never a zombie, and its namespace is the child's or an ancestor.
//! 4. The counts of children (by kind, ended, changed) of each thread are what a walk finds.
//! 5. A zombie that is no leader is traced; a task stays in exit only to destroy its namespace.
//! 6. Each pid object is held by a role or a reservation, and each of its numbers leads back to it.
//! 7. A namespace counts as many pid objects as its map has numbers, and has at least the references known.
//! 8. The reaper of a living namespace is a live thread of the process with number 1; while it is destroyed no thread of
//!    its init lives; when it is dead nobody but init has a number in it.
//! 9. No signal record, tracer pair or subreaper count outlives its use.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod bug;
#[cfg(any(test, feature = "check"))]
pub mod check;
mod clone;
mod deliver;
mod effect;
mod errno;
mod exec;
mod exit;
mod family;
mod id;
mod inline;
mod jobctl;
mod kill;
mod map_arena;
mod ns;
mod numbers;
mod pidfd;
mod pidmap;
mod pids;
mod prctl;
mod privilege;
mod reboot;
mod reparent;
mod ring;
#[cfg(any(test, feature = "check"))]
pub mod script;
mod send;
mod session;
mod set;
mod signal;
mod slab;
mod sysctl;
mod task;
mod trace;
mod view;
mod wait;
pub mod wait_abi;
mod zap;

pub use clone::{CloneArgs, CloneFlags, ForkGuard, Reservation};
pub use deliver::NextSignal;
pub use effect::{Effect, EffectSink, FnSink, PidfdEvent};
pub use errno::{Errno, Result};
pub use exec::ExecOutcome;
pub use exit::ExitOutcome;
pub use id::{GroupId, NsId, Pid, PidId, TaskId, Upid};
pub use inline::Inline;
pub use kill::UserInfo;
pub use map_arena::MapArena;
pub use ns::{MAX_LEVEL, NsState};
pub use pidfd::{PidfdInfo, PidfdState};
pub use pidmap::{PID_MAX_LIMIT, PidMap};
pub use prctl::ChildSubreaper;
pub use privilege::{Authority, Capability, Root, UserNs};
pub use reboot::{RebootCommand, RebootOutcome};
pub use send::{SignalSource, Verdict};
pub use set::{Config, Delivery, Quirks, TaskSet};
pub use signal::{ActionFlags, Disposition, ExitStatus, SigCode, SigInfo, SigSet, Signal};
pub use sysctl::PID_MAX_MIN;
pub use task::TaskState;
pub use trace::OnTracerExit;
pub use wait::{WaitOptions, WaitOutcome, WaitReport, WaitTarget};
pub use zap::ZapStep;
