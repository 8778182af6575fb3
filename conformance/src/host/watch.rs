//! Tells from /proc whether a task is at rest.
//!
//! All tasks are at rest at one moment if two looks in a row find each asleep, stopped or dead with the same count of context
//! switches: then each has been so from its first to its second look, and the end of the first round lies in all of these
//! spans. As nothing but the director brings the world to move, that state lasts until it does. No guess of a time is needed.
//!
//! Two moments would escape this. A task shows as a zombie before its parent is woken: therefore director and actors share one cpu
//! ([`share_one_cpu`]), so that while the director looks, nobody else is in the middle of anything. And a task that reaps itself
//! leaves /proc before it gives its numbers back, for which an init may be waiting: therefore the director asks after the number
//! of those who have vanished ([`Leavers`]).

use pidns_sys::raw;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Binds the calling thread, and the actors that it will start, to one cpu: to another one for each director.
pub(super) fn share_one_cpu() {
    static DIRECTORS: AtomicUsize = AtomicUsize::new(0);
    let cpus = raw::ids::allowed_cpus();
    let turn = DIRECTORS.fetch_add(1, Ordering::Relaxed);
    if let Some(cpu) = cpus.get(turn % cpus.len().max(1)) {
        let _ = raw::ids::pin_to_cpu(*cpu);
    }
}

/// A task of the world.
#[derive(Debug)]
pub(super) struct Watched {
    /// Its process, as the director sees it.
    pub(super) process: i32,
    /// The thread, likewise.
    pub(super) number: i32,
    status: File,
    syscall: Option<File>,
}

/// What one look at a task shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It may go on by itself.
    Moving,
    /// It sleeps; with the count of its context switches.
    AtRest(u64),
    /// It is stopped, or about to die: it takes no request.
    Held(u64),
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
    /// As before, and the call is vfork, which sleeps uninterruptibly.
    Lending,
}

/// Calls that sleep until somebody else does something: exit (of an init), the waits.
const WAITING: &[&str] = &["60", "61", "128", "231", "247"];
/// Calls that sleep uninterruptibly until the child lets go of the memory: clone, vfork, clone3.
const FORKING: &[&str] = &["56", "58", "435"];

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
        Ok(Self { process, number: thread, status, syscall: File::open(path.join("syscall")).ok() })
    }

    /// Looks.
    pub(super) fn look(&self, expected: Expected) -> Look {
        let mut buffer = [0u8; 4096];
        let Some(text) = read(&self.status, &mut buffer) else {
            return Look::Vanished;
        };
        let state = field(text, "State:").and_then(|rest| rest.chars().next());
        match (state, self.call()) {
            (Some('Z'), _) => Look::Zombie,
            (_, Call::Running) => Look::Moving,
            (Some('T' | 't' | 'I'), _) => Look::Held(switches(text)),
            (Some('S'), _) if has_no_memory(text) => Look::Held(switches(text)),
            (Some('S'), _) if expected == Expected::Waiting => Look::AtRest(switches(text)),
            (Some('S'), Call::Waiting) => Look::AtRest(switches(text)),
            (Some('D'), Call::Forking) if expected == Expected::Lending => {
                Look::AtRest(switches(text))
            }
            _ => Look::Moving,
        }
    }

    /// Reads in which call the task sleeps. A task may show state S and still run, or be about to: this file tells, for the
    /// kernel makes it only of a task that has left the run queue.
    fn call(&self) -> Call {
        let mut buffer = [0u8; 256];
        let line = self.syscall.as_ref().and_then(|file| read(file, &mut buffer));
        match line.and_then(|line| line.split_whitespace().next()) {
            Some("running") => Call::Running,
            Some(number) if WAITING.contains(&number) => Call::Waiting,
            Some(number) if FORKING.contains(&number) => Call::Forking,
            _ => Call::Other,
        }
    }

    /// Says what the task is doing, for a person.
    pub(super) fn describe(&self) -> String {
        let mut buffer = [0u8; 4096];
        let text = read(&self.status, &mut buffer).unwrap_or_default();
        let state = field(text, "State:").unwrap_or("none");
        format!("state {state} in call {:?}", self.call())
    }
}

/// Tasks that have left /proc and may not be gone for good.
#[derive(Debug, Default)]
pub(super) struct Leavers {
    numbers: Vec<(i32, Instant)>,
    probe: Option<File>,
}

impl Leavers {
    /// How long to wait for a number that something else may hold: a session, which cannot be asked for.
    const PATIENCE: Duration = Duration::from_millis(20);

    /// Notes that the task of this number has vanished.
    pub(super) fn add(&mut self, number: i32) {
        self.numbers.push((number, Instant::now()));
    }

    /// Notes that a thread has made way for another one of its process that executed a program, and took over the number of
    /// the process.
    pub(super) fn add_thread(&mut self, watched: &Watched) {
        if watched.number != watched.process {
            self.add(watched.number);
        }
    }

    /// Says whether one of them is still there.
    pub(super) fn any_left(&mut self) -> bool {
        if self.numbers.is_empty() {
            return false;
        }
        let probe = self.probe.take().or_else(|| File::open("/dev/null").ok());
        self.numbers.retain(|(number, since)| {
            let taken =
                probe.as_ref().is_some_and(|probe| raw::ids::is_number_taken(probe, *number));
            let held_otherwise = || {
                Path::new(&format!("/proc/{number}")).exists()
                    || raw::signal::kill(-number, 0).is_ok()
            };
            taken && since.elapsed() < Self::PATIENCE && !held_otherwise()
        });
        self.probe = probe;
        !self.numbers.is_empty()
    }
}

/// The call in which a task sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// None, it runs.
    Running,
    /// One that may sleep for ever.
    Waiting,
    /// One that may sleep for ever, and not be interrupted.
    Forking,
    /// Another, or it is not told.
    Other,
}

/// Reads a file of /proc anew; `None` once its task is gone.
fn read<'a>(file: &File, buffer: &'a mut [u8]) -> Option<&'a str> {
    let len = file.read_at(buffer, 0).ok()?;
    std::str::from_utf8(&buffer[..len]).ok()
}

fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim_start)
}

/// A task that has given up its memory and sleeps is an init that waits for the end of its namespace.
fn has_no_memory(text: &str) -> bool {
    field(text, "VmSize:").is_none()
}

fn switches(text: &str) -> u64 {
    let count =
        |key| field(text, key).and_then(|value| value.trim().parse::<u64>().ok()).unwrap_or(0);
    count("voluntary_ctxt_switches:") + count("nonvoluntary_ctxt_switches:")
}
