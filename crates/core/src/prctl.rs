//! prctl: the parent-death signal of a thread and the subreaper mark of a process (prctl(2)).

use crate::errno::{Errno, Result};
use crate::id::TaskId;
use crate::set::TaskSet;
use crate::signal::Signal;
use crate::task::GroupFlags;

/// Whether a process adopts the orphans among its descendants.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ChildSubreaper {
    /// It does.
    Yes,
    /// It does not.
    No,
}

impl<G, T> TaskSet<G, T> {
    /// Sets the signal that the caller gets when the thread that forked it ends; 0 for none (`PR_SET_PDEATHSIG`). An
    /// embedder clears it when credentials change; fork does by itself. // REP-10
    ///
    /// # Errors
    /// `EINVAL` for no signal, `ESRCH` if the caller ended.
    pub fn set_death_signal(&mut self, caller: TaskId, signal: i32) -> Result<()> {
        let task = self.caller(caller)?;
        let signal = match signal {
            0 => None,
            raw => Some(Signal::from_raw(raw).ok_or(Errno::EINVAL)?),
        };
        self.tasks[task].death_signal = signal;
        Ok(())
    }

    /// Returns the caller's parent-death signal (`PR_GET_PDEATHSIG`).
    ///
    /// # Errors
    /// `ESRCH` if the caller was released.
    pub fn death_signal(&self, caller: TaskId) -> Result<Option<Signal>> {
        self.task_ix(caller).map(|task| self.tasks[task].death_signal)
    }

    /// Marks the caller's process as a subreaper, or not (`PR_SET_CHILD_SUBREAPER`). Children do not inherit the mark,
    /// exec keeps it. // REP-07
    ///
    /// # Errors
    /// `ESRCH` if the caller ended.
    pub fn set_child_subreaper(&mut self, caller: TaskId, mark: ChildSubreaper) -> Result<()> {
        let task = self.caller(caller)?;
        let group = self.group_of(task);
        let entry = &mut self.groups[group];
        match (mark, entry.has(GroupFlags::SUBREAPER)) {
            (ChildSubreaper::Yes, false) => self.subreapers += 1,
            (ChildSubreaper::No, true) => self.subreapers -= 1,
            _ => return Ok(()),
        }
        entry.flags.toggle(GroupFlags::SUBREAPER);
        Ok(())
    }

    /// Says whether the caller's process is a subreaper (`PR_GET_CHILD_SUBREAPER`).
    ///
    /// # Errors
    /// `ESRCH` if the caller was released.
    pub fn child_subreaper(&self, caller: TaskId) -> Result<ChildSubreaper> {
        let group = self.group_of(self.task_ix(caller)?);
        let marked = self.groups[group].has(GroupFlags::SUBREAPER);
        Ok(if marked { ChildSubreaper::Yes } else { ChildSubreaper::No })
    }
}
