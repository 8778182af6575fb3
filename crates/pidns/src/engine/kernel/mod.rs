//! The kernel's PID namespaces.
//!
//! ```text
//! caller --clone3(CLONE_NEWPID ..)--> number 1: pidns-init --vfork, exec--> the command, number 2
//! ```
//!
//! [`supervised`] is this picture; [`as_init`] has the command as number 1 and a guard outside instead. [`steps`] is
//! what both have to do between clone and exec.

mod as_init;
mod image;
mod steps;
mod supervised;

use std::io;
use std::os::fd::AsFd;

use pidns_sys::launch::{Failure, Namespaces};
use pidns_sys::signal::Signal;
use pidns_sys::wait::{self, Wanted};
use pidns_sys::{Errno, pidfd, privilege};

use super::{Job, NumberOne, Spec};
use crate::command::{Map, Proc};
use crate::error::{SpawnError, Stage};
use crate::status::ExitStatus;

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

/// What went wrong in a launch whose steps belong to `stages`.
fn failed(failure: Failure, stages: &[Stage]) -> SpawnError {
    let stage = failure.step.and_then(|step| stages.get(step).copied());
    SpawnError::new(stage.unwrap_or(Stage::Namespace), failure.errno)
}

/// Waits for the end of a child of ours, which is the end of all that it holds together, and collects it.
fn collect(pidfd: impl AsFd) -> io::Result<ExitStatus> {
    let change = wait::change_of(pidfd, Wanted::EXITED)?;
    change.and_then(ExitStatus::of).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// Makes sure that nothing of a launch that failed is left.
fn give_up(pidfd: impl AsFd) {
    // One that cannot be killed is not to be waited for.
    if matches!(pidfd::send_signal(&pidfd, Signal::KILL), Ok(()) | Err(Errno::SRCH)) {
        let _ = collect(pidfd);
    }
}
