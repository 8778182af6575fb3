//! Tells the supervisor what happens to the command.

use super::sys::{self, Change, Errno, PollFd, Usage};
use crate::protocol::{CONTROL_FD, Event, EventKind, WATCH_FD};

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

/// Sends `event`. A supervisor that is slow to read is waited for, one that is gone is not.
pub(crate) fn send(event: &Event) -> Result<(), Gone> {
    loop {
        match sys::send(CONTROL_FD, event) {
            Ok(()) => return Ok(()),
            Err(Errno::EAGAIN) => wait_for_room()?,
            Err(Errno::EINTR) => {}
            Err(_) => return Err(Gone),
        }
    }
}

fn wait_for_room() -> Result<(), Gone> {
    let mut fds = [PollFd::output(CONTROL_FD), PollFd::input(WATCH_FD)];
    // An interrupted wait leaves `revents` as they are, and the next attempt to send asks again.
    let _ = sys::poll(&mut fds, None);
    let [_, watch] = fds;
    if watch.is_ready() { Err(Gone) } else { Ok(()) }
}
