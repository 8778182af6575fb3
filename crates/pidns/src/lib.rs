//! Runs commands in PID namespaces of their own, which end with the command: no process outlives its purpose.
//!
//! [`Command`] reads like [`std::process::Command`]. What it starts is in a new PID namespace; when the command ends,
//! when [`Child`] is dropped, or when the calling process dies in whatever way, every process that is still in the
//! namespace is killed and reaped, and only then does [`Child::wait`] return.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! let mut job = pidns::Command::new("make").arg("test").timeout(Duration::from_secs(600)).spawn()?;
//! let status = job.wait()?; // nothing that make started is running any more
//! assert!(status.success());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The library installs no signal handler and changes no process-wide state; it may be called from any thread, and a
//! thread that started a job may end before it. Children are handled by pidfd, and how a command ended comes to be known
//! even if a `waitpid(-1)` elsewhere in the program has collected them, or SIGCHLD is ignored (with
//! [`Command::as_init`], since Linux 6.15). Launching costs the same however much memory the caller has.
//!
//! # Features
//! * `tokio`: jobs that can be awaited, in the module `tokio`.
//! * `tracing`: events for launches, changes and ends of jobs, of the target `pidns` and the level DEBUG.
//! * `serde`: [`Report`] and what it holds can be serialised.
#![forbid(unsafe_code)]

mod child;
mod command;
mod engine;
mod error;
mod namespace;
pub mod probe;
mod proc_files;
mod registry;
mod report;
mod status;
mod stdio;
#[cfg(feature = "tokio")]
pub mod tokio;
mod trace;

pub use child::{Change, Child};
pub use command::{Command, Descriptors, Leftovers, Map, Output, Proc};
pub use engine::{Engine, PassedOver};
pub use error::{SpawnError, Stage};
pub use namespace::{OpenError, PidNamespace, Process, Summary, Waited};
pub use pidns_sys::signal::{Signal, SignalSet, UnknownSignal};
pub use registry::{BadName, check_name};
pub use report::{Report, Times, Usage};
pub use status::ExitStatus;
pub use stdio::Stdio;
