//! kill and its like. Core finds whom a signal reaches and whether it passes; the tracer sends it.
//!
//! The sender the host sees is the tracer; what the receiver is told is what core says, see `signal.rs`.

use pidns_core::{Pid, SigCode, SigInfo, Signal, SignalSource, UserInfo, Verdict};
use pidns_sys::ptrace::Tid;
use pidns_sys::ptrace::siginfo::{SIZE, SignalInfo};
use pidns_sys::{Errno, abi};

use super::call::{Entry, Handled, Outcome, errno};
use super::guest::Guest;
use super::memory;
use super::signal;
use super::tracer::Tracer;

pub(super) fn enter(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    let guest = Guest::new(tracer, entry.tid);
    signal::learn_inits(tracer, entry.id, target(entry));
    if entry.registers.call() == abi::SYS_rt_tgsigqueueinfo {
        return to_thread(tracer, entry, &guest);
    }
    let int = |index| entry.int(index);
    let number = match entry.registers.call() {
        abi::SYS_tkill => taken(tracer, entry, int(0), int(1)),
        abi::SYS_tgkill => taken(tracer, entry, int(1), int(2)),
        _ => int(1),
    };
    let (set, sink, id) = (&mut tracer.set, &mut tracer.effects, entry.id);
    let sent = match entry.registers.call() {
        abi::SYS_kill => set.kill(id, int(0), number, &guest, sink),
        abi::SYS_tkill => set.tgkill(id, None, int(0), number, &guest, sink),
        abi::SYS_tgkill => set.tgkill(id, Some(int(0)), int(1), number, &guest, sink),
        _ => {
            let info = information(entry.tid, entry.long(2))?;
            set.sigqueue(id, int(0), number, info, &guest, sink)
        }
    };
    sent.map_err(errno)?;
    // Who signals itself has the signal before the call returns.
    tracer.settle();
    Ok(Outcome::Done(0))
}

/// What `thread` takes of a signal: nothing once it has exited, not even SIGKILL, though its process lives. // SIG-16
fn taken(tracer: &Tracer, entry: &Entry, thread: i32, number: i32) -> i32 {
    let has_left = |tid| tracer.tasks.get(&tid).is_some_and(|task| task.left);
    let is_valid = Signal::from_raw(number).is_some();
    if is_valid && tracer.host_of(entry.id, thread).is_some_and(has_left) { 0 } else { number }
}

/// rt_tgsigqueueinfo(2): a thread is checked as tgkill(2) does, and gets what the caller says.
fn to_thread(tracer: &mut Tracer, entry: &Entry, guest: &Guest) -> Handled {
    let (process, thread, number) = (entry.int(0), entry.int(1), entry.int(2));
    let info = information(entry.tid, entry.long(3))?;
    let set = &mut tracer.set;
    set.tgkill(entry.id, Some(process), thread, 0, guest, &mut tracer.effects).map_err(errno)?;
    if (info.code.0 >= 0 || info.code == SigCode::TKILL)
        && set.getpid(entry.id).map(Pid::raw) != Ok(process)
    {
        return Err(Errno::PERM);
    }
    let Some(signal) = Signal::from_raw(number) else {
        return if number == 0 { Ok(Outcome::Done(0)) } else { Err(Errno::INVAL) };
    };
    let ns = set.ns_of(entry.id).map_err(errno)?;
    let target = Pid::from_raw(thread).and_then(|pid| set.find_task(ns, pid)).ok_or(Errno::SRCH)?;
    let UserInfo { code, pid, uid, value } = info;
    let info = SigInfo { signal, code, pid, uid, value };
    if let Ok(Verdict::Deliver { info }) = set.verdict(target, info, SignalSource::Task(entry.id)) {
        signal::send(tracer, target, false, info);
    }
    Ok(Outcome::Done(0))
}

/// Whom a call names, to learn what it does with signals if it is an init; 0 for several.
fn target(entry: &Entry) -> i32 {
    match entry.registers.call() {
        abi::SYS_tgkill | abi::SYS_rt_tgsigqueueinfo => entry.int(1),
        _ => entry.int(0).max(0),
    }
}

/// What a guest says comes with its signal.
pub(super) fn information(tid: Tid, at: u64) -> Result<UserInfo, Errno> {
    let info = SignalInfo::from_bytes(memory::read::<SIZE>(tid, at)?);
    Ok(UserInfo {
        code: SigCode(info.code()),
        pid: info.pid(),
        uid: info.uid(),
        value: info.value(),
    })
}
