//! wait4 and waitid.
//!
//! Children that the host has as such are waited for by the host, with its numbers: it blocks, restarts after signals
//! and reports stops as it does for everybody. Core is told which one was collected. An orphan, though, has another
//! parent here than on the host, where the tracer collects it at once: such a child is core's alone, and whoever waits
//! while it has one asks core first. A wait that core wants to go on is interrupted and made again.
//!
//! What a wait has found is translated at its end, where it stops; or at the stop of the signal that comes with it, if one is
//! sure to ([`is_signalled`]), and then that is its only stop.

use pidns_core::{GroupId, Pid, TaskId, WaitOptions, WaitOutcome, WaitReport, WaitTarget};
use pidns_sys::ptrace::siginfo::{PID_OFFSET, SIZE, SignalInfo};
use pidns_sys::ptrace::{self, Tid};
use pidns_sys::signal::Signal;
use pidns_sys::{Errno, abi};

use super::call::{Conclusion, Entry, Handled, Outcome, errno};
use super::task::{After, Pending, Phase, Process, Wait, WaitKind};
use super::tracer::Tracer;
use super::{memory, session, switches};

pub(super) fn enter(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    switches::turn_on(tracer, entry.tid);
    if tracer.process_of(entry.tid).is_some_and(|process| process.adopted > 0) {
        return mixed(tracer, entry);
    }
    let (outcome, options) = match arguments(entry) {
        Some(Ok((target, options))) => (peek(tracer, entry, target, options), options),
        _ => return native(tracer, entry),
    };
    // Core knows of every end before the host tells the parent; but of stops and continuations the host's parent may know
    // before us.
    let only_ends = !options.intersects(WaitOptions::STOPPED | WaitOptions::CONTINUED);
    match outcome {
        Err(pidns_core::Errno::ECHILD) => Err(Errno::CHILD),
        Ok(WaitOutcome::Nothing) if only_ends => {
            if looks_for_any(entry) {
                switches::note(tracer, entry);
                switches::turn_on(tracer, entry.tid);
            }
            nothing(entry)
        }
        Ok(WaitOutcome::Block) if only_ends && is_signalled(tracer, entry.tid, options) => {
            native(tracer, entry).map(in_signal)
        }
        _ => native(tracer, entry),
    }
}

/// Says whether it is a call that its place can make by itself, if it often finds nothing.
fn looks_for_any(entry: &Entry) -> bool {
    entry.registers.call() == abi::SYS_wait4 && (entry.int(0), entry.int(2)) == (-1, abi::WNOHANG)
}

/// What core would say at once.
fn peek(
    tracer: &mut Tracer,
    entry: &Entry,
    target: WaitTarget,
    options: WaitOptions,
) -> pidns_core::Result<WaitOutcome> {
    tracer.set.wait(entry.id, target, options | WaitOptions::NOWAIT, &mut tracer.effects)
}

/// Whether a wait that blocks can end in no other way than with a signal for the caller. The end of a child is told by
/// SIGCHLD, which a tracee stops for even if it does nothing by default; unless it is ignored, or blocked, or another thread
/// may take it, or the child is one of those that tell by another signal or none; or has been a zombie for long, which core
/// does not know.
fn is_signalled(tracer: &Tracer, tid: Tid, options: WaitOptions) -> bool {
    let plain = (WaitOptions::EXITED | WaitOptions::NOWAIT).contains(options);
    let alone = |process: &Process| {
        process.threads.len() == 1 && !process.ignores_children && process.strangers == 0
    };
    plain
        && tracer.process_of(tid).is_some_and(alone)
        && ptrace::signal_mask(tid).is_ok_and(|mask| !mask.contains(Signal::CHLD))
}

fn in_signal(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Then(After::Wait(wait)) => {
            Outcome::Then(After::Wait(Wait { ends_in_signal: true, ..wait }))
        }
        other => other,
    }
}

/// Lets the host do it, with its own numbers.
fn native(tracer: &Tracer, entry: &mut Entry) -> Handled {
    if entry.registers.call() == abi::SYS_wait4 {
        match entry.int(0) {
            0 | -1 | i32::MIN => {}
            number @ 1.. => entry.set_int(0, host_child(tracer, entry, number)?),
            group => {
                let host = session::host_group(tracer, entry.id, -group).ok_or(Errno::CHILD)?;
                entry.set_int(0, -host);
            }
        }
    } else {
        match (entry.int(0).cast_unsigned(), entry.int(1)) {
            (abi::P_PID, number @ 1..) => entry.set_int(1, host_child(tracer, entry, number)?),
            (abi::P_PGID, group @ 1..) => {
                let host = session::host_group(tracer, entry.id, group).ok_or(Errno::CHILD)?;
                entry.set_int(1, host);
            }
            _ => {}
        }
    }
    by_host(entry)
}

fn host_child(tracer: &Tracer, entry: &Entry, number: i32) -> Result<i32, Errno> {
    tracer.host_of(entry.id, number).map(Tid::number).ok_or(Errno::CHILD)
}

/// The host does it, with its own numbers. waitid(2) tells the number in memory only; a caller that does not want it gets room
/// below its stack.
fn by_host(entry: &mut Entry) -> Handled {
    let (mut scratch, ends_in_signal) = (None, false);
    if entry.registers.call() == abi::SYS_wait4 {
        let (at, kind) = (entry.long(1), WaitKind::Wait4);
        return Ok(Outcome::Then(After::Wait(Wait { at, kind, scratch, ends_in_signal })));
    }
    let peek = entry.int(3) & abi::WNOWAIT != 0;
    let mut at = entry.long(2);
    if at == 0 {
        at = memory::scratch(entry.registers.stack_pointer(), SIZE);
        scratch = Some((at, memory::read_up_to(entry.tid, at, SIZE)?));
        entry.registers.set_argument(2, at);
    }
    let kind = WaitKind::Waitid { peek };
    Ok(Outcome::Then(After::Wait(Wait { at, kind, scratch, ends_in_signal })))
}

/// The caller has children that only core knows as such, and perhaps others.
fn mixed(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    let (target, options) = match arguments(entry) {
        Some(parsed) => parsed.map_err(errno)?,
        None => return native(tracer, entry),
    };
    let peek = options | WaitOptions::NOWAIT;
    let outcome = tracer.set.wait(entry.id, target, peek, &mut tracer.effects).map_err(errno)?;
    match outcome {
        WaitOutcome::Ready(report) if is_adopted(tracer, entry.tid, report.group) => {
            let report = if options.contains(WaitOptions::NOWAIT) {
                report
            } else {
                match tracer.set.wait(entry.id, target, options, &mut tracer.effects) {
                    Ok(WaitOutcome::Ready(report)) => report,
                    _ => report,
                }
            };
            tell(entry, &report)
        }
        WaitOutcome::Ready(report) => {
            exactly(tracer, entry, report.group);
            by_host(entry)
        }
        WaitOutcome::Block | WaitOutcome::Nothing if has_own_children(tracer, entry) => {
            native(tracer, entry)
        }
        WaitOutcome::Block => {
            entry.registers.set_call(abi::SYS_pause);
            Ok(Outcome::Then(After::WaitInPause))
        }
        WaitOutcome::Nothing => nothing(entry),
    }
}

type Parsed = pidns_core::Result<(WaitTarget, WaitOptions)>;

/// `None` for a wait by pidfd, which the host can do by itself or not at all.
fn arguments(entry: &Entry) -> Option<Parsed> {
    if entry.registers.call() == abi::SYS_wait4 {
        return Some(pidns_core::wait_abi::wait4(entry.int(0), entry.int(2).cast_unsigned()));
    }
    let kind = entry.int(0).cast_unsigned();
    if kind == abi::P_PIDFD {
        return None;
    }
    Some(pidns_core::wait_abi::waitid(kind, entry.int(1), entry.int(3).cast_unsigned()))
}

/// Says whether the host does not know that process as a child of the caller's.
fn is_adopted(tracer: &Tracer, tid: Tid, child: GroupId) -> bool {
    let own = tracer.tasks.get(&tid).map(|task| task.process);
    let child = tracer.set.group_payload(child).and_then(|host| tracer.processes.get(host));
    child.map(|child| child.parent) != own
}

fn has_own_children(tracer: &Tracer, entry: &Entry) -> bool {
    let Some(process) = tracer.process_of(entry.tid) else { return false };
    tracer
        .set
        .group_threads(process.group)
        .flat_map(|thread| tracer.set.child_groups(thread))
        .any(|child| !is_adopted(tracer, entry.tid, child))
}

/// Makes it a wait for this child of the host's.
fn exactly(tracer: &Tracer, entry: &mut Entry, child: GroupId) {
    let Some(host) = tracer.set.group_payload(child).copied() else { return };
    if entry.registers.call() == abi::SYS_wait4 {
        entry.set_int(0, host.number());
    } else {
        entry.registers.set_argument(0, u64::from(abi::P_PID));
        entry.set_int(1, host.number());
    }
}

/// Answers in place of the host.
fn tell(entry: &Entry, report: &WaitReport) -> Handled {
    const RUSAGE: usize = 144;
    let number = Pid::raw_or_zero(report.pid);
    let (status_at, usage_at) = if entry.registers.call() == abi::SYS_wait4 {
        (entry.long(1), entry.long(3))
    } else {
        (entry.long(2), entry.long(4))
    };
    if usage_at != 0 {
        memory::write(entry.tid, usage_at, &[0; RUSAGE])?;
    }
    let wait4 = entry.registers.call() == abi::SYS_wait4;
    if status_at != 0 {
        if wait4 {
            memory::write_i32(entry.tid, status_at, report.status.raw())?;
        } else {
            let (code, status) = report.info;
            let info = SignalInfo::of_child(abi::SIGCHLD, code.0, number, 0, status);
            memory::write(entry.tid, status_at, &info.to_bytes())?;
        }
    }
    Ok(Outcome::Done(if wait4 { i64::from(number) } else { 0 }))
}

fn nothing(entry: &Entry) -> Handled {
    let at = entry.long(2);
    if entry.registers.call() == abi::SYS_waitid && at != 0 {
        memory::write(entry.tid, at, &[0; SIZE])?;
    }
    Ok(Outcome::Done(0))
}

/// The host has done it.
pub(super) fn done(tracer: &mut Tracer, tid: Tid, wait: &Wait, result: i64) -> Conclusion {
    let conclusion = told(tracer, tid, wait, result);
    put_back(tid, wait);
    conclusion
}

/// Leaves no trace below the caller's stack.
pub(super) fn put_back(tid: Tid, wait: &Wait) {
    if let Some((at, bytes)) = &wait.scratch {
        let _ = memory::write(tid, *at, bytes);
    }
}

fn told(tracer: &mut Tracer, tid: Tid, wait: &Wait, result: i64) -> Conclusion {
    let unchanged = Conclusion::Result(result);
    let no_child = i64::from(-Errno::CHILD.raw_os_error());
    if result == no_child && tracer.process_of(tid).is_some_and(|process| process.adopted > 0) {
        // The host's last child was collected by another thread; core's are still there.
        return Conclusion::Again;
    }
    if result < 0 {
        return unchanged;
    }
    let (host, peek) = match wait.kind {
        WaitKind::Wait4 => (i32::try_from(result).unwrap_or(0), false),
        WaitKind::Waitid { peek } => {
            (memory::read_i32(tid, wait.at + PID_OFFSET).unwrap_or(0), peek)
        }
    };
    if host == 0 {
        return unchanged;
    }
    let Some(caller) = tracer.id(tid) else { return unchanged };
    let number = collected(tracer, tid, caller, host);
    if number == 0 && !peek {
        // Nobody was told of it: it was refused, or killed before it had begun.
        if let Some(process) = tracer.process_of_mut(tid) {
            process.strangers = process.strangers.saturating_sub(1);
        }
        return Conclusion::Again;
    }
    if let Some(report) = report(tracer, caller, number, peek) {
        correct(tid, wait, &report);
    }
    match wait.kind {
        WaitKind::Wait4 => Conclusion::Result(i64::from(number)),
        WaitKind::Waitid { .. } => {
            let _ = memory::write_i32(tid, wait.at + PID_OFFSET, number);
            unchanged
        }
    }
}

/// The number of a child that the host has told of. It may have collected it, and given its number to others since.
fn collected(tracer: &Tracer, tid: Tid, caller: TaskId, host: i32) -> i32 {
    let own = tracer.tasks.get(&tid).map(|task| task.process);
    let child = Tid::new(host).and_then(|host| tracer.processes.get(&host));
    let before = || tracer.process_of(tid)?.recall(host);
    let is_own = child.is_some_and(|child| Some(child.parent) == own);
    let number = if is_own { None } else { before() };
    number.unwrap_or_else(|| tracer.number_of(caller, host))
}

/// Has core do the same wait, for this child.
fn report(tracer: &mut Tracer, caller: TaskId, number: i32, peek: bool) -> Option<WaitReport> {
    let mut options = WaitOptions::EXITED | WaitOptions::STOPPED | WaitOptions::CONTINUED;
    options |= WaitOptions::ALL | WaitOptions::NOHANG;
    if peek {
        options |= WaitOptions::NOWAIT;
    }
    let target = WaitTarget::Process(Pid::from_raw(number)?);
    match tracer.set.wait(caller, target, options, &mut tracer.effects) {
        Ok(WaitOutcome::Ready(report)) => Some(report),
        _ => None,
    }
}

/// An init that ended by reboot(2) was killed on the host, but is said to have ended by another signal. // RBT-01
fn correct(tid: Tid, wait: &Wait, report: &WaitReport) {
    let ended = report.status.code().is_some() || report.status.signal().is_some();
    if !ended || wait.at == 0 {
        return;
    }
    match wait.kind {
        WaitKind::Wait4 => {
            const DUMPED: i32 = 0x80;
            let told = memory::read_i32(tid, wait.at).unwrap_or(0);
            if told & !DUMPED != report.status.raw() & !DUMPED {
                let _ = memory::write_i32(tid, wait.at, report.status.raw());
            }
        }
        WaitKind::Waitid { .. } => {
            let (code, status) = report.info;
            let _ = memory::write_i32(tid, wait.at + CODE_OFFSET, code.0);
            let _ = memory::write_i32(tid, wait.at + STATUS_OFFSET, status);
        }
    }
}

/// Where a `siginfo_t` has `si_code`, and `si_status`.
const CODE_OFFSET: u64 = 8;
const STATUS_OFFSET: u64 = 24;

/// Core has something to tell to those of a process who wait.
pub(super) fn wake(tracer: &Tracer, group: GroupId) {
    let Some(process) = tracer.set.group_payload(group).and_then(|host| tracer.processes.get(host))
    else {
        return;
    };
    if process.adopted == 0 {
        return;
    }
    for tid in &process.threads {
        let waits = tracer.tasks.get(tid).is_some_and(|task| {
            matches!(
                task.phase,
                Phase::InCall(Pending { after: After::Wait(_) | After::WaitInPause, .. })
            )
        });
        if waits {
            let _ = ptrace::interrupt(*tid);
        }
    }
}
