//! System calls: who handles which, at the entry and at the end.
//!
//! A handler gets the call as [`Entry`] and answers with an [`Outcome`]; `Err(errno)` fails the call. Where the kernel
//! does the call, [`After`] says what is left to do when it has: [`leave`].

use pidns_core::TaskId;
use pidns_sys::ptrace::regs::Registers;
use pidns_sys::ptrace::{Resume, Tid};
use pidns_sys::{Errno, abi};

use super::asked::Visit;
use super::task::{After, Filter, Pending, Phase, Stopped, TidAddress};
use super::tracer::Tracer;
use super::{
    clone, credentials, descriptor, guest, ids, install, ipc, kill, memory, namespaces, other,
    path, pidfd, procfs, robust, session, signal, sysctl, terminal, wait,
};

/// A call at its entry.
pub(super) struct Entry {
    pub(super) tid: Tid,
    pub(super) id: TaskId,
    /// To be changed where the kernel is to do another call than the one asked for.
    pub(super) registers: Registers,
}

impl Entry {
    /// An argument that the kernel takes as a 32-bit integer.
    pub(super) fn int(&self, index: usize) -> i32 {
        self.registers.argument(index) as i32
    }

    /// An argument that is an address, or another 64-bit value.
    pub(super) fn long(&self, index: usize) -> u64 {
        self.registers.argument(index)
    }

    pub(super) fn set_int(&mut self, index: usize, value: i32) {
        self.registers.set_argument(index, u64::from(value.cast_unsigned()));
    }
}

/// What becomes of a call.
pub(super) enum Outcome {
    /// The kernel does it as it is; there is nothing to finish.
    Native,
    /// The kernel does what the registers say now, and then this is to be done.
    Then(After),
    /// It is done: its result.
    Done(i64),
}

pub(super) type Handled = Result<Outcome, Errno>;

/// As the kernel returns it.
pub(super) fn negated(errno: Errno) -> i64 {
    -i64::from(errno.raw_os_error())
}

pub(super) fn errno(error: pidns_core::Errno) -> Errno {
    Errno::from_raw_os_error(error.raw())
}

/// A task is at the entry of a call that the filter wants us to see.
pub(super) fn enter(tracer: &mut Tracer, stopped: Stopped) {
    let tid = stopped.tid();
    let (Some(id), Ok(mut registers)) = (tracer.id(tid), Registers::of(tid)) else {
        return stopped.run();
    };
    take_up(tracer, tid, &mut registers);
    if let Some(Phase::InCall(_)) = tracer.tasks.get(&tid).map(|task| &task.phase) {
        // The filter looks at a call that we have made.
        return stopped.resume(Resume::ToSyscallStop, 0);
    }
    let mut entry = Entry { tid, id, registers };
    let handled = dispatch(tracer, &mut entry);
    if tracer.has_killed(tid) {
        return stopped.leave();
    }
    answer(tracer, stopped, registers, entry, handled);
}

/// A task that was let go in a wait that [ends in a signal](After::ends_in_signal) makes a call, and there was no signal. The
/// kernel has made the wait anew by itself, as for the freezer of a control group: then it is a new one, as it was asked for.
fn take_up(tracer: &mut Tracer, tid: Tid, registers: &mut Registers) {
    let Some(pending) = tracer.take_signalled(tid) else { return };
    if let Some(before) = &pending.before
        && before.same_place(registers)
    {
        registers.restore_arguments(before);
    }
    undo(tracer, tid, pending.after);
}

/// The place of a call that we answer may be made to see to it itself, if it makes many.
pub(super) fn learn(tracer: &mut Tracer, entry: &Entry) {
    let (call, after) = (entry.registers.call(), entry.registers.instruction_pointer());
    if let Some(sites) = &tracer.shared.sites
        && tracer.asked.add(sites.program(entry.tid), call, after)
    {
        sites.learn(entry.tid, call, after, || true);
    }
}

/// Lets a task that is at the entry of a call go on as its handler has decided.
fn answer(
    tracer: &mut Tracer,
    stopped: Stopped,
    before: Registers,
    mut entry: Entry,
    handled: Handled,
) {
    let tid = stopped.tid();
    match handled {
        Ok(Outcome::Native) => stopped.run(),
        Ok(Outcome::Done(result)) => {
            entry.registers.skip_with(result);
            let _ = entry.registers.store(tid);
            stopped.run();
        }
        Err(errno) => {
            let mut registers = before;
            registers.skip_with(negated(errno));
            let _ = registers.store(tid);
            stopped.run();
        }
        Ok(Outcome::Then(after)) => {
            let changed = !entry.registers.same_call(&before);
            if changed {
                let _ = entry.registers.store(tid);
            }
            let before = changed.then_some(before);
            let how = if after.ends_in_signal() { Resume::Freely } else { Resume::ToSyscallStop };
            tracer.set_phase(tid, Phase::InCall(Pending { after, before, entering: false }));
            stopped.resume(how, 0);
        }
    }
}

/// A task is at the end of a call, or at the entry of one that [`made`](super::made) has it make.
pub(super) fn leave(tracer: &mut Tracer, stopped: Stopped) {
    let tid = stopped.tid();
    let (Ok(registers), Some(task)) = (Registers::of(tid), tracer.tasks.get_mut(&tid)) else {
        return stopped.run();
    };
    match std::mem::replace(&mut task.phase, Phase::Running) {
        Phase::InCall(pending) if pending.entering => {
            task.phase = Phase::InCall(Pending { entering: false, ..pending });
            stopped.resume(Resume::ToSyscallStop, 0);
        }
        Phase::InCall(pending) => finish(tracer, stopped, registers, pending),
        other => {
            task.phase = other;
            stopped.run();
        }
    }
}

/// Ends a call that the kernel has done, or that a signal or we have interrupted.
fn finish(tracer: &mut Tracer, stopped: Stopped, registers: Registers, pending: Pending) {
    let tid = stopped.tid();
    let filter = match pending.after {
        After::Filtered(install) => {
            return install::done(tracer, stopped, install, registers.result());
        }
        After::Promised(install) => return install::again(tracer, stopped, install),
        After::Directory { in_proc: true } => Some(Filter::Visitor),
        After::Filter(filter) => Some(filter),
        _ => None,
    };
    let filter = filter.filter(|_| registers.result() >= 0);
    let new = ended(tracer, tid, registers, pending);
    if let Some(filter) = filter {
        return install::filter(tracer, stopped, new, filter);
    }
    if !new.equals(&registers) {
        let _ = new.store(tid);
    }
    stopped.run();
}

/// The registers that a task goes on with after a call, given those that the kernel has left.
fn ended(tracer: &mut Tracer, tid: Tid, registers: Registers, pending: Pending) -> Registers {
    let Pending { after, before, .. } = pending;
    let mut new = registers;
    if let Some(before) = &before {
        new.restore_arguments(before);
    }
    if registers.interrupted() {
        // The kernel makes it anew, or fails it with EINTR: as the call that it was.
        undo(tracer, tid, after);
        if let Some(before) = before {
            new.interrupt(before.call());
        }
        return new;
    }
    match conclude(tracer, tid, after, before, registers.result()) {
        Conclusion::Result(result) => new.set_result(result),
        Conclusion::Again => new.again(before.unwrap_or(registers).call()),
    }
    new
}

/// A task has stopped for something else than a call. If it was let go in a wait that [ends so](task::Wait::ends_in_signal),
/// that has ended now, or was interrupted.
pub(super) fn catch_up(tracer: &mut Tracer, stopped: &Stopped) {
    let tid = stopped.tid();
    let Some(pending) = tracer.take_signalled(tid) else { return };
    let Ok(registers) = Registers::of(tid) else { return };
    let new = ended(tracer, tid, registers, pending);
    if !new.equals(&registers) {
        let _ = new.store(tid);
    }
}

/// Takes back what was done at the entry of a call that did not happen.
pub(super) fn undo(tracer: &mut Tracer, tid: Tid, after: After) {
    match after {
        After::Clone(newborn) => clone::undo(tracer, newborn),
        After::Undo(at, bytes) => drop(memory::write(tid, at, &bytes)),
        After::Wait(wait) => wait::put_back(tid, &wait),
        _ => {}
    }
}

/// How a call ends.
pub(super) enum Conclusion {
    /// With this result.
    Result(i64),
    /// Not yet: it is made once more.
    Again,
}

fn conclude(
    tracer: &mut Tracer,
    tid: Tid,
    after: After,
    before: Option<Registers>,
    result: i64,
) -> Conclusion {
    let failed = result < 0;
    match after {
        After::Clone(newborn) => {
            return Conclusion::Result(clone::done(tracer, tid, newborn, before, result));
        }
        After::Wait(pending) => return wait::done(tracer, tid, &pending, result),
        After::Unshare { before } => namespaces::unshared(tracer, tid, before, result),
        After::Undo(at, bytes) => drop(memory::write(tid, at, &bytes)),
        After::Owed => {
            if let Some(task) = tracer.tasks.get_mut(&tid) {
                task.tid_address = TidAddress::Told;
            }
            return Conclusion::Again;
        }
        After::Path { buffer, size } => {
            return Conclusion::Result(path::shown(tracer, tid, buffer, size, result));
        }
        After::List(listing) => return procfs::listing::done(tracer, tid, &listing, result),
        After::MountProc if result == negated(Errno::PERM) => return Conclusion::Result(0),
        _ if failed => {}
        After::Fill(text) => path::fill(tid, result, &text),
        After::Message(header) => credentials::received(tracer, tid, header),
        After::SignalRecords(at) => signal::translate_records(tracer, tid, at, result),
        After::Stat { at, inode, extended } => path::stat_stored(tid, at, inode, extended),
        After::Directory { in_proc } => {
            let visit = in_proc.then(|| Visit::new(&tracer.shared));
            if let Some(process) = tracer.process_of_mut(tid) {
                process.in_proc = visit;
            }
        }
        After::Restore
        | After::WaitInPause
        | After::MountProc
        | After::Filter(_)
        | After::Filtered(_)
        | After::Promised(_) => {}
        After::Return(value) => return Conclusion::Result(value),
        After::Setsid => return Conclusion::Result(session::led(tracer, tid)),
        After::Setpgid { process, group } => session::moved(tracer, tid, process, group),
        After::Number(meaning) => {
            return Conclusion::Result(ids::visible(tracer, tid, result, meaning));
        }
        After::Word(at, meaning) => other::translate_word(tracer, tid, at, meaning),
        After::Words(at, count) => other::translate_words(tracer, tid, at, count),
        After::OwnerEx(at) => descriptor::owner_stored(tracer, tid, at),
        After::Signal(at) => signal::translate_stored(tracer, tid, at),
    }
    Conclusion::Result(result)
}

pub(super) fn dispatch(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    match entry.registers.call() {
        abi::SYS_open
        | abi::SYS_openat
        | abi::SYS_openat2
        | abi::SYS_stat
        | abi::SYS_lstat
        | abi::SYS_newfstatat
        | abi::SYS_statx
        | abi::SYS_access
        | abi::SYS_faccessat
        | abi::SYS_faccessat2
        | abi::SYS_readlink
        | abi::SYS_readlinkat
        | abi::SYS_chdir
        | abi::SYS_fchdir
        | abi::SYS_getcwd
        | abi::SYS_getdents64
        | abi::SYS_fstat
        | abi::SYS_mount => path::enter(tracer, entry),
        abi::SYS_getpid
        | abi::SYS_gettid
        | abi::SYS_getppid
        | abi::SYS_getpgrp
        | abi::SYS_getpgid
        | abi::SYS_getsid
        | abi::SYS_set_tid_address => ids::enter(tracer, entry),
        abi::SYS_fork | abi::SYS_vfork | abi::SYS_clone | abi::SYS_clone3 => {
            clone::enter(tracer, entry)
        }
        abi::SYS_sched_setaffinity | abi::SYS_sched_getaffinity => {
            tracer.affinity.release();
            other::enter(tracer, entry)
        }
        abi::SYS_wait4 | abi::SYS_waitid => wait::enter(tracer, entry),
        abi::SYS_kill
        | abi::SYS_tkill
        | abi::SYS_tgkill
        | abi::SYS_rt_sigqueueinfo
        | abi::SYS_rt_tgsigqueueinfo => kill::enter(tracer, entry),
        abi::SYS_setsid | abi::SYS_setpgid => session::enter(tracer, entry),
        abi::SYS_rt_sigaction
        | abi::SYS_rt_sigtimedwait
        | abi::SYS_signalfd
        | abi::SYS_signalfd4
        | abi::SYS_read => signal::enter(tracer, entry),
        abi::SYS_setuid | abi::SYS_setreuid | abi::SYS_setresuid | abi::SYS_setfsuid => {
            guest::changes_user(tracer);
            Ok(Outcome::Native)
        }
        abi::SYS_pidfd_open | abi::SYS_pidfd_send_signal | abi::SYS_pidfd_getfd => {
            pidfd::enter(tracer, entry)
        }
        abi::SYS_mmap | abi::SYS_shmat => robust::enter(tracer, entry),
        abi::SYS_unshare | abi::SYS_setns | abi::SYS_reboot => namespaces::enter(tracer, entry),
        abi::SYS_write | abi::SYS_pwrite64 => sysctl::write(tracer, entry),
        abi::SYS_ioctl => terminal::ioctl(tracer, entry),
        abi::SYS_fcntl => descriptor::fcntl(tracer, entry),
        abi::SYS_getsockopt | abi::SYS_setsockopt | abi::SYS_recvmsg => {
            credentials::enter(tracer, entry)
        }
        abi::SYS_msgctl | abi::SYS_shmctl | abi::SYS_semctl => ipc::enter(tracer, entry),
        abi::SYS_sched_setparam
        | abi::SYS_sched_getparam
        | abi::SYS_sched_setscheduler
        | abi::SYS_sched_getscheduler
        | abi::SYS_sched_setattr
        | abi::SYS_sched_getattr
        | abi::SYS_sched_rr_get_interval
        | abi::SYS_prlimit64
        | abi::SYS_get_robust_list
        | abi::SYS_migrate_pages
        | abi::SYS_move_pages
        | abi::SYS_getpriority
        | abi::SYS_setpriority
        | abi::SYS_ioprio_get
        | abi::SYS_ioprio_set
        | abi::SYS_process_vm_readv
        | abi::SYS_process_vm_writev
        | abi::SYS_kcmp
        | abi::SYS_capget
        | abi::SYS_capset
        | abi::SYS_timer_create
        | abi::SYS_clock_gettime
        | abi::SYS_clock_getres
        | abi::SYS_clock_nanosleep
        | abi::SYS_clock_settime
        | abi::SYS_clock_adjtime
        | abi::SYS_perf_event_open
        | abi::SYS_seccomp
        | abi::SYS_prctl => other::enter(tracer, entry),
        // A guest's own filter answered RET_TRACE, and there is no tracer of its: seccomp(2).
        _ => Err(Errno::NOSYS),
    }
}
