//! PID namespaces of our own, for unmodified programs, where the kernel gives none.
//!
//! ```text
//! caller ── thread ── twin: the tracer ──launch──> number 1 ──> the command ──> ...
//!                          TaskSet (pidns-core)      │ filter     │
//!                          waitpid(-1) <─────────────┴── stops ───┘
//! ```
//! `pidns-core` is the process table: every number, every decision. seccomp(2) picks the calls that carry a number
//! ([`filter`]), ptrace(2) carries them to the tracer, which asks core and answers, or lets the kernel do the call with
//! numbers of the host's ([`call`]). Needs no privilege and no kernel namespace.
//!
//! # Decisions
//! * **The tracer is a twin** ([`pidns_sys::twin`]): a process of its own that shares the caller's memory. As a thread it
//!   would have its tracees found by every `waitpid(-1)` of the program, and could be no subreaper. It dies with the
//!   thread that runs it, and all tracees with it (`PTRACE_O_EXITKILL`).
//! * **The tree is the host's where it can be.** Children are the host's children of their parents, sessions and groups
//!   are the host's: so wait blocks, restarts and reports stops natively, and terminals work. Orphans become the
//!   tracer's; whom core gives them to learns of their end from us ([`wait`]).
//! * **/proc by path.** Nothing can be mounted, and a filter cannot read paths. So paths from the root or the working
//!   directory are looked at, by a thread that the filter asks ([`asked`]) or else by the tracer, some 3 µs each; a place in
//!   a program that asks often is made to look by itself ([`site`]). Those relative to a descriptor are left alone: by
//!   these `find` and its like walk. Who opens a directory of /proc, or the root directory, gets a second filter, and is
//!   looked at there too ([`filter`]). Texts that hold numbers are given as memory files, made at the open.
//! * **Landlock, where it is there**, keeps signals and tracing inside even if all else failed.
//! * **An init ends at its exit stop**: that is before its memory and descriptors go, as the patch of 2007 had it.
//!
//! # Neighbours
//! [`tracer`] is the event loop. [`clone`], [`birth`], [`exec`], [`exit`], [`wait`], [`kill`], [`signal`], [`session`],
//! [`namespaces`], [`pidfd`] and so on handle a family of calls each; [`path`] and [`procfs`] give the view of /proc.

mod affinity;
mod asked;
mod birth;
mod call;
mod clone;
mod credentials;
mod descriptor;
mod exec;
mod exit;
mod filter;
mod guest;
mod host;
mod ids;
mod install;
mod ipc;
mod job;
mod kill;
mod locks;
mod made;
mod memory;
mod namespaces;
mod other;
mod path;
mod pidfd;
mod precedence;
mod procfs;
mod recent;
mod robust;
mod session;
mod signal;
mod site;
mod start;
mod switches;
mod sysctl;
mod task;
mod terminal;
mod tracer;
mod wait;

pub(crate) use job::launch;
