//! fork, vfork, clone, clone3: the making of tasks.
//!
//! Core reserves numbers at the call's entry, so that what must fail fails before there is anybody. The host makes the
//! task, without flags that are ours, and has us trace it (`CLONE_PTRACE`): unlike with `PTRACE_O_TRACEFORK` and its like,
//! its maker does not stop for that. The reservation is published at the task's first stop ([`birth`](super::birth)), where
//! its numbers are stored, or at the end of its maker's call ([`done`]), whichever comes first.
//!
//! `clone3` is turned into `clone`, which takes all that programs use; what only `clone3` can do is refused with
//! `ENOSYS`, as by a kernel or container without it.

use pidns_core::{CloneArgs, Pid};
use pidns_sys::ptrace::Tid;
use pidns_sys::ptrace::regs::Registers;
use pidns_sys::{Errno, abi};

use super::birth;
use super::call::{Entry, Handled, Outcome, errno, negated};
use super::guest::Guest;
use super::task::{After, Newborn, Pending, Phase, Task, TidAddress};
use super::tracer::Tracer;
use super::{ids, memory, namespaces, robust, switches};

/// What a clone asks for, by whichever call.
struct Wish {
    flags: u64,
    exit_signal: u64,
    stack: u64,
    parent_tid: u64,
    child_tid: u64,
    tls: u64,
    pidfd: u64,
    set_tid: Vec<i32>,
}

const fn flag(bit: i32) -> u64 {
    bit.cast_unsigned() as u64
}

pub(super) const NEWPID: u64 = flag(abi::CLONE_NEWPID);
const CHILD_SETTID: u64 = flag(abi::CLONE_CHILD_SETTID);
const PARENT_SETTID: u64 = flag(abi::CLONE_PARENT_SETTID);
const PIDFD: u64 = flag(abi::CLONE_PIDFD);
const PTRACE: u64 = flag(abi::CLONE_PTRACE);
const VM: u64 = flag(abi::CLONE_VM);
const VFORK: u64 = flag(abi::CLONE_VFORK);
const THREAD: u64 = flag(abi::CLONE_THREAD);
/// `CLONE_CLEAR_SIGHAND`, `CLONE_INTO_CGROUP`: clone(2) has no bits for them.
const ONLY_CLONE3: u64 = !0xffff_ffff;

pub(super) fn enter(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    let (wish, args_of_core) = match entry.registers.call() {
        abi::SYS_clone3 => {
            let wish = clone3(entry)?;
            (wish, true)
        }
        _ => (legacy(entry), false),
    };
    if wish.flags & ONLY_CLONE3 != 0 {
        return Err(Errno::NOSYS);
    }
    namespaces::notice_user(tracer, wish.flags);
    let runs_beside = wish.flags & (VM | VFORK) == VM;
    if let Some(process) = tracer.process_of_mut(entry.tid).filter(|_| wish.flags & VM != 0) {
        if runs_beside {
            process.switches.crowd(entry.tid);
        } else {
            process.switches.lend(entry.tid);
        }
    }
    if runs_beside {
        if let Some(first) = ids::pay(tracer, entry) {
            return Ok(first);
        }
        if let Some(task) = tracer.tasks.get_mut(&entry.tid) {
            task.tid_address = TidAddress::Told;
        }
        robust::stop_at_end(tracer, entry.tid, true);
    }
    let guest = Guest::new(tracer, entry.tid);
    let args = if args_of_core {
        CloneArgs::from_clone3(wish.flags, wish.exit_signal, &wish.set_tid)
    } else {
        CloneArgs::from_legacy(wish.flags | wish.exit_signal)
    }
    .map_err(errno)?;
    let reservation = tracer.set.reserve(entry.id, &args, &guest).map_err(errno)?;
    let number = Pid::raw_or_zero(tracer.set.reserved_number(&reservation, entry.id));
    let has = |flag, at| if wish.flags & flag != 0 { at } else { 0 };
    let token = token(tracer, entry.tid);
    let newborn = Newborn {
        token,
        number,
        is_thread: wish.flags & THREAD != 0,
        shares_memory: wish.flags & (VM | THREAD) == VM,
        suspends: wish.flags & VFORK != 0,
        shares_parent: wish.flags & flag(abi::CLONE_PARENT) != 0,
        parent_tid: has(PARENT_SETTID, wish.parent_tid),
        child_tid: has(CHILD_SETTID, wish.child_tid),
        reservation: Some(reservation),
        cpus: tracer.affinity.heritage(entry.tid),
    };
    if wish.flags & (VM | VFORK) == VM | VFORK {
        switches::note(tracer, entry);
    }
    rewrite(entry, &wish, token);
    Ok(Outcome::Then(After::Clone(newborn)))
}

/// Names one clone of a task: its number, and above that a serial number.
fn token(tracer: &mut Tracer, maker: Tid) -> u64 {
    tracer.clones = tracer.clones.wrapping_add(1);
    u64::from(tracer.clones) << 32 | u64::from(maker.number().unsigned_abs())
}

fn legacy(entry: &Entry) -> Wish {
    let (flags, stack, parent_tid, child_tid, tls) = match entry.registers.call() {
        abi::SYS_fork => (flag(abi::SIGCHLD), 0, 0, 0, 0),
        abi::SYS_vfork => (flag(abi::CLONE_VM | abi::CLONE_VFORK | abi::SIGCHLD), 0, 0, 0, 0),
        _ => {
            let flags = entry.long(0) & 0xffff_ffff;
            (flags, entry.long(1), entry.long(2), entry.long(3), entry.long(4))
        }
    };
    Wish {
        flags: flags & !0xff,
        exit_signal: flags & 0xff,
        stack,
        parent_tid,
        child_tid,
        tls,
        pidfd: parent_tid,
        set_tid: Vec::new(),
    }
}

/// Reads `struct clone_args`, as long as its caller says it is.
fn clone3(entry: &Entry) -> Result<Wish, Errno> {
    const OLDEST: u64 = 64;
    const KNOWN: usize = 88;
    let (at, size) = (entry.long(0), entry.long(1));
    if size < OLDEST {
        return Err(Errno::INVAL);
    }
    if size > 4096 {
        return Err(Errno::TOOBIG);
    }
    let mut bytes = memory::read_up_to(entry.tid, at, size as usize)?;
    if bytes.len() < size as usize {
        return Err(Errno::FAULT);
    }
    if bytes.len() > KNOWN && bytes[KNOWN..].iter().any(|byte| *byte != 0) {
        return Err(Errno::TOOBIG);
    }
    bytes.resize(KNOWN, 0);
    let word = |index: usize| {
        u64::from_ne_bytes(bytes[8 * index..8 * index + 8].try_into().expect("eight bytes"))
    };
    let (stack, stack_size) = (word(5), word(6));
    if (stack == 0) != (stack_size == 0) {
        return Err(Errno::INVAL);
    }
    let set_tid = wanted_numbers(entry, word(8), word(9))?;
    Ok(Wish {
        flags: word(0),
        exit_signal: word(4),
        stack: stack + stack_size,
        parent_tid: word(3),
        child_tid: word(2),
        tls: word(7),
        pidfd: word(1),
        set_tid,
    })
}

fn wanted_numbers(entry: &Entry, at: u64, count: u64) -> Result<Vec<i32>, Errno> {
    const MOST: u64 = 32;
    if count > MOST || (at == 0) != (count == 0) {
        return Err(Errno::INVAL);
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    let bytes = memory::read_up_to(entry.tid, at, 4 * count as usize)?;
    if bytes.len() < 4 * count as usize {
        return Err(Errno::FAULT);
    }
    Ok(bytes
        .chunks_exact(4)
        .map(|word| i32::from_ne_bytes(word.try_into().expect("four")))
        .collect())
}

/// Makes it the call that the host is to do: no namespace that is ours, no numbers of the host's in memory, and no way
/// around the tracer.
fn rewrite(entry: &mut Entry, wish: &Wish, token: u64) {
    let ours = NEWPID | CHILD_SETTID | PARENT_SETTID | flag(abi::CLONE_UNTRACED);
    let flags = wish.flags & !ours | PTRACE;
    entry.registers.set_call(abi::SYS_clone);
    let third = if flags & PIDFD != 0 { wish.pidfd } else { wish.parent_tid };
    let arguments = [flags | wish.exit_signal, wish.stack, third, wish.child_tid, wish.tls, token];
    for (index, value) in arguments.into_iter().enumerate() {
        entry.registers.set_argument(index, value);
    }
}

/// The parent is at the end of its call.
pub(super) fn done(
    tracer: &mut Tracer,
    maker: Tid,
    mut newborn: Newborn,
    before: Option<Registers>,
    result: i64,
) -> i64 {
    if let Some(child) = i32::try_from(result).ok().and_then(Tid::new) {
        birth::publish(tracer, maker, child, &mut newborn, before);
    }
    switches::turn_on(tracer, maker);
    let result = match newborn.reservation {
        None if result < 0 => result,
        None => i64::from(newborn.number),
        // The host has failed it.
        Some(reservation) => {
            tracer.set.abandon(reservation, &mut tracer.effects);
            if result < 0 { result } else { negated(Errno::AGAIN) }
        }
    };
    forsake(tracer);
    result
}

/// The parent has not entered its call: it is made anew.
pub(super) fn undo(tracer: &mut Tracer, newborn: Newborn) {
    if let Some(reservation) = newborn.reservation {
        tracer.set.retract(reservation, &mut tracer.effects);
    }
    forsake(tracer);
}

/// Forgets tasks that have ended before anybody has told of them, when nobody can tell any more: who makes another and is
/// killed does not.
pub(super) fn forsake(tracer: &mut Tracer) {
    if !tracer.stillborn.is_empty() && !tracer.tasks.values().any(is_expecting) {
        tracer.stillborn.clear();
    }
}

/// Says whether the host has yet to tell of a task that this one makes.
fn is_expecting(task: &Task) -> bool {
    matches!(
        &task.phase,
        Phase::InCall(Pending { after: After::Clone(newborn), .. }) if newborn.reservation.is_some()
    )
}

/// A task ends: what it had reserved is given back.
pub(super) fn give_up(tracer: &mut Tracer, phase: Phase) {
    if let Phase::InCall(Pending { after: After::Clone(newborn), .. }) = phase
        && let Some(reservation) = newborn.reservation
    {
        tracer.set.abandon(reservation, &mut tracer.effects);
    }
}
