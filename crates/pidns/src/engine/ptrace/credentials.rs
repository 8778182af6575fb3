//! Who is at the other end of a socket: unix(7), `SO_PEERCRED` and `SCM_CREDENTIALS`.
//!
//! A process that asks for credentials with its messages gets a filter that has what it receives looked at. Credentials
//! that a guest sends itself name its own number, which the host does not take for it: `EPERM`, by the host.

use pidns_sys::abi;
use pidns_sys::ptrace::Tid;

use super::call::{Entry, Handled, Outcome};
use super::memory;
use super::other;
use super::task::{After, Filter, Meaning};
use super::tracer::Tracer;

pub(super) fn enter(_: &mut Tracer, entry: &mut Entry) -> Handled {
    if entry.registers.call() == abi::SYS_recvmsg {
        return Ok(Outcome::Then(After::Message(entry.long(1))));
    }
    if entry.int(1) != abi::SOL_SOCKET {
        return Ok(Outcome::Native);
    }
    Ok(match (entry.registers.call(), entry.int(2)) {
        (abi::SYS_getsockopt, abi::SO_PEERCRED) => {
            Outcome::Then(After::Word(entry.long(3), Meaning::Task))
        }
        (abi::SYS_setsockopt, abi::SO_PASSCRED) => Outcome::Then(After::Filter(Filter::Receiver)),
        _ => Outcome::Native,
    })
}

/// The host has received a message whose `struct msghdr` is there: credentials in it have the host's numbers.
pub(super) fn received(tracer: &Tracer, tid: Tid, header: u64) {
    const CONTROL: u64 = 32;
    const SCM_CREDENTIALS: i32 = 2;
    /// `struct cmsghdr`: length, level, type; what follows is aligned as they are.
    const HEADER: u64 = 16;
    const ALIGNMENT: u64 = 8;
    let (Ok(mut at), Ok(length)) =
        (memory::read_u64(tid, header + CONTROL), memory::read_u64(tid, header + CONTROL + 8))
    else {
        return;
    };
    let end = at.saturating_add(length);
    while at.saturating_add(HEADER) <= end {
        let Ok(length) = memory::read_u64(tid, at) else { return };
        let kind = [8, 12].map(|offset| memory::read_i32(tid, at + offset));
        if kind == [Ok(abi::SOL_SOCKET), Ok(SCM_CREDENTIALS)] {
            other::translate_word(tracer, tid, at + HEADER, Meaning::Task);
        }
        if length < HEADER {
            return;
        }
        at = at.saturating_add(length.next_multiple_of(ALIGNMENT));
    }
}
