//! How a command ended.

use std::fmt;
use std::os::unix::process::ExitStatusExt;

use pidns_sys::signal::Signal;
use pidns_sys::wait::Change;

/// How a command ended: by itself with a code, or by a signal.
///
/// ```no_run
/// let status = pidns::Command::new("sh").args(["-c", "kill -9 $$"]).status()?;
/// assert_eq!((status.code(), status.signal()), (None, Some(pidns::Signal::KILL)));
/// assert_eq!(status.shell_code(), 137);
/// assert_eq!(status.to_string(), "killed by SIGKILL");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExitStatus(End);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum End {
    Exited(u8),
    Killed { signal: Signal, core_dumped: bool },
}

impl ExitStatus {
    /// Ended by itself; the low 8 bits of `code` count, as in `_exit(2)`.
    pub(crate) fn exited(code: i32) -> Self {
        Self(End::Exited(code.to_le_bytes()[0]))
    }

    /// Ended by `signal`.
    pub(crate) fn killed(signal: Signal, core_dumped: bool) -> Self {
        Self(End::Killed { signal, core_dumped })
    }

    /// The end that `change` tells of, if it tells of one.
    pub(crate) fn of(change: Change) -> Option<Self> {
        match change {
            Change::Exited(code) => Some(Self::exited(code)),
            Change::Killed(n) => Signal::new(n).map(|signal| Self::killed(signal, false)),
            Change::Dumped(n) => Signal::new(n).map(|signal| Self::killed(signal, true)),
            Change::Stopped(_) | Change::Continued => None,
        }
    }

    /// True if the command ended by itself with code 0.
    pub fn success(&self) -> bool {
        self.code() == Some(0)
    }

    /// The exit code, 0 to 255, if the command ended by itself.
    pub fn code(&self) -> Option<i32> {
        match self.0 {
            End::Exited(code) => Some(code.into()),
            End::Killed { .. } => None,
        }
    }

    /// The signal that ended the command, if one did.
    pub fn signal(&self) -> Option<Signal> {
        match self.0 {
            End::Exited(_) => None,
            End::Killed { signal, .. } => Some(signal),
        }
    }

    /// True if a signal ended the command and it dumped core.
    pub fn core_dumped(&self) -> bool {
        matches!(self.0, End::Killed { core_dumped: true, .. })
    }

    /// The status as a shell shows it: the exit code, or 128 and the signal's number.
    pub fn shell_code(&self) -> u8 {
        match self.0 {
            End::Exited(code) => code,
            End::Killed { signal, .. } => 128 + signal.number().to_le_bytes()[0],
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            End::Exited(code) => write!(f, "exit code {code}"),
            End::Killed { signal, core_dumped: false } => write!(f, "killed by {signal}"),
            End::Killed { signal, core_dumped: true } => {
                write!(f, "killed by {signal} (core dumped)")
            }
        }
    }
}

impl From<ExitStatus> for std::process::ExitStatus {
    fn from(status: ExitStatus) -> Self {
        Self::from_raw(match status.0 {
            End::Exited(code) => i32::from(code) << 8,
            End::Killed { signal, core_dumped } => {
                signal.number() | if core_dumped { 0x80 } else { 0 }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_keeps_its_low_byte_and_a_signal_its_number() {
        assert_eq!(ExitStatus::exited(0x1ff).code(), Some(255));
        let killed = ExitStatus::killed(Signal::KILL, false);
        assert_eq!(
            (killed.code(), killed.signal(), killed.shell_code()),
            (None, Some(Signal::KILL), 137)
        );
    }

    #[test]
    fn std_reads_the_same_status() {
        let std = std::process::ExitStatus::from(ExitStatus::killed(Signal::TERM, true));
        assert_eq!((std.signal(), std.core_dumped()), (Some(15), true));
        assert_eq!(std::process::ExitStatus::from(ExitStatus::exited(7)).code(), Some(7));
    }
}
