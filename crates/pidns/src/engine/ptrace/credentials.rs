//! Who is at the other end of a socket: unix(7), `SO_PEERCRED` and `SCM_CREDENTIALS`.
//!
//! Credentials that come with a message would have the host's number; a socket is not let ask for them (`EPERM`).
//! Those that a guest sends name its own number, which the host does not take for it: `EPERM` by the host.

use pidns_sys::{Errno, abi};

use super::call::{Entry, Handled, Outcome};
use super::memory;
use super::task::{After, Meaning};
use super::tracer::Tracer;

pub(super) fn enter(_: &mut Tracer, entry: &mut Entry) -> Handled {
    if entry.int(1) != abi::SOL_SOCKET {
        return Ok(Outcome::Native);
    }
    match (entry.registers.call(), entry.int(2)) {
        (abi::SYS_getsockopt, abi::SO_PEERCRED) => {
            Ok(Outcome::Then(After::Word(entry.long(3), Meaning::Task)))
        }
        (abi::SYS_setsockopt, abi::SO_PASSCRED) => {
            let on = memory::read_i32(entry.tid, entry.long(3))?;
            if on == 0 { Ok(Outcome::Native) } else { Err(Errno::PERM) }
        }
        _ => Ok(Outcome::Native),
    }
}
