//! The Linux system calls that pidns needs, as thin and safe functions.
//!
//! One module a topic. Nothing here decides anything: no retry, no fallback, no default. What a call means is in the
//! man page that its documentation names. Errors are [`Errno`], as the kernel gave them.
//!
//! This crate and `pidns-init` hold all the `unsafe` code of the project.
//!
//! * [`launch`]: start a process from a list of steps, without copying the caller's memory.
//! * [`signal`], [`pidfd`], [`wait`]: signals and the lives of processes.
//! * [`fd`], [`socket`], [`program`], [`poll`], [`tty`]: descriptors.
//! * [`mod@file`], [`system`], [`privilege`]: files, the machine, and who the caller is.
//! * [`awake`]: waiting without sleep, for what takes but a moment.
//! * [`ptrace`], [`memory_map`], [`seccomp`], [`landlock`]: tracing, filtering and confining processes; [`twin`]: a process of one's own
//!   that shares all memory.
//! * [`environ`]: the caller's environment, exactly.
//! * [`raw`]: calls as bare as the kernel has them, which the conformance cases play with.

#[cfg(target_arch = "x86_64")]
pub mod abi;
pub mod awake;
mod clone;
pub mod cpu;
pub mod environ;
pub mod fd;
pub mod file;
pub mod landlock;
pub mod launch;
pub mod memory_map;
pub mod pidfd;
pub mod poll;
pub mod privilege;
pub mod program;
pub mod ptrace;
pub mod raw;
pub mod seccomp;
pub mod signal;
pub mod socket;
pub mod system;
pub mod tty;
pub mod twin;
pub mod wait;

pub use rustix::io::Errno;

/// A system call's result.
pub type Result<T> = core::result::Result<T, Errno>;
