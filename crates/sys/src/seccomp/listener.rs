//! Being asked about the calls of other processes: the listener of a filter. See seccomp(2), "user-space notification".
//!
//! A call with [`Verdict::Ask`](super::Verdict::Ask) waits until whoever has the [`Listener`] has answered. A stop by
//! ptrace would tell the tracer alone, wherever that runs; a question can wake the listener on the caller's own cpu
//! ([`Listener::wake_here`]), so that what runs in parallel is not held up.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{mem, ptr};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::ptrace::Tid;
use crate::{Errno, Result};

/// The end of a filter at which its questions arrive.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    wakes_here: AtomicBool,
}

/// A call that waits for an answer. Once it has been read, only a signal that kills ends that.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    id: u64,
    /// Who makes it, in the caller's PID namespace.
    pub tid: Tid,
    /// The call's number.
    pub call: i64,
    /// Its arguments.
    pub arguments: [u64; 6],
    /// The address behind the instruction that makes it.
    pub instruction: u64,
}

/// `SECCOMP_IOCTL_NOTIF_*` of `linux/seccomp.h`: the letter is `!`.
const fn request(direction: u64, number: u64, size: usize) -> libc::Ioctl {
    const LETTER: u64 = 0x21;
    (direction << 30 | (size as u64) << 16 | LETTER << 8 | number) as libc::Ioctl
}

const WRITE: u64 = 1;
const READ: u64 = 2;
const RECEIVE: libc::Ioctl = request(READ | WRITE, 0, size_of::<libc::seccomp_notif>());
const SEND: libc::Ioctl = request(READ | WRITE, 1, size_of::<libc::seccomp_notif_resp>());
const IS_VALID: libc::Ioctl = request(WRITE, 2, size_of::<u64>());
const SET_FLAGS: libc::Ioctl = request(WRITE, 4, size_of::<u64>());
const SYNC_WAKE_UP: u64 = 1;

impl Listener {
    /// Takes the descriptor that [`Program::install_listening`](super::Program::install_listening) has made.
    ///
    /// # Errors
    /// `EINVAL` before Linux 6.6.
    pub fn new(fd: OwnedFd) -> Result<Self> {
        set_flags(&fd, 0)?;
        Ok(Self { fd, wakes_here: AtomicBool::new(false) })
    }

    /// Whether asker and answerer wake each other on the cpu that they are on (`SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`), or
    /// where the scheduler has room. The former is the quicker by far where one question follows the other; but if
    /// somebody else wants that cpu, both have to wait, whether or not another one is idle.
    ///
    /// # Errors
    /// None in practice.
    pub fn wake_here(&self, here: bool) -> Result<()> {
        if self.wakes_here.swap(here, Ordering::Relaxed) == here {
            return Ok(());
        }
        set_flags(&self.fd, if here { SYNC_WAKE_UP } else { 0 })
    }

    /// Waits for a question; `None` once nobody is left to ask. Before Linux 6.11 that is not told.
    ///
    /// # Errors
    /// None in practice.
    pub fn next(&self) -> Result<Option<Question>> {
        loop {
            // SAFETY: plain integers, for which zero is a value; the kernel wants it to be zero.
            let mut asked: libc::seccomp_notif = unsafe { mem::zeroed() };
            // SAFETY: a live structure of the size that the request says.
            let ret =
                unsafe { libc::ioctl(self.fd.as_raw_fd(), RECEIVE, ptr::from_mut(&mut asked)) };
            match crate::signal::check(i64::from(ret)) {
                Ok(_) => return Ok(question(&asked)),
                // The call has been interrupted, or the last task has gone.
                Err(Errno::NOENT) if self.is_deserted()? => return Ok(None),
                Err(Errno::NOENT | Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Lets the kernel do the call. Its arguments may have changed meanwhile, as memory may at any time.
    ///
    /// # Errors
    /// `ENOENT` if the task has been killed.
    pub fn proceed(&self, question: &Question) -> Result<()> {
        self.answer(question, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32)
    }

    /// Ends the call for a signal that has just been sent to the task: as one that is to be made anew after the signal.
    ///
    /// # Errors
    /// As with [`Self::proceed`].
    pub fn interrupt(&self, question: &Question) -> Result<()> {
        /// Between the kernel and tracers only: `linux/errno.h`.
        const ERESTARTSYS: i32 = 512;
        self.answer(question, -ERESTARTSYS, 0)
    }

    fn answer(&self, question: &Question, error: i32, flags: u32) -> Result<()> {
        let mut answer = libc::seccomp_notif_resp { id: question.id, val: 0, error, flags };
        // SAFETY: a live structure of the size that the request says.
        let ret = unsafe { libc::ioctl(self.fd.as_raw_fd(), SEND, ptr::from_mut(&mut answer)) };
        crate::signal::check(i64::from(ret)).map(drop)
    }

    /// Succeeds if the task that has asked still waits: then its number is still its own.
    ///
    /// # Errors
    /// `ENOENT` if it does not.
    pub fn is_waiting(&self, question: &Question) -> Result<()> {
        let mut id = question.id;
        // SAFETY: a live integer.
        let ret = unsafe { libc::ioctl(self.fd.as_raw_fd(), IS_VALID, ptr::from_mut(&mut id)) };
        crate::signal::check(i64::from(ret)).map(drop)
    }

    fn is_deserted(&self) -> Result<bool> {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        Ok(fds[0].revents().contains(PollFlags::HUP))
    }
}

fn set_flags(fd: &OwnedFd, flags: u64) -> Result<()> {
    // SAFETY: a number, and a descriptor of our own.
    let ret = unsafe { libc::ioctl(fd.as_raw_fd(), SET_FLAGS, flags) };
    crate::signal::check(i64::from(ret)).map(drop)
}

/// Puts a filter that asks nothing into the calling process, and makes its listener: to see whether it can.
///
/// # Errors
/// Those of [`Program::install_listening`](super::Program::install_listening), and of [`Listener::new`].
pub fn try_one() -> Result<()> {
    super::no_new_privileges()?;
    let fd = super::compile(Vec::new()).install_listening()?;
    // SAFETY: the kernel has just made it.
    Listener::new(unsafe { OwnedFd::from_raw_fd(fd) }).map(drop)
}

fn question(asked: &libc::seccomp_notif) -> Option<Question> {
    Some(Question {
        id: asked.id,
        tid: Tid::new(asked.pid.cast_signed())?,
        call: i64::from(asked.data.nr),
        arguments: asked.data.args,
        instruction: asked.data.instruction_pointer,
    })
}
