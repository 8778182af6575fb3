//! The PID-namespace subsystem of Linux as a state machine.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

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
pub use ns::{MAX_LEVEL, NsState};
pub use pidfd::{PidfdInfo, PidfdState};
pub use pidmap::PID_MAX_LIMIT;
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
