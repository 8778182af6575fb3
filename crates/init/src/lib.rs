//! Number 1 of a PID namespace: a tiny static program, and what it says to its supervisor.

#![no_std]

pub mod protocol;

#[cfg(any(test, clippy))]
#[expect(dead_code, reason = "only the freestanding program calls what is in here")]
mod program;

/// The program: a static ELF executable for this target that needs nothing but the kernel.
pub const IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pidns-init"));
