//! How long the command may still run, and what is to be done when that is over.

use crate::protocol::Config;

/// What brings the command nearer to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Send it the signal that asks it to end.
    Ask,
    /// Kill it.
    Kill,
}

/// How far it is already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Up to the time limit, if there is one.
    Running,
    /// Asked to end, up to the end of the time of grace.
    Asked,
    Killed,
}

/// The command's time. All times are those of one monotonic clock, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    phase: Phase,
    deadline: Option<u64>,
    grace_ns: u64,
}

impl Term {
    /// The command starts now.
    pub(crate) fn start(config: &Config, now: u64) -> Self {
        let deadline = (config.timeout_ns != 0).then(|| now.saturating_add(config.timeout_ns));
        Self { phase: Phase::Running, deadline, grace_ns: config.grace_ns }
    }

    /// When [`expire`](Self::expire) is to be called.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.deadline
    }

    /// Whether the command has not been told to end yet.
    pub(crate) fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// The command is to end. Nothing is to be done if that has been said already.
    pub(crate) fn end(&mut self, now: u64) -> Option<Order> {
        self.is_running().then(|| self.advance(now))
    }

    /// The deadline has come.
    pub(crate) fn expire(&mut self, now: u64) -> Order {
        self.advance(now)
    }

    fn advance(&mut self, now: u64) -> Order {
        if self.phase == Phase::Running && self.grace_ns != 0 {
            self.phase = Phase::Asked;
            self.deadline = Some(now.saturating_add(self.grace_ns));
            return Order::Ask;
        }
        self.phase = Phase::Killed;
        self.deadline = None;
        Order::Kill
    }
}
