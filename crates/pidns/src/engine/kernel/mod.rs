//! The kernel's PID namespaces.
//!
//! ```text
//! caller --clone3(CLONE_NEWPID ..)--> number 1: pidns-init --vfork, exec--> the command, number 2
//! ```
//!
//! [`supervised`] is this picture; [`as_init`] has the command as number 1 and a guard outside instead.
//! [`steps`](super::steps) is what both have to do between clone and exec.

mod as_init;
mod supervised;

use pidns_sys::launch::Namespaces;
use pidns_sys::privilege;

use super::{Job, NumberOne, Spec};
use crate::command::{Map, Proc};
use crate::error::SpawnError;

/// Starts `spec` in a PID namespace of the kernel.
pub(crate) fn launch(spec: &Spec) -> Result<Box<dyn Job>, SpawnError> {
    match spec.number_one {
        NumberOne::Init => Ok(Box::new(supervised::launch(spec)?)),
        NumberOne::Command => Ok(Box::new(as_init::launch(spec)?)),
    }
}

/// Which namespaces `spec` needs of this caller: user namespaces only without the privilege to do without.
fn namespaces(spec: &Spec) -> Namespaces {
    let privileged = privilege::has_sys_admin().unwrap_or(false);
    let wants_root = spec.map == Map::Root && privilege::effective_uid() != 0;
    let mut namespaces = Namespaces::PID;
    if !privileged || wants_root {
        namespaces |= Namespaces::USER;
    }
    if spec.proc != Proc::Never {
        namespaces |= Namespaces::MOUNT;
    }
    namespaces
}
