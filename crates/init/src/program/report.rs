//! Tells the supervisor what happens to the command.

use super::sys::{self, Change, Errno, PollFd, Usage};
use crate::protocol::{CONTROL_FD, Event, EventKind};

/// There is no supervisor any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// An event about the command `pid` that needs no more than a `value`.
pub(crate) fn event(kind: EventKind, pid: i32, value: i32) -> Event {
    Event { kind: kind as u32, pid, value, ..Event::default() }
}

/// The event that a change of the command is.
pub(crate) fn change(pid: i32, change: Change, usage: &Usage) -> Event {
    match change {
        Change::Stopped { signal } => event(EventKind::Stopped, pid, signal),
        Change::Continued => event(EventKind::Continued, pid, 0),
        Change::Exited { code } => with_usage(event(EventKind::Exited, pid, code), usage),
        Change::Signaled { signal, core_dumped } => Event {
            core_dumped: u32::from(core_dumped),
            ..with_usage(event(EventKind::Signaled, pid, signal), usage)
        },
    }
}

fn with_usage(event: Event, usage: &Usage) -> Event {
    let micros = |s: u64, us: u64| s.saturating_mul(1_000_000).saturating_add(us);
    Event {
        user_us: micros(usage.user_s, usage.user_us),
        system_us: micros(usage.system_s, usage.system_us),
        max_rss_kb: usage.max_rss_kb,
        ..event
    }
}

/// Sends one of the first events, for which there is always room.
pub(crate) fn send(event: &Event) -> Result<(), Gone> {
    loop {
        match sys::send(CONTROL_FD, event) {
            Ok(()) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(_) => return Err(Gone),
        }
    }
}

/// Events on their way to a supervisor that may be slow to read.
///
/// Never waited for: the supervisor may be waiting for room, too, and whatever it does, a time limit holds. A few places
/// are enough, since of stops and continuations only the last counts, and the other events come once.
pub(crate) struct Outbox {
    waiting: [Option<Event>; 3],
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self { waiting: [None; 3] }
    }

    /// Sends `event` now or when there is room.
    pub(crate) fn post(&mut self, event: Event) -> Result<(), Gone> {
        const STOPPED: u32 = EventKind::Stopped as u32;
        const CONTINUED: u32 = EventKind::Continued as u32;
        const TIMED_OUT: u32 = EventKind::TimedOut as u32;
        let [change, timed_out, end] = &mut self.waiting;
        *match event.kind {
            STOPPED | CONTINUED => change,
            TIMED_OUT => timed_out,
            _ => end,
        } = Some(event);
        self.flush()
    }

    /// Sends what there is room for.
    pub(crate) fn flush(&mut self) -> Result<(), Gone> {
        for place in &mut self.waiting {
            if let Some(event) = place {
                match sys::send(CONTROL_FD, event) {
                    Ok(()) => *place = None,
                    Err(Errno::EAGAIN | Errno::EINTR) => return Ok(()),
                    Err(_) => return Err(Gone),
                }
            }
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.iter().all(Option::is_none)
    }

    /// Waits for requests, and for room if there is a need for it.
    pub(crate) fn control(&self) -> PollFd {
        if self.is_empty() { PollFd::input(CONTROL_FD) } else { PollFd::both(CONTROL_FD) }
    }
}
