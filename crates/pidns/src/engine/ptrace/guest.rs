//! What a guest may do, as core asks it: [`Authority`].
//!
//! Namespaces are ours, so that making and entering them needs no privilege of the host's: here every guest has the
//! capabilities that Linux asks for. Whom it may signal is what the host would say: that depends on users, and is looked
//! up only once some guest has changed its own.

use std::collections::BTreeMap;

use pidns_core::{Authority, GroupId, Signal};
use pidns_sys::ptrace::Tid;

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

/// setuid(2) and its like, to another user; or a user namespace, where the same number may be another user. From then on
/// users may differ.
pub(super) fn changes_user(tracer: &mut Tracer) {
    tracer.one_user = false;
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
