//! Packets between two processes of one program. See unix(7).

use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::{Errno, Result};

/// Makes two connected sockets that keep packets apart (`SOCK_SEQPACKET`); both close-on-exec. See socketpair(2).
///
/// # Errors
/// `EMFILE`, `ENFILE`; `EACCES` or `EPERM` where a filter forbids sockets.
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// Sends one packet, without a SIGPIPE. See send(2).
///
/// # Errors
/// `EPIPE` where the other end is closed.
pub fn send(socket: impl AsFd, packet: &[u8]) -> Result<()> {
    rustix::net::send(socket, packet, SendFlags::NOSIGNAL).map(drop)
}

/// Whether a call may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Sleep until there is an answer.
    Block,
    /// Fail with `EAGAIN` instead.
    NonBlock,
}

/// Receives one packet into `buffer` and returns its length; 0 at the end. A signal handler that ran does not end
/// the wait. See recv(2).
///
/// # Errors
/// `EAGAIN` with [`Mode::NonBlock`] where there is none; `ECONNRESET`.
pub fn receive(socket: impl AsFd, buffer: &mut [u8], mode: Mode) -> Result<usize> {
    let flags = match mode {
        Mode::Block => RecvFlags::empty(),
        Mode::NonBlock => RecvFlags::DONTWAIT,
    };
    loop {
        match rustix::net::recv(&socket, &mut *buffer, flags) {
            Err(Errno::INTR) => {}
            Err(e) => return Err(e),
            Ok((length, _)) => return Ok(length),
        }
    }
}
