//! A message channel between a director and the processes that it directs: a `SOCK_SEQPACKET` pair, one message a line.
//!
//! The far end is inherited under its own number over fork and exec. The near end learns with each message who sent it, as
//! seen from the receiver (`SCM_CREDENTIALS` in unix(7)).

use super::errno::{RawErrno, check};
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags,
    SocketFlags, SocketType,
};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

/// The director's end of a channel.
#[derive(Debug)]
pub struct Near(OwnedFd);

/// The far end, inheritable.
#[derive(Debug)]
pub struct Far(OwnedFd);

/// The longest message.
pub const MAX_MESSAGE: usize = 4096;

/// Makes a channel.
///
/// # Errors
/// Those of socketpair(2).
pub fn pair() -> io::Result<(Near, Far)> {
    let (near, far) =
        net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::empty(), None)?;
    rustix::io::fcntl_setfd(&near, rustix::io::FdFlags::CLOEXEC)?;
    net::sockopt::set_socket_passcred(&near, true)?;
    Ok((Near(near), Far(far)))
}

impl Far {
    /// The number under which children inherit this end.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Forgets messages that nobody has read.
    pub fn drain(&self) {
        let mut data = [0u8; MAX_MESSAGE];
        while net::recv(&self.0, data.as_mut_slice(), RecvFlags::DONTWAIT)
            .is_ok_and(|(len, _)| len > 0)
        {}
    }
}

/// A message and its sender.
#[derive(Debug)]
pub struct Message {
    /// The text.
    pub text: String,
    /// The process that sent it, as a number of the receiver's namespace; 0 if it has none.
    pub sender: i32,
}

impl Near {
    /// Sends a message.
    ///
    /// # Errors
    /// Those of send(2).
    pub fn send(&self, text: &str) -> io::Result<()> {
        net::send(&self.0, text.as_bytes(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
        Ok(())
    }

    /// Takes the next message if there is one.
    ///
    /// # Errors
    /// Those of recvmsg(2).
    pub fn receive_now(&self) -> io::Result<Option<Message>> {
        let mut data = [0u8; MAX_MESSAGE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut data)];
        let got = match net::recvmsg(&self.0, &mut parts, &mut control, RecvFlags::DONTWAIT) {
            Err(rustix::io::Errno::AGAIN) => return Ok(None),
            other => other?,
        };
        let sender = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmCredentials(who) => Some(who.pid.as_raw_nonzero().get()),
            _ => None,
        });
        let text = String::from_utf8_lossy(&data[..got.bytes]).into_owned();
        Ok(Some(Message { text, sender: sender.unwrap_or(0) }))
    }
}

/// Reads the next message from the far end `fd`, waiting for it; empty at the end.
///
/// # Errors
/// Those of recv(2); `EINTR` too.
pub fn read_far(fd: i32, buffer: &mut [u8]) -> Result<usize, RawErrno> {
    // SAFETY: the buffer is live and its length is given.
    check(unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) } as i64)
        .map(|len| len as usize)
}

/// Writes a message to the far end `fd`.
///
/// # Errors
/// Those of send(2).
pub fn write_far(fd: i32, text: &str) -> Result<(), RawErrno> {
    // SAFETY: the text is live and its length is given.
    check(unsafe { libc::send(fd, text.as_ptr().cast(), text.len(), libc::MSG_NOSIGNAL) } as i64)
        .map(|_| ())
}

/// Waits until one of `channels` has a message, at most `limit`.
///
/// # Errors
/// Those of poll(2).
pub fn wait_any(channels: &[&Near], limit: std::time::Duration) -> io::Result<()> {
    let mut entries: Vec<_> = channels
        .iter()
        .map(|near| rustix::event::PollFd::new(&near.0, rustix::event::PollFlags::IN))
        .collect();
    let limit = rustix::event::Timespec {
        tv_sec: limit.as_secs() as i64,
        tv_nsec: limit.subsec_nanos().into(),
    };
    match rustix::event::poll(&mut entries, Some(&limit)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(other) => Err(other.into()),
    }
}
