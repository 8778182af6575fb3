//! Run a command in a PID namespace of its own.
#![forbid(unsafe_code)]
