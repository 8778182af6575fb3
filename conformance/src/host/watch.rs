//! Tells from /proc whether a task is at rest.
//!
//! All tasks are at rest at one moment if two looks in a row find each asleep, stopped or dead with the same count of context
//! switches: then each has been so from its first to its second look, and the end of the first round lies in all of these
//! spans. As nothing but the director brings the world to move, that state lasts until it does. No guess of a time is needed.
//!
//! Two moments would escape this: a task shows as a zombie before its parent is woken, and one that reaps itself has left /proc
//! before it gives its numbers back. Against the first, director and actors share one cpu ([`share_one_cpu`]): while the
//! director looks, nobody else is in the middle of anything. Against the second, actors go before the director on it, where
//! real-time priorities are allowed ([`go_first`]), and the director sleeps for a moment after a task has vanished.

use pidns_sys::raw_ids;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Binds the calling thread, and the actors that it will start, to one cpu: to another one for each director.
pub(super) fn share_one_cpu() {
    static DIRECTORS: AtomicUsize = AtomicUsize::new(0);
    let cpus = raw_ids::allowed_cpus();
    let turn = DIRECTORS.fetch_add(1, Ordering::Relaxed);
    if let Some(cpu) = cpus.get(turn % cpus.len().max(1)) {
        let _ = raw_ids::pin_to_cpu(*cpu);
    }
    let _ = raw_ids::set_fifo_priority(1);
}

/// Lets the calling process and its children run before the director whenever they can.
pub(super) fn go_first() {
    let _ = raw_ids::set_fifo_priority(2);
}

/// A task of the world.
#[derive(Debug)]
pub(super) struct Watched {
    /// Its process, as the director sees it.
    pub(super) process: i32,
    status: File,
    syscall: PathBuf,
}

/// What one look at a task shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It may go on by itself.
    Moving,
    /// It sleeps or is stopped; with the count of its context switches.
    AtRest(u64),
    /// It is a zombie.
    Zombie,
    /// It is no longer there.
    Vanished,
}

/// What a task may be doing, as far as the director knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// It has answered and waits for a request: any sleep is rest.
    Waiting,
    /// It is inside a call: only the sleep of a call that can block is rest.
    Calling,
}

/// Calls that sleep until somebody else does something: clone and vfork (until the child lets go of the memory), exit (init's),
/// the waits.
const BLOCKING: &[&str] = &["56", "58", "60", "61", "128", "231", "247", "435"];

impl Watched {
    /// Starts to watch thread `name` of `process`, or its only thread.
    pub(super) fn find(process: i32, name: &str) -> io::Result<Self> {
        let mut found = process;
        for entry in fs::read_dir(format!("/proc/{process}/task"))? {
            let entry = entry?;
            let comm = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            if comm.trim_end() == name {
                found = entry.file_name().to_string_lossy().parse().unwrap_or(process);
            }
        }
        Self::thread(process, found)
    }

    /// Starts to watch one thread.
    pub(super) fn thread(process: i32, thread: i32) -> io::Result<Self> {
        let path = PathBuf::from(format!("/proc/{process}/task/{thread}"));
        let status = File::open(path.join("status"))?;
        Ok(Self { process, status, syscall: path.join("syscall") })
    }

    /// Looks.
    pub(super) fn look(&self, expected: Expected) -> Look {
        let mut buffer = [0u8; 4096];
        let Ok(len) = self.status.read_at(&mut buffer, 0) else {
            return Look::Vanished;
        };
        let text = String::from_utf8_lossy(&buffer[..len]);
        let state = field(&text, "State:").and_then(|rest| rest.chars().next());
        match state {
            Some('Z') => Look::Zombie,
            Some('T' | 't' | 'I') => Look::AtRest(switches(&text)),
            Some('S') if expected == Expected::Waiting => Look::AtRest(switches(&text)),
            Some('S' | 'D') if self.is_in_blocking_call() => Look::AtRest(switches(&text)),
            _ => Look::Moving,
        }
    }

    fn is_in_blocking_call(&self) -> bool {
        let line = fs::read_to_string(&self.syscall).unwrap_or_default();
        line.split(' ').next().is_some_and(|number| BLOCKING.contains(&number))
    }
}

fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim_start)
}

fn switches(text: &str) -> u64 {
    let count =
        |key| field(text, key).and_then(|value| value.trim().parse::<u64>().ok()).unwrap_or(0);
    count("voluntary_ctxt_switches:") + count("nonvoluntary_ctxt_switches:")
}
