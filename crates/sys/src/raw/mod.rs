//! Calls as bare as the kernel has them, for callers that probe it: they take every integer that the kernel takes, also those
//! that a typed interface would refuse, and hand back the bare error number.
//!
//! * [`clone`], [`wait`], [`signal`], [`ids`], [`ns`], [`trace`]: the calls, by topic.
//! * [`channel`]: how a director speaks with the processes that make them.
//! * [`errno`]: their error.

pub mod channel;
pub mod clone;
pub mod errno;
pub mod ids;
pub mod ns;
pub mod signal;
pub mod trace;
pub mod wait;
