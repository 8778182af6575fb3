//! fcntl: owners of descriptors, and holders of locks.

use pidns_sys::ptrace::Tid;
use pidns_sys::{Errno, abi};

use super::call::{Entry, Handled, Outcome};
use super::task::{After, Meaning};
use super::terminal;
use super::tracer::Tracer;
use super::{memory, session};

/// Where `l_pid` is in a `struct flock`.
const LOCK_PID: u64 = 24;

pub(super) fn fcntl(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    match entry.int(1) {
        abi::F_SETOWN => {
            let host = terminal::host_owner(tracer, entry, entry.int(2))?;
            entry.set_int(2, host);
            Ok(Outcome::Then(After::Restore))
        }
        abi::F_GETOWN => Ok(Outcome::Then(After::Number(Meaning::Owner))),
        abi::F_SETOWN_EX => set_owner(tracer, entry),
        abi::F_GETOWN_EX => Ok(Outcome::Then(After::OwnerEx(entry.long(2)))),
        // F_GETLK, F_OFD_GETLK: 0 and -1 are no process.
        _ => Ok(Outcome::Then(After::Word(entry.long(2) + LOCK_PID, Meaning::Task))),
    }
}

const F_OWNER_TID: i32 = 0;
const F_OWNER_PID: i32 = 1;
const F_OWNER_PGRP: i32 = 2;

/// `struct f_owner_ex`: a kind, and a number.
fn set_owner(tracer: &Tracer, entry: &Entry) -> Handled {
    let at = entry.long(2);
    let before = memory::read::<8>(entry.tid, at)?;
    let word =
        |from: usize| i32::from_ne_bytes(before[from..from + 4].try_into().expect("four bytes"));
    let number = word(4);
    let host = match (word(0), number) {
        (_, 0) => 0,
        (F_OWNER_TID | F_OWNER_PID, _) => {
            tracer.host_of(entry.id, number).map(Tid::number).ok_or(Errno::SRCH)?
        }
        (F_OWNER_PGRP, _) => session::host_group(tracer, entry.id, number).ok_or(Errno::SRCH)?,
        _ => return Err(Errno::INVAL),
    };
    memory::write_i32(entry.tid, at + 4, host)?;
    Ok(Outcome::Then(After::Undo(at, before.to_vec())))
}

/// The host has stored a `struct f_owner_ex`.
pub(super) fn owner_stored(tracer: &Tracer, tid: Tid, at: u64) {
    let (Some(id), Ok(kind), Ok(number)) =
        (tracer.id(tid), memory::read_i32(tid, at), memory::read_i32(tid, at + 4))
    else {
        return;
    };
    let visible = match kind {
        F_OWNER_PGRP => session::visible_group(tracer, id, number),
        _ => tracer.number_of(id, number),
    };
    let _ = memory::write_i32(tid, at + 4, visible);
}
