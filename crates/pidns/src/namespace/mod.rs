//! A PID namespace and who is in it.
//!
//! [`PidNamespace`] is one of them, held by a pidfd of its number 1, whoever has made it. [`open`] finds it by a name or
//! by a process in it, [`list`] finds all; both look at the whole of /proc, which [`world`] does. [`process`] looks at
//! single processes, [`lineage`] at the descendants of one. [`steer`] is what can be done to a namespace.

mod lineage;
mod list;
mod open;
mod process;
mod steer;
mod world;

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub use list::Summary;
pub use open::OpenError;
pub use process::Process;
pub(crate) use process::start_of;
pub(crate) use world::own_id;

use crate::Engine;
use crate::engine::Members;
use crate::registry::Entry;
use world::World;

/// A PID namespace, held by a pidfd of its number 1.
///
/// ```no_run
/// let namespace = pidns::PidNamespace::find("nightly-build")?;
/// for process in namespace.processes()? {
///     println!("{} {:?}", process.pid, process.command);
/// }
/// namespace.destroy()?;
/// namespace.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PidNamespace {
    init: u32,
    pidfd: OwnedFd,
    engine: Engine,
    /// The command's number inside, where that is known.
    number: Option<u32>,
    /// How the job is registered, if it is.
    entry: Option<Entry>,
}

impl PidNamespace {
    /// The namespace of a job of the caller's own.
    pub(crate) fn new(engine: Engine, init: u32, pidfd: OwnedFd, number: Option<u32>) -> Self {
        Self { init, pidfd, engine, number, entry: None }
    }

    /// The caller's number of the namespace's number 1.
    pub fn init_pid(&self) -> u32 {
        self.init
    }

    /// A pidfd of number 1: readable once every process of the namespace is gone. See pidfd_open(2).
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// The engine that it is had by: [`Engine::Kernel`] for those that others have made.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The name that it was opened by, or that of the job that the process is in.
    pub fn name(&self) -> Option<&str> {
        self.entry.as_ref()?.name.as_deref()
    }

    /// Lists the processes in the namespace and in those nested in it, without number 1, in the order of their age.
    ///
    /// It is a look at moving things: a process that is being made or that ends meanwhile may be missed.
    ///
    /// # Errors
    /// Where /proc cannot be read.
    pub fn processes(&self) -> io::Result<Vec<Process>> {
        let mut tree = self.tree()?;
        tree.retain(|process| process.pid != self.init);
        Ok(tree)
    }

    /// Lists the processes in the namespace and in those nested in it, number 1 first, then in the order of their age.
    ///
    /// # Errors
    /// As [`processes`](Self::processes).
    pub fn tree(&self) -> io::Result<Vec<Process>> {
        self.look_at_all(World::look()?.inside(self.init))
    }

    /// The processes below number 1, as [`processes`](Self::processes): seen by lineage, which takes less time the fewer
    /// they are, and misses those that somebody has put into the namespace from outside.
    pub(crate) fn descendants(&self) -> io::Result<Vec<Process>> {
        self.look_at_all(lineage::descendants(self.init)?)
    }

    /// These processes, whose numbers inside are known from elsewhere.
    pub(crate) fn members(&self, members: &Members) -> io::Result<Vec<Process>> {
        let mut found = self.look_at_all(members.keys().copied().collect())?;
        for process in &mut found {
            process.number = members.get(&process.pid).copied();
        }
        Ok(found)
    }

    fn look_at_all(&self, pids: Vec<u32>) -> io::Result<Vec<Process>> {
        // An error here, and not for one of the others, means that nothing can be seen.
        fs::metadata(format!("/proc/{}", self.init))?;
        let now = process::uptime()?;
        let level = self.level();
        let look_at = |pid| process::look_at(pid, level, now);
        let mut found: Vec<Process> = pids.into_iter().filter_map(look_at).collect();
        found.sort_by_key(|process| {
            (process.pid != self.init, std::cmp::Reverse(process.age), process.number)
        });
        Ok(found)
    }

    /// Where in a list of numbers those of this namespace stand: the outermost is /proc's own.
    fn level(&self) -> usize {
        process::numbers_of(self.init).map_or(0, |numbers| numbers.len().saturating_sub(1))
    }
}
