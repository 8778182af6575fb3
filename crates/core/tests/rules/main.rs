//! Linux' rules for PID namespaces, one test a behaviour, one file a topic. Each test names the row of the behaviour
//! table that it shows in the comment above it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

mod creation;
mod init_protection;
mod memory;
mod namespace_files;
mod numbers;
mod pidfds;
mod reboot;
mod reparenting;
mod sender;
mod set_tid;
mod stop_continue;
mod threads_exec;
mod tracing;
mod waiting;
mod zap;
mod zap_hangs;
