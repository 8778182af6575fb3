//! One job: what runs, what is done to it, and which ends are right.

use std::process::ExitStatus;
use std::time::Duration;

use std::os::unix::process::ExitStatusExt;

use crate::tools::Role;

/// What the program `leak` can do here, each with how often it is chosen.
const WAYS: [&str; 14] = [
    "plain",
    "double-fork",
    "setsid",
    "daemon",
    "group",
    "stopped",
    "deaf",
    "traced",
    "vfork",
    "subreaper",
    "respawn",
    "storm:10000",
    "many:20",
    "deep:20",
];

/// A job to play.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) leak: String,
    /// `stay`, or the code to exit with.
    pub(super) end: String,
    pub(super) options: Vec<String>,
    pub(super) action: Action,
    /// How long after the start the action is taken.
    pub(super) delay: Duration,
}

/// What is done to a job from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing.
    Leave,
    /// SIGTERM to the supervisor, which passes it on.
    Terminate,
    /// SIGKILL of a role.
    Kill(Role),
    /// SIGKILL of the supervisor's process group.
    KillGroup,
    /// SIGKILL of one of the command's processes.
    KillMember,
}

impl Job {
    pub(super) fn random(random: &mut fastrand::Rng, may_trace: bool) -> Self {
        let action = match random.u8(0..10) {
            0..=2 => Action::Leave,
            3 => Action::Terminate,
            4 => Action::KillGroup,
            5 => Action::KillMember,
            6 => Action::Kill(Role::Supervisor),
            7 => Action::Kill(Role::Init),
            8 => Action::Kill(Role::Guard(0)),
            _ => Action::Kill(Role::Guard(1)),
        };
        let mut options = Vec::new();
        let stays = random.bool();
        if action == Action::KillMember {
            // One that the command waits for may be killed.
            options.extend(["--timeout", "1s"].map(str::to_owned));
        } else if stays && !matches!(action, Action::Terminate | Action::KillGroup) {
            // Those that find nobody to kill have to end all the same.
            options.extend(["--timeout".to_owned(), format!("{}ms", random.u32(1..60))]);
        }
        if random.u8(0..4) == 0 {
            options.extend(["--grace", "10ms"].map(str::to_owned));
        }
        if random.u8(0..4) == 0 {
            options.extend(["--leaks", "report", "-q"].map(str::to_owned));
        }
        // 98 and 99 are failures of `leak` itself, 124 and the like those of pidns.
        let end = if stays { "stay".to_owned() } else { random.u8(0..90).to_string() };
        Self {
            leak: ways(random, may_trace),
            end,
            options,
            action,
            delay: Duration::from_micros(random.u64(0..30_000)),
        }
    }

    /// Says whether the supervisor may have ended like that.
    pub(super) fn allows(&self, status: ExitStatus) -> bool {
        let code = status.code();
        let own = self.end.parse().ok();
        let timed_out = self.options.iter().any(|option| option == "--timeout");
        let by_itself = code.is_some() && (code == own || timed_out && code == Some(124));
        match self.action {
            Action::Leave => by_itself,
            // It may come before the supervisor takes signals.
            Action::Terminate => by_itself || code == Some(143) || status.signal() == Some(15),
            Action::Kill(Role::Supervisor) | Action::KillGroup => {
                by_itself || status.signal() == Some(9)
            }
            // Before there is a command, pidns itself has failed.
            Action::Kill(_) => by_itself || matches!(code, Some(125 | 137)),
            Action::KillMember => by_itself || code == Some(137),
        }
    }

    /// Says whether all have to be gone when the supervisor has ended.
    pub(super) fn is_waited_for(&self) -> bool {
        matches!(
            self.action,
            Action::Leave | Action::Kill(Role::Init | Role::Guard(_)) | Action::KillMember
        )
    }
}

fn ways(random: &mut fastrand::Rng, may_trace: bool) -> String {
    let number = random.usize(0..4);
    let chosen = (0..number).map(|_| WAYS[random.usize(..WAYS.len())]);
    let chosen: Vec<&str> = chosen.filter(|way| may_trace || *way != "traced").collect();
    if chosen.is_empty() { "nothing".to_owned() } else { chosen.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(end: &str, options: &[&str], action: Action) -> Job {
        Job {
            leak: "nothing".to_owned(),
            end: end.to_owned(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            action,
            delay: Duration::ZERO,
        }
    }

    #[test]
    fn only_the_ends_that_can_come_are_right() {
        let exited = |code: i32| ExitStatus::from_raw(code << 8);
        let plain = job("7", &[], Action::Leave);
        assert!(plain.allows(exited(7)));
        assert!(!plain.allows(exited(0)) && !plain.allows(exited(125)));
        let timed = job("stay", &["--timeout", "5ms"], Action::Leave);
        assert!(timed.allows(exited(124)) && !timed.allows(exited(0)));
        let killed = job("stay", &[], Action::Kill(Role::Init));
        assert!(killed.allows(exited(137)) && !killed.allows(ExitStatus::from_raw(9)));
        let supervisor = job("stay", &[], Action::Kill(Role::Supervisor));
        assert!(supervisor.allows(ExitStatus::from_raw(9)) && !supervisor.allows(exited(137)));
    }
}
