//! Number 1 of a PID namespace: a tiny static program, and what it says to its supervisor.
//!
//! [`IMAGE`] is the program: freestanding, some 23 kB, ready to be written to a file or to a sealed memfd and executed.
//! It can be two things.
//!
//! * **The entrypoint of a container**, or a subreaper: `pidns-init [OPTION]... [--] PROGRAM [ARG]...`, with tini's
//!   options. It passes signals on, reaps, and exits as PROGRAM does. README.md has the details.
//! * **Supervised**: `pidns-init --supervised -- PROGRAM [ARG]...` with a socket on
//!   [`CONTROL_FD`](protocol::CONTROL_FD) and a pidfd of the supervisor on [`WATCH_FD`](protocol::WATCH_FD). What the two
//!   say to each other is in [`protocol`]. It is number 1 of a namespace that the supervisor has made, or guards one from
//!   outside ([`Role`](protocol::Role)); and when the supervisor is gone, however it went, so is the namespace.
//!
//! The library has no code of its own and no dependencies. Its neighbours: `build.rs`, which compiles the program from
//! `src/freestanding.rs` and `src/program/`; `src/main.rs`, which becomes the program; the crate `pidns`, whose kernel
//! engine is the supervisor.
//!
//! ```
//! assert!(pidns_init::IMAGE.starts_with(b"\x7fELF"));
//! ```

#![no_std]

pub mod protocol;

// Compiled for itself by `build.rs`; here only to be tested and checked.
#[cfg(any(test, clippy))]
#[expect(dead_code, reason = "only the freestanding program calls what is in here")]
mod program;

/// The program: a static ELF executable for this target that needs nothing but the kernel.
pub const IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pidns-init"));

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
