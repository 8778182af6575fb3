//! Signals: sending what core lets pass, and telling receivers who sent what.
//!
//! A signal between guests is sent by the tracer, marked, with what the receiver is to see in it: see
//! [`SignalInfo::marked`]. When the receiver stops to take it, it is made to look as meant. What the host's kernel sends
//! by itself, SIGCHLD above all, has the host's numbers, and these are translated at the same stop.

use pidns_core::{ActionFlags, Disposition, SigCode, SigInfo, SigSet, Signal, TaskId};
use pidns_sys::ptrace::regs::Registers;
use pidns_sys::ptrace::siginfo::{SIZE, SignalInfo};
use pidns_sys::ptrace::{self, Tid};
use pidns_sys::signal::SignalSet;
use pidns_sys::{Errno, abi};

use super::call::{self, Entry, Handled, Outcome};
use super::task::{self, After, Filter, Stopped};
use super::tracer::Tracer;
use super::{asked, filter, host, made, memory, path};

/// In `si_errno` of the signals that we send.
const MARK: u16 = 0x5049;

/// Sends a signal that core lets pass.
pub(super) fn send(tracer: &mut Tracer, task: TaskId, group_wide: bool, info: SigInfo) {
    if task == tracer.outside || info.code == SigCode::KERNEL || is_native(tracer, task, &info) {
        return;
    }
    let Some(tid) = tracer.tid(task) else { return };
    let Some(process) = tracer.tasks.get(&tid).map(|task| task.process) else { return };
    let thread = (!group_wide).then_some(tid);
    let signal = info.signal.raw();
    let marked = SignalInfo::marked(signal, MARK, info.code.0, info.pid, info.uid, info.value);
    let mut sent = ptrace::queue_signal(process, thread, &marked);
    if sent == Err(Errno::AGAIN) {
        // Too many are queued to say who sent it.
        sent = ptrace::signal_task(process, thread.unwrap_or(process), signal);
    }
    if sent.is_ok() && signal == abi::SIGKILL {
        tracer.killed.push(process);
    }
}

/// Says whether it tells of a child that the host's kernel tells of too.
fn is_native(tracer: &Tracer, parent: TaskId, info: &SigInfo) -> bool {
    if !(1..=6).contains(&info.code.0) {
        return false;
    }
    let child = tracer.host_of(parent, info.pid).and_then(|tid| tracer.processes.get(&tid));
    let process = tracer.tid(parent).and_then(|tid| tracer.process_of(tid));
    if child.is_none() {
        // It has collected itself.
        return process.is_some_and(|process| process.had(info.pid));
    }
    let parent = tracer.tid(parent).and_then(|tid| tracer.tasks.get(&tid)).map(|task| task.process);
    child.map(|child| child.parent) == parent
}

/// Reads what an init does with signals, before core is asked whether one reaches it: the target if it is one, or all.
pub(super) fn learn_inits(tracer: &mut Tracer, caller: TaskId, number: i32) {
    let inits: Vec<Tid> = match number {
        0 => tracer
            .processes
            .iter()
            .filter(|(_, process)| process.is_init())
            .map(|(tid, _)| *tid)
            .collect(),
        _ => {
            let process = tracer
                .host_of(caller, number)
                .and_then(|tid| Some(tracer.tasks.get(&tid)?.process));
            process
                .into_iter()
                .filter(|tid| tracer.processes.get(tid).is_some_and(task::Process::is_init))
                .collect()
        }
    };
    for tid in inits {
        learn(tracer, tid);
    }
}

/// The same for one process.
pub(super) fn learn_init(tracer: &mut Tracer, process: Tid) {
    if tracer.processes.get(&process).is_some_and(task::Process::is_init) {
        learn(tracer, process);
    }
}

fn learn(tracer: &mut Tracer, process: Tid) -> Option<host::Dispositions> {
    let found = host::dispositions(process)?;
    let group = tracer.processes.get(&process)?.group;
    let core = |set: SignalSet| SigSet::from_bits(set.bits());
    let ignores_children = tracer.processes.get(&process)?.ignores_children;
    let mut ignored = core(found.ignored);
    if ignores_children {
        ignored = ignored.with(Signal::CHLD);
    }
    let _ = tracer.set.set_dispositions(group, ignored, core(found.handled));
    if let Some(id) = tracer.id(process) {
        let _ = tracer.set.set_blocked(id, core(found.blocked), &mut tracer.effects);
    }
    Some(found)
}

/// Has core let every signal pass to an ordinary process: the host knows what it does with them.
pub(super) fn trust_host(tracer: &mut Tracer, process: Tid) {
    let Some(entry) = tracer.processes.get(&process) else { return };
    if entry.is_init() {
        return;
    }
    let ignored = if entry.ignores_children { SigSet::of(&[Signal::CHLD]) } else { SigSet::EMPTY };
    let _ = tracer.set.set_dispositions(entry.group, ignored, SigSet::ALL);
}

/// A signal is about to be delivered.
pub(super) fn arrives(tracer: &mut Tracer, stopped: Stopped, number: i32) {
    let tid = stopped.tid();
    let Ok(info) = SignalInfo::of(tid) else {
        return tracer.go_on_in_phase(stopped, number);
    };
    if info.is_seccomp() && info.errno() == i32::from(filter::TRAP_MARK) {
        return made::trapped(tracer, stopped);
    }
    if info.unmarked(asked::HAND_OVER).is_some() {
        return made::handed_over(tracer, stopped);
    }
    if info.is_fault() && resume_site(tracer, tid) {
        return tracer.go_on_in_phase(stopped, 0);
    }
    made::put_off(tracer, tid);
    make_again(tracer, tid);
    if is_discarded(tracer, tid, &info) {
        return tracer.go_on_in_phase(stopped, 0);
    }
    if let Some(new) = translated(tracer, tid, &info) {
        let _ = new.store(tid);
    }
    tracer.go_on_in_phase(stopped, number);
}

/// A fault was of the code that looks at paths for a call site.
fn resume_site(tracer: &Tracer, tid: Tid) -> bool {
    let Some(sites) = &tracer.shared.sites else { return false };
    let Ok(registers) = Registers::of(tid) else { return false };
    sites.after_fault(tid, &registers).is_some_and(|registers| registers.store(tid).is_ok())
}

/// A call that was interrupted while it was asked about, which the program cannot know, is made again whatever the signal's
/// handler wants. // See sigaction(2), `SA_RESTART`.
fn make_again(tracer: &Tracer, tid: Tid) {
    if !tracer.listening {
        return;
    }
    let Ok(mut registers) = Registers::of(tid) else { return };
    if registers.interrupted()
        && filter::asks_about(registers.call())
        && !path::waits(tid, &registers)
    {
        registers.interrupt_unnoticed();
        let _ = registers.store(tid);
    }
}

/// As the receiver is to see it; `None` if that is how it is.
fn translated(tracer: &Tracer, tid: Tid, info: &SignalInfo) -> Option<SignalInfo> {
    if let Some(meant) = info.unmarked(MARK) {
        return Some(meant);
    }
    if !info.has_pid() {
        return None;
    }
    let receiver = tracer.id(tid)?;
    let mut new = *info;
    let number = match tracer.number_of(receiver, info.pid()) {
        0 => tracer.process_of(tid).and_then(|process| process.recall(info.pid())).unwrap_or(0),
        number => number,
    };
    new.set_pid(number);
    (new.pid() != info.pid()).then_some(new)
}

/// An init is spared what would end or stop it by default, unless it is its own fault. SIGSTOP from above passes: core
/// has kept that of others from being sent. See pid_namespaces(7), "The namespace init process".
fn is_discarded(tracer: &mut Tracer, tid: Tid, info: &SignalInfo) -> bool {
    let Some(process) = tracer.process_of(tid) else { return false };
    if !process.is_init() || info.is_fault() {
        return false;
    }
    if matches!(info.signal(), abi::SIGKILL | abi::SIGSTOP) {
        return false;
    }
    let Some(leader) = tracer.tasks.get(&tid).map(|task| task.process) else { return false };
    let Some(found) = learn(tracer, leader) else { return false };
    let signal = pidns_sys::signal::Signal::new(info.signal());
    !signal.is_some_and(|signal| found.handled.contains(signal))
}

/// The kernel's trap by SIGSYS unblocks that signal, and resets it if it was blocked or ignored (kernel:
/// `force_sig_info_to_task`). What the mask was cannot be seen any more: where everything else is blocked, as C
/// libraries do around clone, SIGSYS was so too.
pub(super) fn repair_sigsys(_: &Tracer, tid: Tid) {
    const C_LIBRARY: u64 = 1 << 31 | 1 << 32;
    const UNBLOCKABLE: u64 = 1 << 8 | 1 << 18;
    let sys = 1u64 << (abi::SIGSYS - 1);
    let Ok(mask) = ptrace::signal_mask(tid) else { return };
    let others = !(C_LIBRARY | UNBLOCKABLE | sys);
    if mask.bits() & others == others {
        let _ = ptrace::set_signal_mask(tid, SignalSet::from_bits(mask.bits() | sys));
    }
}

pub(super) fn enter(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    match entry.registers.call() {
        abi::SYS_rt_sigaction => changes_action(tracer, entry),
        abi::SYS_rt_sigtimedwait if entry.long(1) != 0 => {
            Ok(Outcome::Then(After::Signal(entry.long(1))))
        }
        // signalfd(2): its records have the host's numbers.
        // Our own number 1 does not look at them.
        abi::SYS_signalfd | abi::SYS_signalfd4 if tracer.image == Some(entry.tid) => {
            Ok(Outcome::Native)
        }
        abi::SYS_signalfd | abi::SYS_signalfd4 => Ok(Outcome::Then(After::Filter(Filter::Reader))),
        abi::SYS_read if is_signalfd(entry) => {
            Ok(Outcome::Then(After::SignalRecords(entry.long(1))))
        }
        _ => Ok(Outcome::Native),
    }
}

fn is_signalfd(entry: &Entry) -> bool {
    host::descriptor(entry.tid, entry.int(0))
        .is_some_and(|link| link.as_os_str() == "anon_inode:[signalfd]")
}

/// Records have been read from a signalfd(2): each begins with the signal, `si_errno`, `si_code`, `si_pid`, `si_uid`.
pub(super) fn translate_records(tracer: &Tracer, tid: Tid, at: u64, length: i64) {
    const RECORD: u64 = 128;
    let count = u64::try_from(length).unwrap_or(0) / RECORD;
    for at in (0..count).map(|index| at + RECORD * index) {
        let Ok(bytes) = memory::read::<20>(tid, at) else { return };
        let word =
            |from: usize| i32::from_ne_bytes(bytes[from..from + 4].try_into().expect("four bytes"));
        let info = SignalInfo::of_record(word(0), word(4), word(8), word(12), word(16));
        if let Some(new) = translated(tracer, tid, &info) {
            let words = [new.errno(), new.code(), new.pid()].map(i32::to_ne_bytes).concat();
            let _ = memory::write(tid, at + 4, &words);
        }
    }
}

/// Notes what a process does with SIGCHLD. The host does it, and fails only where we could not read either.
fn changes_action(tracer: &mut Tracer, entry: &Entry) -> Handled {
    let at = entry.long(1);
    let Ok(bytes) = memory::read::<16>(entry.tid, at) else { return Ok(Outcome::Native) };
    let word =
        |from: usize| u64::from_ne_bytes(bytes[from..from + 8].try_into().expect("eight bytes"));
    let (handler, flags) = (word(0) as usize, word(8));
    // By default it is ignored too, but may be waited for where it is blocked: the host knows.
    let disposition =
        if handler == abi::SIG_IGN { Disposition::Ignore } else { Disposition::Handler };
    let flags = ActionFlags::from_bits_retain(flags as u32);
    children(tracer, entry.tid, disposition, flags);
    let leaves_none = disposition == Disposition::Ignore || flags.contains(ActionFlags::NOCLDWAIT);
    if leaves_none && tracer.shared.sites.is_some() {
        // From now on we have to know of all changes.
        return Ok(Outcome::Then(After::Filter(Filter::Ignorer)));
    }
    if !leaves_none {
        call::learn(tracer, entry);
    }
    Ok(Outcome::Native)
}

/// Notes what a task's process does with SIGCHLD.
pub(super) fn children(
    tracer: &mut Tracer,
    tid: Tid,
    disposition: Disposition,
    flags: ActionFlags,
) {
    let Some(process) = tracer.process_of_mut(tid) else { return };
    process.ignores_children = disposition == Disposition::Ignore;
    let group = process.group;
    let _ = tracer.set.sigaction(group, Signal::CHLD, disposition, flags);
}

/// A signal was taken by rt_sigtimedwait(2), with its information.
pub(super) fn translate_stored(tracer: &Tracer, tid: Tid, at: u64) {
    let Ok(bytes) = memory::read::<SIZE>(tid, at) else { return };
    if let Some(new) = translated(tracer, tid, &SignalInfo::from_bytes(bytes)) {
        let _ = memory::write(tid, at, &new.to_bytes());
    }
}
