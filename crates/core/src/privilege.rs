//! What the subsystem asks its embedder about privilege. Users, capabilities and user namespaces are the
//! embedder's; this crate only knows *when* Linux asks and which errno follows a "no".

use crate::id::GroupId;
use crate::signal::Signal;

/// A user namespace, opaque to this crate: whatever integer the embedder names it by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct UserNs(pub u64);

/// What is asked for (capabilities(7)).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Capability {
    /// `CAP_SYS_ADMIN`.
    SysAdmin,
    /// `CAP_SYS_ADMIN` or `CAP_CHECKPOINT_RESTORE`.
    CheckpointRestore,
    /// `CAP_SYS_BOOT`.
    SysBoot,
}

/// The calling task's credentials. Every method has the answer of an all-powerful caller as its default.
pub trait Authority {
    /// Returns the caller's user namespace; with `CLONE_NEWUSER` in the same call, the new one.
    fn user_ns(&self) -> UserNs {
        UserNs::default()
    }

    /// Says whether the caller has the capability in that user namespace (kernel: `ns_capable`).
    fn capable(&self, ns: UserNs, capability: Capability) -> bool {
        let _ = (ns, capability);
        true
    }

    /// Says whether `ns` is `ancestor` or below it (kernel: `in_userns`). // CRE-20
    fn descends(&self, ns: UserNs, ancestor: UserNs) -> bool {
        let _ = (ns, ancestor);
        true
    }

    /// Says whether the caller's user may signal that process (kill(2); kernel: `kill_ok_by_cred`). Processes of the
    /// caller's own group are never asked about, nor is SIGCONT within a session.
    fn may_signal(&self, target: GroupId, signal: Option<Signal>) -> bool {
        let _ = (target, signal);
        true
    }

    /// Returns the caller's user id, for `si_uid`.
    fn uid(&self) -> u32 {
        0
    }

    /// Charges a new PID namespace to `owner` and its ancestors; `false` if a limit is reached
    /// (kernel: `inc_pid_namespaces`). Uncharged by [`Effect::NamespaceReleased`](crate::Effect::NamespaceReleased). // CRE-18
    fn charge_pid_ns(&self, owner: UserNs) -> bool {
        let _ = owner;
        true
    }

    /// Takes a charge back in the same call in which it was made, because something after it failed.
    fn uncharge_pid_ns(&self, owner: UserNs) {
        let _ = owner;
    }
}

/// An all-powerful caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Root;

impl Authority for Root {}
