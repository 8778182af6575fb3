//! Commands in namespaces that are there already, whoever has made them.
//!
//! ```text
//! kernel      caller -> visitor --setns, vfork, exec--> the command, inside
//! subreaper   caller -> warden -> keeper -> the command, which ends when the other job does
//! ```
//!
//! [`place`] finds out what a process inside sees; [`visit`] goes there. A job of the subreaper engine has no inside:
//! the command gets a keeper of its own, which kills it when the job ends. A job of the ptrace engine has a tracer, which
//! would have to take the command in: that is refused.

mod place;
mod visit;

use std::sync::Arc;

use pidns_sys::Errno;

use super::{Chosen, NumberOne, Spec, launch_with};
use crate::engine::Engine;
use crate::error::{SpawnError, Stage};
use crate::namespace::PidNamespace;

/// Starts `spec` in `namespace`, and returns once the command's program has been executed.
pub(crate) fn launch(namespace: &PidNamespace, spec: Spec) -> Result<Chosen, SpawnError> {
    if spec.hold || spec.number_one == NumberOne::Command {
        // That is about namespaces that are made.
        return Err(SpawnError::new(Stage::Arguments, Errno::NOTSUP));
    }
    let engine = namespace.engine();
    let job = match engine {
        Engine::Kernel => visit::launch(namespace, &spec)?,
        Engine::Subreaper => {
            let beside = namespace.pidfd().try_clone_to_owned();
            let beside = beside.map_err(|error| SpawnError::of_io(Stage::Descriptors, &error))?;
            launch_with(engine, &Arc::new(beside_of(spec, beside)?))?
        }
        Engine::Auto | Engine::Ptrace => {
            return Err(SpawnError::new(Stage::Enter, Errno::NOSYS));
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
