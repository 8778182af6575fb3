//! Signals: the number, sets of them, and what the default action of each is (signal(7)).

use core::fmt;

/// A signal number, 1 to 64; real-time ones too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

#[expect(missing_docs, reason = "the names are signal(7)'s")]
impl Signal {
    pub const HUP: Signal = Signal(1);
    pub const INT: Signal = Signal(2);
    pub const QUIT: Signal = Signal(3);
    pub const ILL: Signal = Signal(4);
    pub const TRAP: Signal = Signal(5);
    pub const ABRT: Signal = Signal(6);
    pub const BUS: Signal = Signal(7);
    pub const FPE: Signal = Signal(8);
    pub const KILL: Signal = Signal(9);
    pub const USR1: Signal = Signal(10);
    pub const SEGV: Signal = Signal(11);
    pub const USR2: Signal = Signal(12);
    pub const PIPE: Signal = Signal(13);
    pub const ALRM: Signal = Signal(14);
    pub const TERM: Signal = Signal(15);
    pub const CHLD: Signal = Signal(17);
    pub const CONT: Signal = Signal(18);
    pub const STOP: Signal = Signal(19);
    pub const TSTP: Signal = Signal(20);
    pub const TTIN: Signal = Signal(21);
    pub const TTOU: Signal = Signal(22);
    pub const URG: Signal = Signal(23);
    pub const XCPU: Signal = Signal(24);
    pub const XFSZ: Signal = Signal(25);
    pub const VTALRM: Signal = Signal(26);
    pub const WINCH: Signal = Signal(28);
    pub const SYS: Signal = Signal(31);
}

impl Signal {
    /// The first real-time signal of the kernel (libc keeps a few for itself).
    pub const RT_MIN: u8 = 32;

    /// Returns the signal of this number, `None` outside 1..=64.
    pub fn from_raw(raw: i32) -> Option<Signal> {
        (1..=64).contains(&raw).then_some(Signal(raw as u8))
    }

    /// Returns the number.
    pub fn raw(self) -> i32 {
        i32::from(self.0)
    }

    /// Says whether several instances queue in order.
    pub fn is_realtime(self) -> bool {
        self.0 >= Self::RT_MIN
    }

    /// Says whether it is SIGKILL or SIGSTOP: not to be caught, blocked or ignored (kernel: `sig_kernel_only`).
    pub fn is_unstoppable(self) -> bool {
        SigSet::UNSTOPPABLE.has(self)
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIG{}", self.0)
    }
}

/// A set of signals; bit `n - 1` is signal `n`, as the kernel's `sigset_t`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SigSet(u64);

impl SigSet {
    /// No signal.
    pub const EMPTY: SigSet = SigSet(0);
    /// Every signal.
    pub const ALL: SigSet = SigSet(u64::MAX);
    /// SIGKILL and SIGSTOP.
    pub const UNSTOPPABLE: SigSet = SigSet::of(&[Signal::KILL, Signal::STOP]);
    /// Default action: stop (kernel: `SIG_KERNEL_STOP_MASK`).
    pub(crate) const STOPS: SigSet =
        SigSet::of(&[Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU]);
    /// Default action: nothing (kernel: `SIG_KERNEL_IGNORE_MASK`).
    pub(crate) const IGNORED: SigSet =
        SigSet::of(&[Signal::CONT, Signal::CHLD, Signal::WINCH, Signal::URG]);
    /// Default action: dump core (kernel: `SIG_KERNEL_COREDUMP_MASK`).
    pub(crate) const CORE: SigSet = SigSet::of(&[
        Signal::QUIT,
        Signal::ILL,
        Signal::TRAP,
        Signal::ABRT,
        Signal::FPE,
        Signal::SEGV,
        Signal::BUS,
        Signal::SYS,
        Signal::XCPU,
        Signal::XFSZ,
    ]);
    /// Taken before others (kernel: `SYNCHRONOUS_MASK`).
    pub(crate) const SYNCHRONOUS: SigSet = SigSet::of(&[
        Signal::SEGV,
        Signal::BUS,
        Signal::ILL,
        Signal::TRAP,
        Signal::FPE,
        Signal::SYS,
    ]);

    /// Returns the set of these signals.
    pub const fn of(signals: &[Signal]) -> SigSet {
        let mut bits = 0;
        let mut n = 0;
        while n < signals.len() {
            bits |= 1 << (signals[n].0 - 1);
            n += 1;
        }
        SigSet(bits)
    }

    /// Returns the set with these bits.
    pub fn from_bits(bits: u64) -> SigSet {
        SigSet(bits)
    }

    /// Returns the bits.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Says whether `signal` is in.
    pub fn has(self, signal: Signal) -> bool {
        self.0 >> (signal.0 - 1) & 1 == 1
    }

    /// Says whether nothing is in.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the set with `signal` in.
    pub fn with(self, signal: Signal) -> SigSet {
        self.union(SigSet::of(&[signal]))
    }

    /// Returns the set with `signal` out.
    pub fn without(self, signal: Signal) -> SigSet {
        self.minus(SigSet::of(&[signal]))
    }

    /// Returns what is in either.
    pub fn union(self, other: SigSet) -> SigSet {
        SigSet(self.0 | other.0)
    }

    /// Returns what is in both.
    pub fn and(self, other: SigSet) -> SigSet {
        SigSet(self.0 & other.0)
    }

    /// Returns what is in `self` only.
    pub fn minus(self, other: SigSet) -> SigSet {
        SigSet(self.0 & !other.0)
    }

    /// Returns the lowest signal in the set.
    pub fn first(self) -> Option<Signal> {
        (self.0 != 0).then(|| Signal(self.0.trailing_zeros() as u8 + 1))
    }
}

impl fmt::Debug for SigSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signals = (1..=64).filter_map(Signal::from_raw).filter(|&s| self.has(s));
        f.debug_set().entries(signals).finish()
    }
}

/// Why a signal was made (sigaction(2), `si_code`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SigCode(pub i32);

#[expect(missing_docs, reason = "the names are sigaction(2)'s")]
impl SigCode {
    pub const USER: SigCode = SigCode(0);
    pub const KERNEL: SigCode = SigCode(0x80);
    pub const QUEUE: SigCode = SigCode(-1);
    pub const TKILL: SigCode = SigCode(-6);
    pub const EXITED: SigCode = SigCode(1);
    pub const KILLED: SigCode = SigCode(2);
    pub const DUMPED: SigCode = SigCode(3);
    pub const TRAPPED: SigCode = SigCode(4);
    pub const STOPPED: SigCode = SigCode(5);
    pub const CONTINUED: SigCode = SigCode(6);
}

/// What the receiver of a signal is told: the fields of `siginfo_t` that depend on namespaces, and the payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SigInfo {
    /// Which signal.
    pub signal: Signal,
    /// Why.
    pub code: SigCode,
    /// `si_pid`, already as the receiver sees it: 0 if the sender has no number there.
    pub pid: i32,
    /// `si_uid`, as the sender's [`Authority`](crate::Authority) gave it.
    pub uid: u32,
    /// `si_value` of a queued signal, `si_status` of a SIGCHLD.
    pub value: u64,
}

impl SigInfo {
    /// A signal that the kernel makes (kernel: `SEND_SIG_PRIV`).
    pub fn kernel(signal: Signal) -> SigInfo {
        SigInfo { signal, code: SigCode::KERNEL, pid: 0, uid: 0, value: 0 }
    }
}

/// What a process does with a signal (sigaction(2)).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Disposition {
    /// `SIG_DFL`.
    Default,
    /// `SIG_IGN`.
    Ignore,
    /// A handler; the embedder knows which.
    Handler,
}

bitflags::bitflags! {
    /// The `sa_flags` that this subsystem cares about (sigaction(2)); unknown bits are kept and mean nothing here.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct ActionFlags: u32 {
        /// `SA_NOCLDSTOP`: no SIGCHLD when children stop or continue.
        const NOCLDSTOP = 1;
        /// `SA_NOCLDWAIT`: children do not become zombies.
        const NOCLDWAIT = 2;
        /// `SA_RESETHAND`: back to the default action once the handler was entered.
        const RESETHAND = 0x8000_0000;
        const _ = !0;
    }
}

/// How a process ended or stopped, encoded as wait(2) does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExitStatus(u32);

impl ExitStatus {
    /// Ended by exit(2): only the low eight bits of `code` count. // ZAP-07
    pub fn exited(code: i32) -> ExitStatus {
        ExitStatus((code as u32 & 0xff) << 8)
    }

    /// Ended by a signal.
    pub fn signaled(signal: Signal) -> ExitStatus {
        ExitStatus(u32::from(signal.0))
    }

    /// The same with the core-dump bit.
    pub fn with_core(self) -> ExitStatus {
        ExitStatus(self.0 | 0x80)
    }

    /// Stopped by a signal.
    pub fn stopped(signal: Signal) -> ExitStatus {
        ExitStatus(u32::from(signal.0) << 8 | 0x7f)
    }

    /// Continued by SIGCONT.
    pub const CONTINUED: ExitStatus = ExitStatus(0xffff);

    /// Returns the encoding, as `wstatus`.
    pub fn raw(self) -> i32 {
        self.0 as i32
    }

    /// Takes an encoding, as `wstatus`.
    pub fn from_raw(raw: i32) -> ExitStatus {
        ExitStatus(raw as u32)
    }

    /// Returns the exit code if it exited.
    pub fn code(self) -> Option<i32> {
        (self.0 & 0x7f == 0).then_some((self.0 >> 8 & 0xff) as i32)
    }

    /// Returns the signal if one ended it.
    pub fn signal(self) -> Option<Signal> {
        if self.0 & 0xff == 0x7f { None } else { Signal::from_raw(self.0 as i32 & 0x7f) }
    }

    /// Returns `si_code` and `si_status` of the SIGCHLD and waitid(2) that report it as an end.
    pub fn as_child_info(self) -> (SigCode, i32) {
        match self.code() {
            Some(code) => (SigCode::EXITED, code),
            None if self.0 & 0x80 != 0 => (SigCode::DUMPED, self.0 as i32 & 0x7f),
            None => (SigCode::KILLED, self.0 as i32 & 0x7f),
        }
    }
}

impl fmt::Debug for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExitStatus({:#x})", self.0)
    }
}
