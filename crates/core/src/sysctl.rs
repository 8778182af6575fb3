//! sysctl: `kernel.pid_max` and `kernel.ns_last_pid`, which act on the caller's namespace.

use crate::errno::{Errno, Result};
use crate::id::TaskId;
use crate::pidmap::{PID_MAX_LIMIT, RESERVED};
use crate::privilege::{Authority, Capability};
use crate::set::TaskSet;

/// The lowest `pid_max`. An embedder with many CPUs demands more. // SYS-03
pub const PID_MAX_MIN: u32 = RESERVED + 1;

impl<G, T> TaskSet<G, T> {
    /// Returns `kernel.pid_max` of the caller's namespace: numbers stay below it.
    ///
    /// # Errors
    /// `ESRCH` if the caller ended.
    pub fn pid_max(&self, caller: TaskId) -> Result<u32> {
        let ns = self.active_ns(self.caller(caller)?);
        Ok(self.spaces[ns].pid_max)
    }

    /// Sets `kernel.pid_max` of the caller's namespace, which no other namespace notices // NUM-11. Numbers above it
    /// stay valid. Who may open the file is the embedder's question.
    ///
    /// # Errors
    /// `EINVAL` out of range. // SYS-03
    pub fn set_pid_max(&mut self, caller: TaskId, value: u32) -> Result<()> {
        let ns = self.active_ns(self.caller(caller)?);
        if !(PID_MAX_MIN..=PID_MAX_LIMIT).contains(&value) {
            return Err(Errno::EINVAL);
        }
        self.spaces[ns].pid_max = value;
        Ok(())
    }

    /// Returns `kernel.ns_last_pid`: the number that was handed out last in the caller's namespace. // SYS-01 SYS-06
    ///
    /// # Errors
    /// `ESRCH` if the caller ended.
    pub fn ns_last_pid(&self, caller: TaskId) -> Result<i32> {
        let ns = self.active_ns(self.caller(caller)?);
        Ok(self.spaces[ns].map.last())
    }

    /// Sets `kernel.ns_last_pid`: the next number tried is the one after. // SYS-01
    ///
    /// # Errors
    /// `EPERM` without `CAP_SYS_ADMIN` or `CAP_CHECKPOINT_RESTORE` in the namespace's owner // SYS-02, `EINVAL` for a
    /// value that is negative or above `pid_max`.
    pub fn set_ns_last_pid(
        &mut self,
        caller: TaskId,
        value: i32,
        auth: &dyn Authority,
    ) -> Result<()> {
        let ns = self.active_ns(self.caller(caller)?);
        let space = &mut self.spaces[ns];
        if !auth.capable(space.owner, Capability::CheckpointRestore) {
            return Err(Errno::EPERM);
        }
        let value = u32::try_from(value).map_err(|_| Errno::EINVAL)?;
        if value > space.pid_max {
            return Err(Errno::EINVAL);
        }
        space.map.set_last(value);
        Ok(())
    }
}
