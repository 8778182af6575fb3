//! The words of the scripts: names of signals, errors, flags and codes with their numbers.
//!
//! Numbers are those of Linux on x86_64 and aarch64, written out here so that the script layer depends on no system header: the
//! model must be playable on any machine.

/// A list of names and their numbers.
pub type Words = &'static [(&'static str, i64)];

/// Returns the number of `word`.
#[must_use]
pub fn number(words: Words, word: &str) -> Option<i64> {
    words.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
}

/// Returns the name of `value`.
#[must_use]
pub fn name(words: Words, value: i64) -> Option<&'static str> {
    words.iter().find(|(_, number)| *number == value).map(|(name, _)| *name)
}

/// Returns the name of `value`, or its digits.
#[must_use]
pub fn name_or_digits(words: Words, value: i64) -> String {
    name(words, value).map_or_else(|| value.to_string(), str::to_owned)
}

/// Signals without their `SIG`.
pub const SIGNALS: Words = &[
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
    ("RT4", 38),
];

/// errno(3) as far as it is met here.
pub const ERRNOS: Words = &[
    ("EPERM", 1),
    ("ENOENT", 2),
    ("ESRCH", 3),
    ("EINTR", 4),
    ("EIO", 5),
    ("EBADF", 9),
    ("ECHILD", 10),
    ("EAGAIN", 11),
    ("ENOMEM", 12),
    ("EACCES", 13),
    ("EFAULT", 14),
    ("EBUSY", 16),
    ("EEXIST", 17),
    ("ENODEV", 19),
    ("EINVAL", 22),
    ("ENOTTY", 25),
    ("ENOSPC", 28),
    ("ENOSYS", 38),
    ("EUSERS", 87),
    ("EREMOTE", 66),
];

/// Flags of clone(2), clone3(2) and unshare(2), without `CLONE_`.
pub const CLONE: Words = &[
    ("VM", 0x100),
    ("FS", 0x200),
    ("FILES", 0x400),
    ("SIGHAND", 0x800),
    ("PIDFD", 0x1000),
    ("PTRACE", 0x2000),
    ("VFORK", 0x4000),
    ("PARENT", 0x8000),
    ("THREAD", 0x1_0000),
    ("NEWNS", 0x2_0000),
    ("SYSVSEM", 0x4_0000),
    ("SETTLS", 0x8_0000),
    ("PARENT_SETTID", 0x10_0000),
    ("CHILD_CLEARTID", 0x20_0000),
    ("DETACHED", 0x40_0000),
    ("CHILD_SETTID", 0x100_0000),
    ("NEWUTS", 0x400_0000),
    ("NEWIPC", 0x800_0000),
    ("NEWUSER", 0x1000_0000),
    ("NEWPID", 0x2000_0000),
    ("NEWNET", 0x4000_0000),
    ("INTO_CGROUP", 0x2_0000_0000),
];

/// `CLONE_NEWPID`.
pub const NEWPID: i64 = 0x2000_0000;
/// `CLONE_THREAD`.
pub const THREAD: i64 = 0x1_0000;

/// Options of wait4(2) and waitid(2).
pub const WAIT: Words = &[
    ("WNOHANG", 1),
    ("WUNTRACED", 2),
    ("WSTOPPED", 2),
    ("WEXITED", 4),
    ("WCONTINUED", 8),
    ("WNOWAIT", 0x100_0000),
    ("__WNOTHREAD", 0x2000_0000),
    ("__WALL", 0x4000_0000),
    ("__WCLONE", 0x8000_0000),
    ("WBAD", 0x10),
];

/// First argument of waitid(2).
pub const WAITID: Words =
    &[("P_ALL", 0), ("P_PID", 1), ("P_PGID", 2), ("P_PIDFD", 3), ("P_BAD", 4)];

/// `si_code` of a child's end.
pub const CLD: Words = &[
    ("CLD_EXITED", 1),
    ("CLD_KILLED", 2),
    ("CLD_DUMPED", 3),
    ("CLD_TRAPPED", 4),
    ("CLD_STOPPED", 5),
    ("CLD_CONTINUED", 6),
];

/// `si_code` of a signal sent by somebody.
pub const SI: Words = &[("SI_USER", 0), ("SI_KERNEL", 0x80), ("SI_QUEUE", -1), ("SI_TKILL", -6)];

/// Dispositions.
pub const DISPOSITION: Words = &[("default", 0), ("ignore", 1), ("handler", 2)];

/// Flags of sigaction(2), without `SA_`.
pub const SA: Words = &[
    ("NOCLDSTOP", 1),
    ("NOCLDWAIT", 2),
    ("NODEFER", 0x4000_0000),
    ("RESTART", 0x1000_0000),
    ("RESETHAND", 0x8000_0000),
];

/// First argument of sigprocmask(2).
pub const MASK: Words = &[("block", 0), ("unblock", 1), ("set", 2)];

/// Namespace links.
pub const LINK: Words = &[("pid", 0), ("pid_for_children", 1), ("uts", 2)];

/// Commands of reboot(2).
pub const REBOOT: Words = &[
    ("RESTART", 0x0123_4567),
    ("HALT", 0xcdef_0123),
    ("CAD_ON", 0x89ab_cdef),
    ("CAD_OFF", 0),
    ("POWER_OFF", 0x4321_fedc),
    ("RESTART2", 0xa1b2_c3d4),
    ("SW_SUSPEND", 0xd000_fce2),
    ("KEXEC", 0x4558_4543),
];

/// The first magic number of reboot(2).
pub const REBOOT_MAGIC: i64 = 0xfee1_dead;

/// Flags of pidfd_open(2).
pub const PIDFD: Words = &[("NONBLOCK", 0x800), ("THREAD", 0x80), ("BAD", 1)];

/// Wanted parts of `PIDFD_GET_INFO`.
pub const PIDFD_INFO: Words = &[("PID", 1), ("EXIT", 8)];
