//! The worlds of the ptrace engine, above all where the kernel gives no PID namespaces: see [`pidns_testkit::place`].

use super::HostWorld;
use crate::world::World;
use pidns_testkit::{place, user};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;

/// Wherever we are.
pub const HERE: &str = "ptrace";
/// Where PID namespaces are switched off.
pub const OFF: &str = "ptrace-off";
/// Behind the filter of a default container.
pub const FILTERED: &str = "ptrace-filtered";
/// In a container, where the director is too.
pub const CONTAINER: &str = "ptrace-container";

/// All of them.
pub const ALL: [&str; 4] = [HERE, OFF, FILTERED, CONTAINER];

/// What runs in the world: everything, as an engine has to leave the director's channels open.
const ENGINE: [&str; 6] = ["run", "--fds", "all", "--engine", "ptrace", "--"];

/// The world `name` with the ptrace engine of the program `pidns`.
///
/// # Errors
/// In words: why the world cannot be prepared.
pub fn world(name: &str, pidns: &Path) -> Result<Box<dyn World>, String> {
    let world = match name {
        OFF => {
            let mut prefix = place::SWITCHED_OFF.map(OsString::from).to_vec();
            prefix.extend(engine(pidns));
            let world = HostWorld::new(name, prefix);
            match place::switched_off("true".as_ref()) {
                Ok(_) => world,
                Err(why) => world.closed(why),
            }
        }
        FILTERED => {
            // Whoever the engine runs as there has to reach the programs.
            let programs = user::Reachable::new();
            let own = programs.copy(&std::env::current_exe().map_err(|error| error.to_string())?);
            let mut prefix = vec![own.clone().into(), "filtered".into()];
            prefix.extend(engine(&programs.copy(pidns)));
            HostWorld::new(name, prefix).with_program(own).keeping(programs)
        }
        _ => HostWorld::new(name, engine(pidns).collect()),
    };
    Ok(Box::new(world))
}

fn engine(pidns: &Path) -> impl Iterator<Item = OsString> {
    std::iter::once(pidns.into()).chain(ENGINE.map(OsString::from))
}

/// Executes the command `words` behind a container's filter, without privilege. Returns only when that failed, with the
/// reason.
#[must_use]
pub fn run_filtered(words: &[&str]) -> String {
    let Some((program, arguments)) = words.split_first() else { return "no command".to_owned() };
    place::install_a_container_s_filter();
    let error = user::unprivileged(program.as_ref()).args(arguments).exec();
    format!("{program}: {error}")
}
