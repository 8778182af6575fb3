//! Signals in their raw form: sending with any number, and a handler that only writes down what it saw.

use super::errno::{RawErrno, check};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Calls kill(2).
///
/// # Errors
/// Those of kill(2).
pub fn kill(pid: i32, signal: i32) -> Result<i64, RawErrno> {
    // SAFETY: takes and touches no memory.
    check(unsafe { libc::syscall(libc::SYS_kill, pid, signal) })
}

/// Calls tkill(2).
///
/// # Errors
/// Those of tkill(2).
pub fn tkill(tid: i32, signal: i32) -> Result<i64, RawErrno> {
    // SAFETY: takes and touches no memory.
    check(unsafe { libc::syscall(libc::SYS_tkill, tid, signal) })
}

/// Calls tgkill(2).
///
/// # Errors
/// Those of tgkill(2).
pub fn tgkill(pid: i32, tid: i32, signal: i32) -> Result<i64, RawErrno> {
    // SAFETY: takes and touches no memory.
    check(unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signal) })
}

/// Calls rt_sigqueueinfo(2) with a record that claims the given code and sender.
///
/// # Errors
/// Those of rt_sigqueueinfo(2).
pub fn sigqueue(pid: i32, signal: i32, code: i32, sender: i32) -> Result<i64, RawErrno> {
    let info = record(signal, code, sender);
    // SAFETY: `info` is a live local of the right type.
    check(unsafe { libc::syscall(libc::SYS_rt_sigqueueinfo, pid, signal, &raw const info) })
}

/// Calls pidfd_send_signal(2) without a record and without flags.
///
/// # Errors
/// Those of pidfd_send_signal(2).
pub fn pidfd_send_signal(fd: i32, signal: i32) -> Result<i64, RawErrno> {
    // SAFETY: the null record asks the kernel to make one.
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            fd,
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    })
}

/// Builds a record of the shape that rt_sigqueueinfo(2) takes.
fn record(signal: i32, code: i32, sender: i32) -> libc::siginfo_t {
    // SAFETY: a siginfo of zeroes is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    info.si_signo = signal;
    info.si_code = code;
    // SAFETY: on 64-bit Linux the sender's number is the first int behind the 16-byte head, well inside the 128-byte record,
    // and aligned for an i32.
    unsafe { (&raw mut info).byte_add(16).cast::<i32>().write(sender) };
    info
}

/// Reads from an address that is never mapped, again and again, so that only a signal's default action ends it.
pub fn fault() -> ! {
    loop {
        let nowhere = std::hint::black_box(std::ptr::without_provenance::<u32>(8));
        // SAFETY: none, on purpose: the first page is never mapped (vm.mmap_min_addr), the cpu faults before anything is read,
        // and the caller asked for the signal that the kernel makes of it.
        let _ = unsafe { nowhere.read_volatile() };
    }
}

/// What the handler of [`set_handler`] saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caught {
    /// The signal.
    pub signal: i32,
    /// `si_code`.
    pub code: i32,
    /// `si_pid`.
    pub pid: i32,
}

const LOG_SIZE: usize = 64;
static LOG: [AtomicU64; LOG_SIZE] = [const { AtomicU64::new(0) }; LOG_SIZE];
static LOG_LEN: AtomicUsize = AtomicUsize::new(0);

/// Returns and forgets what the handler has seen since the last call, at most 64 records.
#[must_use]
pub fn take_caught() -> Vec<Caught> {
    let len = LOG_LEN.swap(0, Ordering::Relaxed).min(LOG_SIZE);
    LOG[..len].iter().map(|entry| unpack(entry.load(Ordering::Relaxed))).collect()
}

/// Writes down what it is told. Async-signal-safe: atomics only.
extern "C" fn note(signal: i32, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid record to an SA_SIGINFO handler. The sender's number lies at the same place in all
    // records that carry one; in others the bytes are initialised all the same.
    let (code, pid) = unsafe { ((*info).si_code, (*info).si_pid()) };
    let index = LOG_LEN.fetch_add(1, Ordering::Relaxed);
    if let Some(entry) = LOG.get(index) {
        entry.store(pack(Caught { signal, code, pid }), Ordering::Relaxed);
    }
}

/// Packs signal (8 bits), code (24 bits) and number (32 bits) in one word.
fn pack(caught: Caught) -> u64 {
    let high = (caught.signal as u32 & 0xff) << 24 | (caught.code as u32 & 0xff_ffff);
    u64::from(high) << 32 | u64::from(caught.pid as u32)
}

fn unpack(word: u64) -> Caught {
    let high = (word >> 32) as u32;
    // Shift the code up and down again to restore its sign.
    Caught { signal: (high >> 24) as i32, code: ((high << 8) as i32) >> 8, pid: word as u32 as i32 }
}

/// What a signal is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// `SIG_DFL`.
    Default,
    /// `SIG_IGN`.
    Ignore,
    /// Write it down, see [`take_caught`].
    Note,
}

/// Sets the disposition of `signal` with the given `SA_*` flags.
///
/// # Errors
/// Those of sigaction(2).
#[doc(alias = "sigaction")]
pub fn set_handler(signal: i32, disposition: Disposition, flags: i32) -> Result<i64, RawErrno> {
    // SAFETY: a structure of integers and an optional function, for which zero is valid.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_flags = flags;
    action.sa_sigaction = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignore => libc::SIG_IGN,
        Disposition::Note => {
            action.sa_flags |= libc::SA_SIGINFO;
            note as *const () as usize
        }
    };
    // SAFETY: `action` is live; the handler is async-signal-safe.
    check(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) }.into())
}

/// A set of signals, bit n-1 for signal n.
pub type SignalBits = u64;

/// Changes the mask of the thread: `how` is `SIG_BLOCK`, `SIG_UNBLOCK` or `SIG_SETMASK`.
///
/// # Errors
/// Those of sigprocmask(2).
#[doc(alias = "sigprocmask")]
pub fn set_mask(how: i32, bits: SignalBits) -> Result<i64, RawErrno> {
    let none = std::ptr::null_mut::<u64>();
    // SAFETY: the kernel's set is one 64-bit word, and that is the size given.
    check(unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const bits, none, 8) })
}

/// Returns the signals that wait for the thread or its process, see sigpending(2).
///
/// # Errors
/// Those of sigpending(2).
#[doc(alias = "sigpending")]
pub fn pending() -> Result<SignalBits, RawErrno> {
    let mut bits: SignalBits = 0;
    // SAFETY: as in `set_mask`.
    check(unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut bits, 8) })?;
    Ok(bits)
}

/// Takes one of `bits`, at once (`EAGAIN` if there is none) or waiting, see sigtimedwait(2).
///
/// # Errors
/// Those of sigtimedwait(2).
#[doc(alias = "sigtimedwait")]
pub fn take(bits: SignalBits, wait: Waiting) -> Result<Caught, RawErrno> {
    // SAFETY: a siginfo of zeroes is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let timeout = match wait {
        Waiting::No => &raw const zero,
        Waiting::Yes => std::ptr::null(),
    };
    // SAFETY: all pointers are null or name live locals; the set has the size given.
    check(unsafe {
        libc::syscall(libc::SYS_rt_sigtimedwait, &raw const bits, &raw mut info, timeout, 8)
    })?;
    // SAFETY: filled by the kernel, other bytes are zero.
    let pid = unsafe { info.si_pid() };
    Ok(Caught { signal: info.si_signo, code: info.si_code, pid })
}

/// Whether [`take`] may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Return `EAGAIN` instead.
    No,
    /// Until a signal comes.
    Yes,
}
