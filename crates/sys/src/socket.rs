//! Packets between two processes of one program. See unix(7).

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};

use crate::{Errno, Result};

/// Makes two connected sockets that keep packets apart (`SOCK_SEQPACKET`); both close-on-exec. See socketpair(2).
///
/// # Errors
/// `EMFILE`, `ENFILE`; `EACCES` or `EPERM` where a filter forbids sockets.
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// Connects to the stream socket at `path`, without waiting for a place in its queue; close-on-exec. See connect(2), unix(7).
///
/// # Errors
/// `ECONNREFUSED` where nobody listens any more, `EAGAIN` where too many wait to be accepted, `ENOENT`.
pub fn connect(path: &Path) -> Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::io::ioctl_fionbio(&socket, false)?;
    Ok(socket.into())
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

/// Receives one packet into `buffer` and returns its length, 0 at the end, and the descriptor that came with it, which
/// is close-on-exec; `None` too if the caller has no room for one. Sleeps until there is one. See recvmsg(2), unix(7).
///
/// # Errors
/// `ECONNRESET`.
pub fn receive_with_descriptor(
    socket: impl AsFd,
    buffer: &mut [u8],
) -> Result<(usize, Option<OwnedFd>)> {
    let (length, descriptors) = receive_with_all(socket, buffer)?;
    Ok((length, descriptors.into_iter().next()))
}

/// Sends `bytes` with copies of `descriptors`, without a SIGPIPE. See sendmsg(2), unix(7).
///
/// # Errors
/// `EPIPE` where the other end is closed; `E2BIG` for more than 16 descriptors.
pub fn send_with_descriptors(
    socket: impl AsFd,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let too_many = descriptors.len() > MOST_DESCRIPTORS;
    if too_many || !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::TOOBIG);
    }
    let parts = [IoSlice::new(bytes)];
    rustix::net::sendmsg(socket, &parts, &mut control, SendFlags::NOSIGNAL).map(drop)
}

const MOST_DESCRIPTORS: usize = 16;

/// Receives into `buffer`, and up to `N` descriptors, at most 16, that have come with it, which are close-on-exec.
/// Sleeps until there is something. See recvmsg(2), unix(7).
///
/// # Errors
/// `ECONNRESET`; `EAGAIN` once a timeout of the socket is over.
pub fn receive_with_descriptors<const N: usize>(
    socket: impl AsFd,
    buffer: &mut [u8],
) -> Result<Vec<OwnedFd>> {
    let (_, mut descriptors) = receive_with_all(socket, buffer)?;
    descriptors.truncate(N);
    Ok(descriptors)
}

/// Receives one packet, and the descriptors that have come with it.
fn receive_with_all(socket: impl AsFd, buffer: &mut [u8]) -> Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    loop {
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(buffer)];
        match rustix::net::recvmsg(&socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            Err(e) => return Err(e),
            Ok(received) => {
                let mut all = Vec::new();
                for message in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(fds) = message {
                        all.extend(fds);
                    }
                }
                return Ok((received.bytes, all));
            }
        }
    }
}
