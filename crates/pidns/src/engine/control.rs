//! The supervisor's end of the socket to a `pidns-init`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use pidns_init::protocol::{self, Config, Entry, EntryStep, EventKind, Request, RequestKind, Role};
use pidns_sys::signal::Signal;
use pidns_sys::socket::{self, Mode};
use pidns_sys::{Errno, Result, poll};

use super::reap::AWAKE;
use super::{Event, Spec};
use crate::command::Descriptors;
use crate::error::{SpawnError, Stage};
use crate::report::Usage;
use crate::status::ExitStatus;

#[derive(Debug)]
pub(super) struct Control(OwnedFd);

/// A packet from the other end, or its close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    Started { number: i32 },
    ForkFailed(i32),
    ExecFailed(i32),
    EnterFailed { step: i32, errno: i32 },
    Keeper { pid: u32 },
    Stuck(Stuck),
    Event(Event),
    Closed,
}

/// A process that is left and will not go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stuck {
    pub(super) pid: u32,
    /// Why it may not be killed; `None` if it has been, to no effect.
    pub(super) errno: Option<Errno>,
}

impl Control {
    /// Makes the socket, with the configuration for `role` waiting in it, and returns the image's end too.
    ///
    /// `moved` is where the command's own descriptors of the numbers that the image uses wait, should it have them.
    pub(super) fn new(role: Role, spec: &Spec, moved: [i32; 2]) -> Result<(Self, OwnedFd)> {
        let (ours, theirs) = socket::pair()?;
        socket::send(&ours, &config(role, spec, moved).to_bytes())?;
        Ok((Self(ours), theirs))
    }

    /// Tells a visitor where to go. Comes first.
    pub(super) fn send_entry(&self, entry: &Entry) -> Result<()> {
        socket::send(&self.0, &entry.to_bytes())
    }

    pub(super) fn request(&self, kind: RequestKind, value: u32) -> Result<()> {
        let request = Request { kind: kind as u32, value };
        match socket::send(&self.0, &request.to_bytes()) {
            // It has ended, or is about to: nothing is left to ask for.
            Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
            result => result,
        }
    }

    /// Has number 1 start a guest with these descriptors.
    pub(super) fn send_guest(&self, descriptors: &[BorrowedFd<'_>]) -> Result<()> {
        let request = Request { kind: RequestKind::Guest as u32, value: 0 };
        socket::send_with_descriptors(&self.0, &request.to_bytes(), descriptors)
    }

    /// Another handle of the same socket.
    pub(super) fn try_clone(&self) -> std::io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        self.request(RequestKind::Signal, signal.number().unsigned_abs())
    }

    /// The next packet that means something to this version.
    pub(super) fn receive(&self, mode: Mode) -> Result<Packet> {
        loop {
            let mut bytes = [0; size_of::<protocol::Event>()];
            let received = unless_at_end(|| {
                socket::receive(&self.0, &mut bytes, mode).map(|length| (length, ()))
            });
            let Some((length, ())) = received? else { return Ok(Packet::Closed) };
            if let Some(packet) = protocol::Event::from_bytes(&bytes[..length]).and_then(packet) {
                return Ok(packet);
            }
        }
    }

    /// Waits until the command's program has been executed, and returns the command's number.
    pub(super) fn await_start(&self) -> std::result::Result<u32, SpawnError> {
        match self.receive_soon() {
            Ok(Packet::Started { number }) => Ok(number.unsigned_abs()),
            Ok(Packet::ForkFailed(errno)) => Err(SpawnError::from_raw(Stage::Fork, errno)),
            Ok(Packet::ExecFailed(errno)) => Err(SpawnError::from_raw(Stage::Exec, errno)),
            Ok(Packet::EnterFailed { step, errno }) => {
                let directory = step == EntryStep::Directory as i32;
                let stage = if directory { Stage::Directory } else { Stage::Enter };
                Err(SpawnError::from_raw(stage, errno))
            }
            Ok(_) => Err(SpawnError::new(Stage::Init, Errno::SRCH)),
            Err(errno) => Err(SpawnError::new(Stage::Init, errno)),
        }
    }

    /// Waits for a packet that is most likely a moment away.
    fn receive_soon(&self) -> Result<Packet> {
        poll::readable_soon([self.0.as_fd()], AWAKE)?;
        self.receive(Mode::Block)
    }

    /// The next packet as [`receive`](Self::receive) gives it, and the descriptor that it carries.
    pub(super) fn receive_with_descriptor(&self) -> Result<(Packet, Option<OwnedFd>)> {
        loop {
            let mut bytes = [0; size_of::<protocol::Event>()];
            let received = unless_at_end(|| socket::receive_with_descriptor(&self.0, &mut bytes));
            let Some((length, fd)) = received? else { return Ok((Packet::Closed, None)) };
            if let Some(packet) = protocol::Event::from_bytes(&bytes[..length]).and_then(packet) {
                return Ok((packet, fd));
            }
        }
    }

    /// The next event, if there is one now. What only matters at the start is passed over.
    pub(super) fn next_event(&self) -> Result<Option<Event>> {
        loop {
            match self.receive(Mode::NonBlock) {
                Ok(Packet::Event(event)) => return Ok(Some(event)),
                Ok(Packet::Closed) => return Ok(Some(Event::Gone)),
                Ok(_) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// Receives a packet; `None` at the end of all.
///
/// The end is believed only if it is told twice. Linux looks for a packet first and at the end second: who sends and goes
/// in between has its last packet overlooked by a call that does not sleep. And who goes with a request unread has the
/// reset told first.
fn unless_at_end<T>(mut receive: impl FnMut() -> Result<(usize, T)>) -> Result<Option<(usize, T)>> {
    let is_end =
        |received: &Result<(usize, T)>| matches!(received, Ok((0, _)) | Err(Errno::CONNRESET));
    let first = receive();
    let received = if is_end(&first) { receive() } else { first };
    if is_end(&received) { Ok(None) } else { received.map(Some) }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn config(role: Role, spec: &Spec, moved: [i32; 2]) -> Config {
    Config {
        magic: protocol::MAGIC,
        role: role as u32,
        flags: flag(spec.hold, Config::HOLD)
            | flag(spec.beside.is_some(), Config::WITH_TARGET)
            | flag(spec.descriptors == Descriptors::All, Config::INHERIT)
            | flag(spec.bound, Config::BOUND)
            | flag(
                role == Role::Keeper && spec.descriptors == Descriptors::Standard,
                Config::IN_CGROUP,
            ),
        signal: spec.signal.number().unsigned_abs(),
        timeout_ns: spec.timeout.map_or(0, |timeout| nanoseconds(timeout).max(1)),
        grace_ns: nanoseconds(spec.grace),
        sigmask: spec.mask.bits(),
        moved,
    }
}

fn flag(is_set: bool, bit: u32) -> u32 {
    if is_set { bit } else { 0 }
}

/// 584 years are enough.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn packet(event: protocol::Event) -> Option<Packet> {
    let kind = |wanted: EventKind| event.kind == wanted as u32;
    let signal = || Signal::new(event.value);
    let ended = |status| Packet::Event(Event::Ended(status, usage(&event)));
    Some(match event.kind {
        _ if kind(EventKind::Started) => Packet::Started { number: event.pid },
        _ if kind(EventKind::ForkFailed) => Packet::ForkFailed(event.value),
        _ if kind(EventKind::ExecFailed) => Packet::ExecFailed(event.value),
        _ if kind(EventKind::EnterFailed) => {
            Packet::EnterFailed { step: event.pid, errno: event.value }
        }
        _ if kind(EventKind::Keeper) => Packet::Keeper { pid: event.pid.unsigned_abs() },
        _ if kind(EventKind::Stuck) => Packet::Stuck(Stuck {
            pid: event.pid.unsigned_abs(),
            errno: (event.value != 0).then(|| Errno::from_raw_os_error(event.value)),
        }),
        _ if kind(EventKind::Stopped) => Packet::Event(Event::Stopped(signal()?)),
        _ if kind(EventKind::Continued) => Packet::Event(Event::Continued),
        _ if kind(EventKind::TimedOut) => Packet::Event(Event::TimedOut),
        _ if kind(EventKind::Exited) => ended(ExitStatus::exited(event.value)),
        _ if kind(EventKind::Signaled) => {
            ended(ExitStatus::killed(signal()?, event.core_dumped != 0))
        }
        _ => return None,
    })
}

fn usage(event: &protocol::Event) -> Usage {
    Usage {
        user: Duration::from_micros(event.user_us),
        system: Duration::from_micros(event.system_us),
        max_rss_kb: event.max_rss_kb,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each, as the other end sends them, and then goes.
    fn last_words(socket: OwnedFd) {
        let event = protocol::Event {
            kind: EventKind::Exited as u32,
            pid: 2,
            value: 7,
            ..protocol::Event::default()
        };
        // As the image lays it out: words, then longs.
        let words = [event.kind.to_ne_bytes(), event.pid.to_ne_bytes(), event.value.to_ne_bytes()];
        let mut bytes = words.concat();
        bytes.resize(size_of::<protocol::Event>(), 0);
        socket::send(&socket, &bytes).unwrap();
    }

    fn is_last_word(packet: Result<Packet>) -> bool {
        matches!(packet, Ok(Packet::Event(Event::Ended(status, _))) if status.code() == Some(7))
    }

    #[test]
    fn a_last_word_is_heard_though_a_request_was_not_read() {
        let (ours, theirs) = socket::pair().unwrap();
        let control = Control(ours);
        control.request(RequestKind::Go, 0).unwrap();
        last_words(theirs);
        assert!(is_last_word(control.receive(Mode::NonBlock)));
        assert_eq!(control.receive(Mode::NonBlock), Ok(Packet::Closed));
    }

    #[test]
    fn a_last_word_is_heard_however_close_the_end_is() {
        for _ in 0..4_000 {
            let (ours, theirs) = socket::pair().unwrap();
            let control = Control(ours);
            let other = std::thread::spawn(move || last_words(theirs));
            loop {
                match control.receive(Mode::NonBlock) {
                    Err(Errno::AGAIN) => {}
                    packet => break assert!(is_last_word(packet), "{packet:?}"),
                }
            }
            other.join().unwrap();
        }
    }
}
