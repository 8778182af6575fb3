//! Namespaces by call: unshare, setns, reboot.
//!
//! A descriptor of one of our namespaces is an empty memory file with the namespace's serial number in its name, so that
//! it stays what it is when it is copied, inherited or passed on. One that a guest makes itself names a namespace that
//! core lets it enter, or none.

use pidns_core::{Effect, NsId, RebootCommand};
use pidns_sys::ptrace::Tid;
use pidns_sys::{Errno, abi};

use super::call::{Entry, Handled, Outcome, errno};
use super::clone::NEWPID;
use super::guest::{self, Guest};
use super::host;
use super::task::After;
use super::tracer::Tracer;

pub(super) fn enter(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    match entry.registers.call() {
        abi::SYS_unshare => {
            notice_user(tracer, entry.long(0));
            if entry.long(0) & NEWPID == 0 { Ok(Outcome::Native) } else { unshare(tracer, entry) }
        }
        abi::SYS_setns => setns(tracer, entry),
        _ => reboot(tracer, entry),
    }
}

/// A user namespace, if it is among these, has users of its own.
pub(super) fn notice_user(tracer: &mut Tracer, flags: u64) {
    if flags & u64::from(abi::CLONE_NEWUSER.cast_unsigned()) != 0 {
        guest::changes_user(tracer);
    }
}

fn unshare(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    let flags = entry.long(0);
    let guest = Guest::new(tracer, entry.tid);
    let before = tracer.set.ns_for_children(entry.id).map_err(errno)?;
    tracer.set.unshare(entry.id, &guest, &mut tracer.effects).map_err(errno)?;
    let rest = flags & !NEWPID;
    if rest == 0 {
        return Ok(Outcome::Done(0));
    }
    // The others are the host's; if it refuses, nothing has happened.
    entry.registers.set_argument(0, rest);
    Ok(Outcome::Then(After::Unshare { before }))
}

/// The host has unshared the rest, or refused to.
pub(super) fn unshared(tracer: &mut Tracer, tid: Tid, before: NsId, result: i64) {
    let Some(id) = tracer.id(tid) else { return };
    if result < 0 {
        let guest = Guest::new(tracer, tid);
        let _ = tracer.set.setns(id, before, &guest, &mut tracer.effects);
    }
}

fn setns(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    let (fd, kind) = (entry.int(0), entry.int(1));
    notice_user(tracer, u64::from(kind.cast_unsigned()));
    if let Some(ns) = of_descriptor(tracer, entry.tid, fd) {
        if kind != 0 && kind != abi::CLONE_NEWPID {
            return Err(Errno::INVAL);
        }
        let guest = Guest::new(tracer, entry.tid);
        tracer.set.setns(entry.id, ns, &guest, &mut tracer.effects).map_err(errno)?;
        return Ok(Outcome::Done(0));
    }
    if kind & abi::CLONE_NEWPID != 0 {
        return by_pidfd(tracer, entry, fd, kind);
    }
    if kind != 0 {
        return Ok(Outcome::Native);
    }
    // Any type is allowed, and it is none of ours: named, it passes the filter.
    let link = host::descriptor(entry.tid, fd).ok_or(Errno::BADF)?;
    let found = host_kind(&link.to_string_lossy()).ok_or(Errno::INVAL)?;
    notice_user(tracer, u64::from(found.cast_unsigned()));
    entry.set_int(1, found);
    Ok(Outcome::Then(After::Restore))
}

fn host_kind(link: &str) -> Option<i32> {
    Some(match link.split_once(":[")?.0 {
        "mnt" => abi::CLONE_NEWNS,
        "net" => abi::CLONE_NEWNET,
        "uts" => abi::CLONE_NEWUTS,
        "ipc" => abi::CLONE_NEWIPC,
        "user" => abi::CLONE_NEWUSER,
        "cgroup" => abi::CLONE_NEWCGROUP,
        "time" => abi::CLONE_NEWTIME,
        _ => return None,
    })
}

/// setns by pidfd: our namespace of its process, and the others by the host.
fn by_pidfd(tracer: &mut Tracer, entry: &mut Entry, fd: i32, kind: i32) -> Handled {
    let missing =
        if host::descriptor(entry.tid, fd).is_none() { Errno::BADF } else { Errno::INVAL };
    let target = host::pidfd_target(entry.tid, fd).ok_or(missing)?;
    let target = Tid::new(target).ok_or(Errno::SRCH)?;
    let target = tracer.id(target).ok_or(Errno::SRCH)?;
    let guest = Guest::new(tracer, entry.tid);
    let before = tracer.set.ns_for_children(entry.id).map_err(errno)?;
    let pid = tracer.set.tid(target).map_err(errno)?;
    tracer.set.setns_pidfd(entry.id, pid, &guest, &mut tracer.effects).map_err(errno)?;
    let rest = kind & !abi::CLONE_NEWPID;
    if rest == 0 {
        return Ok(Outcome::Done(0));
    }
    entry.set_int(1, rest);
    Ok(Outcome::Then(After::Unshare { before }))
}

fn reboot(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    const MAGIC: i32 = 0xfee1_dead_u32.cast_signed();
    const MAGICS: [i32; 4] = [672_274_793, 85_072_278, 369_367_448, 537_993_216];
    if entry.int(0) != MAGIC || !MAGICS.contains(&entry.int(1)) {
        return Err(Errno::INVAL);
    }
    let guest = Guest::new(tracer, entry.tid);
    let command = match entry.int(2).cast_unsigned() {
        0x0123_4567 | 0xa1b2_c3d4 => RebootCommand::Restart,
        0xcdef_0123 => RebootCommand::Halt,
        0x4321_fedc => RebootCommand::PowerOff,
        _ => RebootCommand::Other,
    };
    tracer.set.reboot(entry.id, command, &guest, &mut tracer.effects).map_err(errno)?;
    // It does not return: the caller ends with 0, and so is not to be killed as its init is. // RBT-02
    let is_caller =
        |effect: &Effect<_, _>| matches!(effect, Effect::Kill { task } if *task == entry.id);
    tracer.effects.retain(|effect| !is_caller(effect));
    entry.registers.set_call(abi::SYS_exit_group);
    entry.set_int(0, 0);
    Ok(Outcome::Then(After::Restore))
}

/// The name of the memory file that stands for a namespace.
pub(super) fn file_name(serial: u64) -> String {
    format!("pidns:[{serial}]")
}

/// The namespace that a descriptor stands for.
pub(super) fn of_descriptor(tracer: &Tracer, tid: Tid, fd: i32) -> Option<NsId> {
    let link = host::descriptor(tid, fd)?;
    let name = link.to_str()?.strip_prefix("/memfd:")?;
    let serial = name.strip_prefix("pidns:[")?.strip_suffix("] (deleted)")?.parse().ok()?;
    tracer.namespaces.get(&serial).copied()
}
