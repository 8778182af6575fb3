//! Commands in namespaces that are there already, whoever has made them.
//!
//! ```text
//! kernel      caller -> visitor --setns, vfork, exec--> the command, inside
//! subreaper   caller -> warden -> keeper -> the command, which ends when the other job does
//! ptrace      caller --door--> supervisor --control--> number 1 -> guest -> the command
//! ```
//!
//! [`place`] finds out what a process inside sees; [`visit`] goes there. A job of the subreaper engine has no inside:
//! the command gets a keeper of its own, which kills it when the job ends. Into a job of the ptrace engine nobody comes
//! from outside: its supervisor is asked at its [`door`] to have the [`guest`] started by number 1, and sends all that is
//! needed, the command in a [`parcel`].

mod door;
mod guest;
mod parcel;
mod place;
mod visit;

use std::sync::Arc;

use pidns_sys::Errno;

use super::{Chosen, NumberOne, Spec, launch_with};
use crate::command::Descriptors;
use crate::engine::Engine;
use crate::error::{SpawnError, Stage};
use crate::namespace::PidNamespace;

pub(crate) use door::{Behind, Door, members};

/// Starts `spec` in `namespace`, and returns once the command's program has been executed.
pub(crate) fn launch(namespace: &PidNamespace, spec: Spec) -> Result<Chosen, SpawnError> {
    if spec.hold || spec.number_one == NumberOne::Command {
        // That is about namespaces that are made.
        return Err(SpawnError::new(Stage::Arguments, Errno::NOTSUP));
    }
    // What is open here means nothing there.
    let spec = Spec { descriptors: Descriptors::Standard, ..spec };
    let engine = namespace.engine();
    let job = match engine {
        Engine::Kernel => visit::launch(namespace, &spec)?,
        Engine::Subreaper => {
            let beside = namespace.pidfd().try_clone_to_owned();
            let beside = beside.map_err(|error| SpawnError::of_io(Stage::Descriptors, &error))?;
            launch_with(engine, &Arc::new(beside_of(spec, beside)?))?
        }
        Engine::Auto | Engine::Ptrace => {
            let door = namespace.door().ok_or(SpawnError::new(Stage::Enter, Errno::NOSYS))?;
            guest::launch(&door, &spec)?
        }
    };
    Ok(Chosen { engine, job, passed_over: Vec::new() })
}

fn beside_of(spec: Spec, other: std::os::fd::OwnedFd) -> Result<Spec, SpawnError> {
    let other = pidns_sys::fd::at_or_above(other, crate::stdio::HIGH_FLOOR)
        .map_err(|errno| SpawnError::new(Stage::Descriptors, errno))?;
    // What says how namespaces are made is not asked for here.
    let (proc, map) = Default::default();
    Ok(Spec { beside: Some(other), proc, map, ..spec })
}
