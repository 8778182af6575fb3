//! Signal numbers, sets, masks, and signals as data. See signal(7), signalfd(2).

mod names;

use std::fmt;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use crate::{Errno, Result};

pub use names::UnknownSignal;

/// A signal, by its number: 1 to 64, real-time ones too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

impl Signal {
    /// Hangup.
    pub const HUP: Self = Self(libc::SIGHUP);
    /// Interrupt from the keyboard.
    pub const INT: Self = Self(libc::SIGINT);
    /// Quit from the keyboard.
    pub const QUIT: Self = Self(libc::SIGQUIT);
    /// Kill: cannot be caught, blocked or ignored.
    pub const KILL: Self = Self(libc::SIGKILL);
    /// Broken pipe.
    pub const PIPE: Self = Self(libc::SIGPIPE);
    /// Termination.
    pub const TERM: Self = Self(libc::SIGTERM);
    /// A child has changed its state.
    pub const CHLD: Self = Self(libc::SIGCHLD);
    /// Continue.
    pub const CONT: Self = Self(libc::SIGCONT);
    /// Stop: cannot be caught, blocked or ignored.
    pub const STOP: Self = Self(libc::SIGSTOP);
    /// Stop from the keyboard.
    pub const TSTP: Self = Self(libc::SIGTSTP);
    /// Terminal input for a background process.
    pub const TTIN: Self = Self(libc::SIGTTIN);
    /// Terminal output of a background process.
    pub const TTOU: Self = Self(libc::SIGTTOU);
    /// Window size change.
    pub const WINCH: Self = Self(libc::SIGWINCH);

    /// The signal with this number, if 1 to 64.
    pub const fn new(number: i32) -> Option<Self> {
        if number >= 1 && number <= 64 { Some(Self(number)) } else { None }
    }

    /// The number.
    pub const fn number(self) -> i32 {
        self.0
    }
}

/// A set of signals: bit n-1 is signal n.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct SignalSet(u64);

impl SignalSet {
    /// No signal.
    pub const EMPTY: Self = Self(0);
    /// All.
    pub const ALL: Self = Self(u64::MAX);
    /// All signals.
    pub const FULL: Self = Self(!0);

    /// The set of these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits of the set.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The set with `signal` in it.
    #[must_use]
    pub const fn with(self, signal: Signal) -> Self {
        Self(self.0 | 1 << (signal.0 - 1))
    }

    /// The set with `signal` not in it.
    #[must_use]
    pub const fn without(self, signal: Signal) -> Self {
        Self(self.0 & !(1 << (signal.0 - 1)))
    }

    /// Says whether `signal` is in the set.
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & 1 << (signal.0 - 1) != 0
    }
}

impl fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignalSet({:#x})", self.0)
    }
}

/// Blocks exactly the signals of `set` in the calling thread and returns what was blocked before. The C library's own
/// signals (32, 33) are taken as they are. See rt_sigprocmask(2).
pub fn set_mask(set: SignalSet) -> SignalSet {
    change_mask(libc::SIG_SETMASK, &raw const set.0)
}

/// The signals blocked in the calling thread.
pub fn mask() -> SignalSet {
    change_mask(libc::SIG_SETMASK, core::ptr::null())
}

fn change_mask(how: i32, set: *const u64) -> SignalSet {
    let mut old = 0u64;
    // SAFETY: `set` is null or points to 8 bytes, `old` is 8 bytes; that is the size given.
    let ret = unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, set, &raw mut old, 8usize) };
    check(ret).expect("rt_sigprocmask fails for bad arguments only");
    SignalSet(old)
}

/// Blocks all signals in the calling thread, until dropped.
#[derive(Debug)]
pub struct Blocked {
    before: SignalSet,
    // The mask belongs to one thread: keep the guard there.
    _thread: core::marker::PhantomData<*const ()>,
}

impl Blocked {
    /// Blocks all signals in the calling thread.
    #[expect(clippy::new_without_default, reason = "making one has an effect")]
    pub fn new() -> Self {
        Self { before: set_mask(SignalSet::FULL), _thread: core::marker::PhantomData }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        set_mask(self.before);
    }
}

/// A descriptor that gives the signals of `set`, which the caller has blocked. Close-on-exec, never blocks.
/// See signalfd(2).
///
/// # Errors
/// `EMFILE`, `ENFILE`.
pub fn descriptor(set: SignalSet) -> Result<OwnedFd> {
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: the set is 8 bytes, as said.
    let ret = unsafe { libc::syscall(libc::SYS_signalfd4, -1, &raw const set.0, 8usize, flags) };
    let raw = i32::try_from(check(ret)?).expect("descriptors are ints");
    // SAFETY: signalfd4 has just returned it, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// A signal that was taken from a [`descriptor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub signal: Signal,
    /// Why (`si_code`): above 0 the kernel made it, as a terminal does; 0 or less a process sent it.
    pub code: i32,
    /// Who sent it, in the reader's PID namespace; 0 where it is not visible there, or the kernel was it.
    pub sender: u32,
}

impl Taken {
    /// Says whether a process sent it (`SI_USER`, `SI_QUEUE`, `SI_TKILL` and the like), not the kernel.
    pub const fn from_process(&self) -> bool {
        self.code <= 0
    }
}

/// Takes the next signal from a [`descriptor`]; `None` where there is none now.
///
/// # Errors
/// Those of read(2).
pub fn take(descriptor: impl AsFd) -> Result<Option<Taken>> {
    let mut record = [0u8; size_of::<libc::signalfd_siginfo>()];
    match rustix::io::read(descriptor, &mut record) {
        Ok(n) if n == record.len() => {}
        Ok(_) | Err(Errno::AGAIN) => return Ok(None),
        Err(e) => return Err(e),
    }
    let word = |at: usize| {
        let bytes = record[at..at + 4].try_into().expect("four bytes");
        u32::from_ne_bytes(bytes)
    };
    // struct signalfd_siginfo: ssi_signo, ssi_errno, ssi_code, ssi_pid.
    Ok(Signal::new(word(0).cast_signed()).map(|signal| Taken {
        signal,
        code: word(8).cast_signed(),
        sender: word(12),
    }))
}

/// Sends `signal` to the calling process. See kill(2).
///
/// # Errors
/// None in practice.
pub fn send_to_self(signal: Signal) -> Result<()> {
    // SAFETY: a system call on two numbers.
    let ret = unsafe { libc::syscall(libc::SYS_kill, libc::getpid(), signal.0) };
    check(ret).map(drop)
}

pub(crate) fn check(ret: i64) -> Result<i64> {
    if ret < 0 {
        // SAFETY: reads the calling thread's errno.
        Err(Errno::from_raw_os_error(unsafe { *libc::__errno_location() }))
    } else {
        Ok(ret)
    }
}
