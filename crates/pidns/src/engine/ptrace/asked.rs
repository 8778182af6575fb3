//! Paths, looked at where they are asked about: by a thread of the caller, which the filter's questions go to.
//!
//! Nearly all paths have nothing to do with /proc, and there are many: a compiler looks for its headers. Stops would make
//! the one tracer their bottleneck. A question is answered on the cpu of who asks, by [`serve`], which knows nothing of
//! tasks: what a path's text leaves open it hands over to the tracer. It sends the task a marked SIGSTOP, and answers as if
//! that had interrupted the call; the task stops for its tracer before it would take the signal, and
//! [`made::handed_over`](super::made) goes on as at a call's entry. The call that the tracer then has the task make is
//! asked about again, and so gets a *pass*.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pidns_sys::ptrace::Tid;
use pidns_sys::ptrace::siginfo::SignalInfo;
use pidns_sys::seccomp::listener::{Listener, Question};
use pidns_sys::{Errno, abi, pidfd};

use super::locks::{lock, lock_soon};
use super::memory::PathBuffer;
use super::path;
use super::site::{self, Sites};

/// In `si_errno` of the signal by which a call is handed over.
pub(super) const HAND_OVER: u16 = 0x5050;

/// What the tracer and the threads that are asked share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The call sites that look at paths themselves, where there may be any.
    pub(super) sites: Option<Sites>,
    /// Processes whose working directory is in /proc.
    visitors: AtomicUsize,
    passes: Mutex<HashMap<Tid, Pass>>,
    /// How many passes there are.
    given: AtomicUsize,
}

/// Where the filter asks, and what whoever answers has to know.
pub(super) type Questions = (Listener, Arc<Shared>);

/// Leave to make a call.
#[derive(Debug)]
struct Pass {
    call: i64,
    path: Vec<u8>,
}

impl Shared {
    pub(super) fn new(sites: Option<Sites>) -> Self {
        Self { sites, ..Self::default() }
    }

    /// Lets `tid` make this call once with this path.
    pub(super) fn give_pass(&self, tid: Tid, call: i64, path: Vec<u8>) {
        let mut passes = lock(&self.passes);
        passes.insert(tid, Pass { call, path });
        self.given.store(passes.len(), Ordering::Release);
    }

    /// A task is gone, or on to something else.
    pub(super) fn take_pass(&self, tid: Tid) {
        if self.given.load(Ordering::Acquire) > 0 {
            let mut passes = lock(&self.passes);
            passes.remove(&tid);
            self.given.store(passes.len(), Ordering::Release);
        }
    }

    /// Whether the task may make the call; `None` for a path that cannot be read from outside.
    fn has_pass(&self, question: &Question, path: Option<&[u8]>) -> bool {
        if self.given.load(Ordering::Acquire) == 0 {
            return false;
        }
        let Some(passes) = lock_soon(&self.passes) else { return false };
        passes.get(&question.tid).is_some_and(|pass| {
            pass.call == question.call && path.is_none_or(|path| path == pass.path)
        })
    }
}

/// Held by a process whose working directory is in /proc: relative paths may lead there.
#[derive(Debug)]
pub(super) struct Visit(Arc<Shared>);

impl Visit {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        shared.visitors.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(shared))
    }
}

impl Clone for Visit {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.visitors.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Answers questions until nobody is left to ask.
pub(super) fn serve(listener: &Listener, shared: &Shared) {
    let mut buffer = PathBuffer::default();
    let mut counts = site::Counts::new();
    let mut row = Row::default();
    while let Ok(Some(question)) = listener.next() {
        // Without it, questions take longer.
        let _ = listener.wake_here(row.is_one());
        // An error means that the task was killed.
        let _ = if concerns_tracer(&question, shared, &mut buffer) {
            hand_over(listener, &question)
        } else {
            if let Some(sites) = &shared.sites
                && counts.add(sites.program(question.tid), question.call, question.instruction)
            {
                let Question { tid, call, instruction, .. } = question;
                sites.learn(tid, call, instruction, || listener.is_waiting(&question).is_ok());
            }
            listener.proceed(&question)
        };
        row.answered();
    }
}

/// Whether one question follows the other.
#[derive(Default)]
struct Row {
    answered: Option<Instant>,
    length: u32,
}

impl Row {
    /// A question that comes within this time of the last answer follows it.
    const SOON: Duration = Duration::from_micros(100);
    const LONG: u32 = 8;

    /// A question has come: says whether many have, one soon after the other.
    fn is_one(&mut self) -> bool {
        let soon = self.answered.is_some_and(|answered| answered.elapsed() < Self::SOON);
        self.length = if soon { self.length.saturating_add(1) } else { 0 };
        self.length >= Self::LONG
    }

    fn answered(&mut self) {
        self.answered = Some(Instant::now());
    }
}

fn concerns_tracer(question: &Question, shared: &Shared, buffer: &mut PathBuffer) -> bool {
    let Question { tid, call, arguments, .. } = *question;
    let (index, _) = path::argument(call, arguments[0] as i32);
    match buffer.read(tid, arguments[index]) {
        Ok(path) => {
            let visitors = shared.visitors.load(Ordering::Acquire) > 0;
            path::may_be_in_proc(call, path, visitors) && !shared.has_pass(question, Some(path))
        }
        // The kernel says so itself.
        Err(Errno::FAULT | Errno::NAMETOOLONG) => false,
        Err(_) => !shared.has_pass(question, None),
    }
}

/// Interrupts the call for the tracer. The task is held by a pidfd, of which the question says that it is still its own.
fn hand_over(listener: &Listener, question: &Question) -> Result<(), Errno> {
    let task = pidfd::open_task(question.tid)?;
    listener.is_waiting(question)?;
    let info = SignalInfo::marked(abi::SIGSTOP, HAND_OVER, 0, 0, 0, 0);
    pidfd::queue_signal(&task, &info)?;
    listener.interrupt(question)
}
