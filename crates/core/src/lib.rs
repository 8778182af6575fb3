//! The PID-namespace subsystem as a state machine.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
