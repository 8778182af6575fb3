//! ioctl: terminals' groups and sessions, owners of sockets, namespace files.

use pidns_core::Pid;
use pidns_sys::ptrace::Tid;
use pidns_sys::{Errno, abi};

use super::call::{Entry, Handled, Outcome, errno};
use super::task::{After, Meaning};
use super::tracer::Tracer;
use super::{memory, namespaces, path, pidfd, session};

pub(super) fn ioctl(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    let (request, at) = (entry.int(1).cast_unsigned(), entry.long(2));
    match u64::from(request) {
        abi::TIOCGPGRP => Ok(Outcome::Then(After::Word(at, Meaning::Group))),
        abi::TIOCGSID => Ok(Outcome::Then(After::Word(at, Meaning::Session))),
        abi::TIOCSPGRP => {
            let group = memory::read_i32(entry.tid, at)?;
            if group < 0 {
                return Err(Errno::INVAL);
            }
            let host = session::host_group(tracer, entry.id, group).ok_or(Errno::SRCH)?;
            exchange(entry.tid, at, host)
        }
        abi::FIOSETOWN | abi::SIOCSPGRP => {
            let host = host_owner(tracer, entry, memory::read_i32(entry.tid, at)?)?;
            exchange(entry.tid, at, host)
        }
        abi::FIOGETOWN | abi::SIOCGPGRP => Ok(Outcome::Then(After::Word(at, Meaning::Owner))),
        _ if request >> 8 & 0xff == abi::NS_IOCTL_LETTER => namespace(tracer, entry),
        _ if request >> 8 & 0xff == abi::PIDFD_IOCTL_LETTER => pidfd::ioctl(tracer, entry),
        _ => Ok(Outcome::Native),
    }
}

/// Has the host read `value` there for the time of the call.
fn exchange(tid: Tid, at: u64, value: i32) -> Handled {
    let before = memory::read::<4>(tid, at)?;
    memory::write_i32(tid, at, value)?;
    Ok(Outcome::Then(After::Undo(at, before.to_vec())))
}

/// A process, or a group if negative, as fcntl(2) has it for `F_SETOWN`.
pub(super) fn host_owner(tracer: &Tracer, entry: &Entry, owner: i32) -> Result<i32, Errno> {
    match owner {
        0 => Ok(0),
        1.. => tracer.host_of(entry.id, owner).map(Tid::number).ok_or(Errno::SRCH),
        i32::MIN => Err(Errno::INVAL),
        _ => session::host_group(tracer, entry.id, -owner).map(|group| -group).ok_or(Errno::SRCH),
    }
}

/// ioctl_nsfs(2): for files of ours, and those of the host.
fn namespace(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    const GET_USERNS: u32 = 1;
    const GET_PARENT: u32 = 2;
    const GET_NSTYPE: u32 = 3;
    const GET_OWNER_UID: u32 = 4;
    const GET_PID_FROM_PIDNS: u32 = 6;
    const GET_TGID_FROM_PIDNS: u32 = 7;
    const GET_PID_IN_PIDNS: u32 = 8;
    const GET_TGID_IN_PIDNS: u32 = 9;
    const GET_ID: u32 = 13;
    let Some(ns) = namespaces::of_descriptor(tracer, entry.tid, entry.int(0)) else {
        return Ok(Outcome::Native);
    };
    let set = &tracer.set;
    let own = set.ns_of(entry.id).map_err(errno)?;
    let number = entry.int(2);
    let answer = |found: pidns_core::Result<Pid>| {
        found.map(|pid| Outcome::Done(i64::from(pid.raw()))).map_err(errno)
    };
    match entry.int(1).cast_unsigned() & 0xff {
        GET_NSTYPE => Ok(Outcome::Done(i64::from(abi::CLONE_NEWPID))),
        GET_PID_FROM_PIDNS => answer(set.translate(ns, number, own)),
        GET_TGID_FROM_PIDNS => answer(set.translate_tgid(ns, number, own)),
        GET_PID_IN_PIDNS => answer(set.translate(own, number, ns)),
        GET_TGID_IN_PIDNS => answer(set.translate_tgid(own, number, ns)),
        GET_ID => {
            let serial = set.ns_serial(ns).map_err(errno)?;
            memory::write(entry.tid, entry.long(2), &serial.to_ne_bytes())?;
            Ok(Outcome::Done(0))
        }
        GET_PARENT => {
            let parent = set.ns_parent(entry.id, ns).map_err(errno)?;
            path::open_namespace(tracer, entry, parent, abi::O_CLOEXEC)
        }
        // All are owned by the user namespace that the caller is in, as far as anybody can tell.
        GET_USERNS => {
            let at = path::leave_text(entry, "/proc/self/ns/user")?;
            entry.registers.set_call(abi::SYS_open);
            entry.registers.set_argument(0, at);
            entry.set_int(1, abi::O_RDONLY | abi::O_CLOEXEC);
            Ok(Outcome::Then(After::Restore))
        }
        GET_OWNER_UID => Err(Errno::INVAL),
        _ => Err(Errno::NOTTY),
    }
}
