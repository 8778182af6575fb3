//! The calls that return or take a process, group or session number, unchecked.

use super::errno::{RawErrno, check};

/// Returns the process's number, see getpid(2).
#[must_use]
pub fn getpid() -> i32 {
    // SAFETY: takes and touches no memory.
    unsafe { libc::getpid() }
}

/// Returns the thread's number, see gettid(2).
#[must_use]
pub fn gettid() -> i32 {
    // SAFETY: takes and touches no memory.
    unsafe { libc::gettid() }
}

/// Returns the parent's number, 0 if it is outside the namespace, see getppid(2).
#[must_use]
pub fn getppid() -> i32 {
    // SAFETY: takes and touches no memory.
    unsafe { libc::getppid() }
}

/// Returns the group of process `pid`, see getpgid(2).
///
/// # Errors
/// `ESRCH`.
pub fn getpgid(pid: i32) -> Result<i64, RawErrno> {
    // SAFETY: takes and touches no memory.
    check(unsafe { libc::getpgid(pid) }.into())
}

/// Returns the session of process `pid`, see getsid(2).
///
/// # Errors
/// `ESRCH`.
pub fn getsid(pid: i32) -> Result<i64, RawErrno> {
    // SAFETY: takes and touches no memory.
    check(unsafe { libc::getsid(pid) }.into())
}

/// Makes a session, see setsid(2).
///
/// # Errors
/// `EPERM`.
pub fn setsid() -> Result<i64, RawErrno> {
    // SAFETY: takes and touches no memory.
    check(unsafe { libc::setsid() }.into())
}

/// Moves process `pid` to group `group`, see setpgid(2).
///
/// # Errors
/// Those of setpgid(2).
pub fn setpgid(pid: i32, group: i32) -> Result<i64, RawErrno> {
    // SAFETY: takes and touches no memory.
    check(unsafe { libc::setpgid(pid, group) }.into())
}

/// Asks for the scheduling policy of `pid` (sched_getscheduler(2)); of use here only because it looks a number up.
///
/// # Errors
/// `ESRCH`, `EINVAL`.
pub fn sched_getscheduler(pid: i32) -> Result<i64, RawErrno> {
    // SAFETY: takes and touches no memory.
    check(unsafe { libc::syscall(libc::SYS_sched_getscheduler, pid) })
}

/// Sets the signal that the death of the parent brings (`PR_SET_PDEATHSIG` in prctl(2)), 0 for none.
///
/// # Errors
/// `EINVAL`.
pub fn set_parent_death_signal(signal: i32) -> Result<i64, RawErrno> {
    // SAFETY: takes an integer.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, i64::from(signal), 0, 0, 0) }.into())
}

/// Makes the process a subreaper, or an ordinary one again (`PR_SET_CHILD_SUBREAPER` in prctl(2)).
///
/// # Errors
/// Those of prctl(2).
pub fn set_child_subreaper(flag: i32) -> Result<i64, RawErrno> {
    // SAFETY: takes an integer.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, i64::from(flag), 0, 0, 0) }.into())
}

/// Returns the signal set by `PR_SET_PDEATHSIG`.
///
/// # Errors
/// Those of prctl(2).
pub fn parent_death_signal() -> Result<i64, RawErrno> {
    let mut signal: libc::c_int = 0;
    // SAFETY: the kernel stores one int at the address of a live local.
    check(unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal, 0, 0, 0) }.into())?;
    Ok(signal.into())
}

/// Returns the subreaper flag.
///
/// # Errors
/// Those of prctl(2).
pub fn child_subreaper() -> Result<i64, RawErrno> {
    let mut flag: libc::c_int = 0;
    // SAFETY: the kernel stores one int at the address of a live local.
    check(unsafe { libc::prctl(libc::PR_GET_CHILD_SUBREAPER, &raw mut flag, 0, 0, 0) }.into())?;
    Ok(flag.into())
}

/// Names the calling thread, at most 15 bytes, see `PR_SET_NAME` in prctl(2).
pub fn set_thread_name(name: &std::ffi::CStr) {
    // SAFETY: a terminated string; the kernel copies at most 16 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

/// Binds the calling thread, and what it makes from now on, to one cpu.
///
/// # Errors
/// `EINVAL` if that cpu may not be used.
pub fn pin_to_cpu(cpu: usize) -> Result<(), RawErrno> {
    // SAFETY: a set of zeroes is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    if cpu >= 8 * size_of::<libc::cpu_set_t>() {
        return Err(RawErrno(libc::EINVAL));
    }
    // SAFETY: `cpu` lies within the set.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: `set` is live and its size is given.
    check(
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) }.into(),
    )
    .map(|_| ())
}

/// Returns the cpus that the calling thread may use.
#[must_use]
pub fn allowed_cpus() -> Vec<usize> {
    // SAFETY: a set of zeroes is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is live and its size is given.
    unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    // SAFETY: every index lies within the set.
    (0..8 * size_of::<libc::cpu_set_t>())
        .filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) })
        .collect()
}

/// Says whether anything holds the number `pid` in the caller's namespace: a task, a group or a session, or a task that has left
/// every list and has yet to give its number back. `file` is any file; it loses its owner (`F_SETOWN` in fcntl(2)).
pub fn is_number_taken(file: &impl std::os::fd::AsRawFd, pid: i32) -> bool {
    let fd = file.as_raw_fd();
    // SAFETY: takes integers.
    let taken = unsafe { libc::fcntl(fd, libc::F_SETOWN, pid) } == 0;
    // SAFETY: as above.
    unsafe { libc::fcntl(fd, libc::F_SETOWN, 0) };
    taken
}

/// Forbids core dumps to the process and its children, see `RLIMIT_CORE` in setrlimit(2).
pub fn forbid_core_dumps() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a live local of the right type. Lowering a limit is always allowed.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
}

/// Takes a capability from the bounding set (`PR_CAPBSET_DROP` in prctl(2)), so that no program executed from here has it.
///
/// # Errors
/// `EPERM` without `CAP_SETPCAP`, `EINVAL` for an unknown one.
pub fn drop_from_bounding_set(capability: i32) -> Result<i64, RawErrno> {
    // SAFETY: takes an integer.
    check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, i64::from(capability), 0, 0, 0) }.into())
}
