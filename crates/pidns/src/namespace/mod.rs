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
use std::path::PathBuf;

use pidns_sys::{Errno, pidfd};

pub use list::Summary;
pub use open::OpenError;
pub use process::Process;
pub(crate) use process::{innermost, start_of};
pub use steer::Waited;
pub(crate) use world::own_id;

use crate::engine::{Members, enter};
use crate::registry::Entry;
use crate::{Child, Command, Engine, SpawnError};
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
    /// Whose end tells that all are gone.
    pidfd: OwnedFd,
    /// Number 1, where it is not that.
    number_one: Option<OwnedFd>,
    engine: Engine,
    /// The command's number inside, where that is known.
    number: Option<u32>,
    /// How the job is registered, if it is.
    entry: Option<Entry>,
    /// Where the supervisor answers, if that is the caller itself.
    door: Option<PathBuf>,
}

impl PidNamespace {
    /// The namespace of a job of the caller's own.
    pub(crate) fn new(
        engine: Engine,
        init: u32,
        pidfd: OwnedFd,
        number_one: Option<OwnedFd>,
        number: Option<u32>,
    ) -> Self {
        Self { init, pidfd, number_one, engine, number, entry: None, door: None }
    }

    /// Its supervisor answers at this door.
    pub(crate) fn with_door(self, door: Option<PathBuf>) -> Self {
        Self { door, ..self }
    }

    /// Another handle of the same namespace.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            init: self.init,
            pidfd: self.pidfd.try_clone()?,
            number_one: self.number_one.as_ref().map(OwnedFd::try_clone).transpose()?,
            engine: self.engine,
            number: self.number,
            entry: self.entry.as_ref().map(Entry::try_clone).transpose()?,
            door: self.door.clone(),
        })
    }

    /// The caller's number of the namespace's number 1.
    pub fn init_pid(&self) -> u32 {
        self.init
    }

    /// A pidfd that is readable once every process of the namespace is gone. See pidfd_open(2).
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// A pidfd of number 1.
    pub(crate) fn number_one(&self) -> BorrowedFd<'_> {
        self.number_one.as_ref().unwrap_or(&self.pidfd).as_fd()
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
        self.look_at_all(World::look()?.inside(self.engine, self.init))
    }

    /// Starts `command` in the namespace, beside those that are there. It sees what number 1 sees: its namespaces of all
    /// kinds but the time namespace, its root directory, and the caller's working directory if that has the same path
    /// there. It keeps the caller's ids, except in a user namespace in which they have no meaning: there it is who number
    /// 1 is. What else number 1 may be bound by, such as cgroups, seccomp filters and dropped capabilities, it does not
    /// get.
    ///
    /// The [`Child`] is that command alone: dropping it kills the command, and so does the end of the calling process.
    /// What the command has started then belongs to the namespace, and ends with it. In a job of the subreaper engine,
    /// it ends with the command. A job of the ptrace engine can be entered only if its number 1 is `pidns-init`, and if
    /// its supervisor has a directory for names.
    ///
    /// What a [`Command`] says of how a namespace is made means nothing here: engine, /proc, map and name. Leftovers are
    /// not looked at, and it cannot be number 1.
    ///
    /// # Errors
    /// [`Stage::Enter`](crate::Stage::Enter) with `EPERM` or `EACCES` without the right to, `ESRCH` if the namespace has
    /// ended, `ENOSYS` for an engine that has no way in; and as [`Command::spawn`].
    pub fn spawn(&self, command: &mut Command) -> Result<Child, SpawnError> {
        command.spawn_in(self)
    }

    /// The processes below number 1, as [`processes`](Self::processes): seen by lineage, which takes less time the fewer
    /// they are, and misses those that somebody has put into the namespace from outside.
    pub(crate) fn descendants(&self) -> io::Result<Vec<Process>> {
        let root = process::family_root(self.engine, self.init).unwrap_or(self.init);
        let mut all = lineage::descendants(root)?;
        all.retain(|pid| *pid != self.init);
        self.look_at_all(all)
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
        self.still_there()?;
        let now = process::uptime()?;
        let level = self.level();
        let mut found: Vec<Process> =
            pids.into_iter().filter_map(|pid| process::look_at(pid, level, now)).collect();
        if self.engine == Engine::Ptrace {
            self.keep_known_numbers(&mut found);
        }
        found.sort_by_key(|process| {
            (process.pid != self.init, std::cmp::Reverse(process.age), process.number)
        });
        Ok(found)
    }

    /// What the kernel has for numbers are the host's. The tracer, which knows those inside, is another process; what is
    /// known without it are those of number 1 and of its one child for the host, the command.
    fn keep_known_numbers(&self, processes: &mut [Process]) {
        let members = self.door().and_then(|door| enter::members(&door).ok()).unwrap_or_default();
        for process in processes {
            process.number = members.get(&process.pid).copied();
            if process.number.is_some() {
                continue;
            }
            process.number = match (process.pid, process.ppid) {
                (pid, _) if pid == self.init => Some(1),
                (_, parent) if parent == self.init => self.number,
                _ => None,
            };
        }
    }

    /// Fails with `ESRCH` if number 1 has ended. As long as it has not, its number was its own when it was looked at.
    fn still_there(&self) -> io::Result<()> {
        if pidfd::has_ended(self.number_one())? { Err(Errno::SRCH.into()) } else { Ok(()) }
    }

    /// Where the supervisor answers, if it does.
    pub(crate) fn door(&self) -> Option<PathBuf> {
        match &self.entry {
            Some(entry) => entry.record().ok()??.door,
            None => self.door.clone(),
        }
    }

    /// Where in a list of numbers those of this namespace stand: the outermost is /proc's own.
    fn level(&self) -> usize {
        process::numbers_of(self.init).map_or(0, |numbers| numbers.len().saturating_sub(1))
    }
}
