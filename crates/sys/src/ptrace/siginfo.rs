//! What comes with a signal. See sigaction(2), "The siginfo_t argument".

use super::{Tid, request};
use crate::Result;

/// A `siginfo_t`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct SignalInfo(libc::siginfo_t);

impl std::fmt::Debug for SignalInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignalInfo(signal {}, code {})", self.0.si_signo, self.0.si_code)
    }
}

/// Why SIGCHLD was sent: the `si_code` values.
pub mod child {
    /// It has ended.
    pub const EXITED: i32 = libc::CLD_EXITED;
    /// A signal has ended it.
    pub const KILLED: i32 = libc::CLD_KILLED;
    /// A signal has ended it, with a core dump.
    pub const DUMPED: i32 = libc::CLD_DUMPED;
}

/// The size of a `siginfo_t`.
pub const SIZE: usize = size_of::<libc::siginfo_t>();

/// Where `si_pid` is in a `siginfo_t`, for those that have one.
pub const PID_OFFSET: u64 = 16;

impl SignalInfo {
    /// The signal that a stopped task is about to take. See `PTRACE_GETSIGINFO`.
    ///
    /// # Errors
    /// `ESRCH`; `EINVAL` where the stop is for no signal.
    pub fn of(tid: Tid) -> Result<Self> {
        // SAFETY: plain data, for which zero is a value.
        let mut info: libc::siginfo_t = unsafe { core::mem::zeroed() };
        request(libc::PTRACE_GETSIGINFO, tid, 0, (&raw mut info).cast())?;
        Ok(Self(info))
    }

    /// Changes it. See `PTRACE_SETSIGINFO`.
    ///
    /// # Errors
    /// `ESRCH`, `EINVAL`.
    pub fn store(&self, tid: Tid) -> Result<()> {
        request(libc::PTRACE_SETSIGINFO, tid, 0, (&raw const self.0).cast_mut().cast())
    }

    /// What a parent gets when its child ends.
    pub fn of_child(signal: i32, code: i32, pid: i32, uid: u32, status: i32) -> Self {
        let mut bytes = [0u8; SIZE];
        for (at, value) in
            [(0, signal), (8, code), (16, pid), (20, uid.cast_signed()), (24, status)]
        {
            bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        Self::from_bytes(bytes)
    }

    /// What the first words of a record of signalfd(2) say.
    pub fn of_record(signal: i32, errno: i32, code: i32, pid: i32, uid: i32) -> Self {
        let mut bytes = [0u8; SIZE];
        for (at, value) in [(0, signal), (4, errno), (8, code), (16, pid), (20, uid)] {
            bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        Self::from_bytes(bytes)
    }

    /// What `kill` by `pid` gives.
    pub fn of_kill(signal: i32, pid: i32, uid: u32) -> Self {
        Self::of_child(signal, libc::SI_USER, pid, uid, 0)
    }

    /// What [`queue_signal`](super::queue_signal) can send: `code` goes in `si_errno`, with `mark` above it.
    pub fn marked(signal: i32, mark: u16, code: i32, pid: i32, uid: u32, value: u64) -> Self {
        let mut bytes = [0u8; SIZE];
        let errno = i32::from(mark) << 16 | code & 0xffff;
        let words =
            [(0, signal), (4, errno), (8, libc::SI_QUEUE), (16, pid), (20, uid.cast_signed())];
        for (at, word) in words {
            bytes[at..at + 4].copy_from_slice(&word.to_ne_bytes());
        }
        bytes[24..32].copy_from_slice(&value.to_ne_bytes());
        Self::from_bytes(bytes)
    }

    /// If it is [`marked`](Self::marked): as it was meant.
    pub fn unmarked(&self, mark: u16) -> Option<Self> {
        if self.0.si_code != libc::SI_QUEUE || self.0.si_errno >> 16 != i32::from(mark) {
            return None;
        }
        let mut bytes = self.to_bytes();
        let code = i32::from(self.0.si_errno as i16);
        bytes[4..8].copy_from_slice(&0i32.to_ne_bytes());
        bytes[8..12].copy_from_slice(&code.to_ne_bytes());
        Some(Self::from_bytes(bytes))
    }

    /// The sender's user.
    pub const fn uid(&self) -> u32 {
        // SAFETY: all variants have integers there.
        unsafe { self.0.si_uid() }
    }

    /// What comes with a queued signal.
    pub fn value(&self) -> u64 {
        let bytes = self.to_bytes();
        u64::from_ne_bytes(bytes[24..32].try_into().expect("eight bytes"))
    }

    /// Takes the bytes as the kernel wrote them.
    pub const fn from_bytes(bytes: [u8; SIZE]) -> Self {
        // SAFETY: of the same size, and plain data.
        Self(unsafe { core::mem::transmute::<[u8; SIZE], libc::siginfo_t>(bytes) })
    }

    /// The bytes.
    pub const fn to_bytes(self) -> [u8; SIZE] {
        // SAFETY: of the same size, and every byte was initialised, by the kernel or from bytes.
        unsafe { core::mem::transmute::<libc::siginfo_t, [u8; SIZE]>(self.0) }
    }

    /// The signal.
    pub const fn signal(&self) -> i32 {
        self.0.si_signo
    }

    /// Why it was sent.
    pub const fn code(&self) -> i32 {
        self.0.si_code
    }

    /// The extra value; for SIGSYS by a filter, the filter's data.
    pub const fn errno(&self) -> i32 {
        self.0.si_errno
    }

    /// Says whether the kernel made this SIGSYS for a filter's `SECCOMP_RET_TRAP`.
    pub const fn is_seccomp(&self) -> bool {
        const SYS_SECCOMP: i32 = 1;
        self.0.si_signo == libc::SIGSYS && self.0.si_code == SYS_SECCOMP
    }

    /// Says whether `si_pid` means something: a process sent it, or it is about a child.
    pub const fn has_pid(&self) -> bool {
        match self.0.si_code {
            libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL | libc::SI_MESGQ => true,
            // The exit signal of a child may be any; faults, and SIGIO, have other fields.
            1..=6 => !matches!(
                self.0.si_signo,
                libc::SIGSEGV
                    | libc::SIGBUS
                    | libc::SIGFPE
                    | libc::SIGILL
                    | libc::SIGTRAP
                    | libc::SIGSYS
                    | libc::SIGIO
            ),
            _ => false,
        }
    }

    /// The sender, or the child.
    pub const fn pid(&self) -> i32 {
        // SAFETY: all variants have integers there.
        unsafe { self.0.si_pid() }
    }

    /// Changes [`pid`](Self::pid).
    pub fn set_pid(&mut self, pid: i32) {
        let mut bytes = self.to_bytes();
        bytes[16..20].copy_from_slice(&pid.to_ne_bytes());
        *self = Self::from_bytes(bytes);
    }

    /// Says whether the fault of the task itself made this signal, so that it cannot be discarded: the kernel sent it
    /// (`si_code` above 0) and it is one of those that instructions raise.
    pub const fn is_fault(&self) -> bool {
        self.0.si_code > 0
            && matches!(
                self.0.si_signo,
                libc::SIGSEGV
                    | libc::SIGBUS
                    | libc::SIGFPE
                    | libc::SIGILL
                    | libc::SIGTRAP
                    | libc::SIGSYS
            )
    }
}
