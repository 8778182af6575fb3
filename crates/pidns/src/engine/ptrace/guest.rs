//! What a guest may do, as core asks it: [`Authority`].
//!
//! Namespaces are ours, so that making and entering them needs no privilege of the host's: here every guest has the
//! capabilities that Linux asks for. Whom it may signal is what the host would say: that depends on users, and is looked
//! up only once some guest has changed its own.

use std::collections::BTreeMap;

use pidns_core::{Authority, GroupId, Signal};
use pidns_sys::abi;
use pidns_sys::ptrace::Tid;

use super::call::{Entry, Handled, Outcome};
use super::host;
use super::tracer::Tracer;

/// A task as the one who asks.
pub(super) enum Guest {
    /// All processes have the user that the job was started with.
    OneOfUs { uid: u32 },
    /// Users differ.
    Stranger { users: [u32; 3], processes: BTreeMap<GroupId, Tid> },
}

impl Guest {
    pub(super) fn new(tracer: &Tracer, tid: Tid) -> Self {
        let users = if tracer.one_user { None } else { host::users(tid) };
        match users {
            None => Self::OneOfUs { uid: tracer.uid },
            Some(users) => Self::Stranger {
                users,
                processes: tracer
                    .processes
                    .iter()
                    .map(|(tid, process)| (process.group, *tid))
                    .collect(),
            },
        }
    }
}

/// setuid(2) and its like: from then on users may differ, unless it is to the user that all have.
pub(super) fn changes_user(tracer: &mut Tracer, entry: &Entry) -> Handled {
    let count = match entry.registers.call() {
        abi::SYS_setresuid => 3,
        abi::SYS_setreuid => 2,
        _ => 1,
    };
    const UNCHANGED: u32 = u32::MAX;
    let stays = |user: u32| user == tracer.uid || user == UNCHANGED;
    let same = (0..count).all(|index| stays(entry.int(index).cast_unsigned()));
    // In another user namespace the number is of somebody else.
    if tracer.one_user && !(same && host::shares_user_namespace(entry.tid)) {
        tracer.one_user = false;
    }
    Ok(Outcome::Native)
}

impl Authority for Guest {
    /// kill(2): the sender is privileged, or its real or effective user is the receiver's real or saved one.
    fn may_signal(&self, target: GroupId, _: Option<Signal>) -> bool {
        match self {
            Self::OneOfUs { .. } => true,
            Self::Stranger { users: [real, effective, _], processes } => {
                let target = processes.get(&target).and_then(|tid| host::users(*tid));
                *effective == 0
                    || target.is_none_or(|[other, _, saved]| {
                        [real, effective].into_iter().any(|user| *user == other || *user == saved)
                    })
            }
        }
    }

    fn uid(&self) -> u32 {
        match self {
            Self::OneOfUs { uid } => *uid,
            Self::Stranger { users: [real, ..], .. } => *real,
        }
    }
}
