//! reboot: reboot(2) inside a namespace ends the namespace, and its init's parent sees by which signal.
//! // RBT-01..06

use crate::errno::{Errno, Result};
use crate::id::TaskId;
use crate::privilege::{Authority, Capability};
use crate::send::{Scope, Source};
use crate::set::{Sink, TaskSet};
use crate::signal::{SigInfo, Signal};
use crate::task::TaskFlags;

/// The commands of reboot(2) that the embedder has told apart; `cmd` values are in the man page.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RebootCommand {
    /// `RESTART` and `RESTART2`.
    Restart,
    /// `HALT`.
    Halt,
    /// `POWER_OFF`.
    PowerOff,
    /// Every other one, known or not.
    Other,
}

/// What has to happen after reboot(2) was allowed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RebootOutcome {
    /// The namespace's init was killed; the caller does not return and must [`exit`](TaskSet::exit) with code 0.
    CallerExits,
    /// The caller is in the root namespace: it means the machine, and that is the embedder's.
    Machine,
}

impl<G, T> TaskSet<G, T> {
    /// Reboots the caller's namespace (kernel: `reboot_pid_ns`).
    ///
    /// # Errors
    /// `EPERM` without `CAP_SYS_BOOT` in the namespace's owner // RBT-05, `EINVAL` for a command that means nothing in
    /// a namespace // RBT-04.
    pub fn reboot(
        &mut self,
        caller: TaskId,
        command: RebootCommand,
        auth: &dyn Authority,
        sink: Sink<'_, G, T>,
    ) -> Result<RebootOutcome> {
        let me = self.caller(caller)?;
        let ns = self.active_ns(me);
        if !auth.capable(self.spaces[ns].owner, Capability::SysBoot) {
            return Err(Errno::EPERM);
        }
        if ns == self.root {
            return Ok(RebootOutcome::Machine);
        }
        let signal = match command {
            RebootCommand::Restart => Signal::HUP,
            RebootCommand::Halt | RebootCommand::PowerOff => Signal::INT,
            RebootCommand::Other => return Err(Errno::EINVAL),
        };
        self.spaces[ns].reboot = Some(signal);
        self.tasks[me].flags |= TaskFlags::REBOOTING;
        if let Some(init) = self.spaces[ns].reaper {
            self.send_or_lose(
                init,
                Scope::Process,
                SigInfo::kernel(Signal::KILL),
                Source::Kernel,
                sink,
            );
        }
        Ok(RebootOutcome::CallerExits)
    }
}
