//! Thin, safe wrappers of Linux system calls.

pub mod raw_channel;
pub mod raw_clone;
pub mod raw_errno;
pub mod raw_ids;
pub mod raw_ns;
pub mod raw_signal;
pub mod raw_wait;
