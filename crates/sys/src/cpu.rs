//! On which cpus tasks run. See sched_setaffinity(2).

use std::ptr;
use std::time::Duration;

use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_getcpu, sched_setaffinity};

use crate::Result;
use crate::ptrace::Tid;

/// A set of cpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set(CpuSet);

impl Set {
    /// One cpu alone; `None` above the 1,024 that are told apart.
    pub fn one(cpu: usize) -> Option<Self> {
        let mut set = CpuSet::new();
        (cpu < CpuSet::MAX_CPU).then(|| set.set(cpu))?;
        Some(Self(set))
    }

    /// How many there are in it.
    pub fn count(&self) -> u32 {
        self.0.count()
    }

    /// Says whether `cpu` is in it.
    pub fn has(&self, cpu: usize) -> bool {
        cpu < CpuSet::MAX_CPU && self.0.is_set(cpu)
    }
}

/// The cpu that the calling thread runs on at this moment. See getcpu(2).
pub fn current() -> usize {
    sched_getcpu()
}

/// Where `task`, or the calling thread, may run.
///
/// # Errors
/// `ESRCH`; `EINVAL` on machines with more than 1,024 cpus.
pub fn allowed(task: Option<Tid>) -> Result<Set> {
    sched_getaffinity(task.and_then(pid)).map(Set)
}

/// Lets `task`, or the calling thread, run on the cpus of `set` only.
///
/// # Errors
/// `ESRCH`; `EPERM` without the right to; `EINVAL` where it may run on none of them.
pub fn allow(task: Option<Tid>, set: &Set) -> Result<()> {
    sched_setaffinity(task.and_then(pid), &set.0)
}

fn pid(task: Tid) -> Option<Pid> {
    Pid::from_raw(task.number())
}

/// `struct sched_attr` of `linux/sched/types.h`, as far as it goes back.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// How the calling thread shares its cpu with others. See sched(7).
#[derive(Clone, Copy)]
pub struct Share(Attributes);

impl std::fmt::Debug for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Share(policy {}, nice {})", self.0.policy, self.0.nice)
    }
}

impl Share {
    /// As it is now. See sched_getattr(2).
    ///
    /// # Errors
    /// `EPERM` where a filter hides the call.
    pub fn of_thread() -> Result<Self> {
        let size = size_of::<Attributes>() as u32;
        let mut own = Attributes::default();
        // SAFETY: a live structure of the size given, of plain integers.
        let ret =
            unsafe { libc::syscall(libc::SYS_sched_getattr, 0, ptr::from_mut(&mut own), size, 0) };
        crate::signal::check(ret).map(|_| Self(own))
    }

    /// In turns of `turn` at most: it waits less for the turns of others to end, and gets no more of the cpu. Since Linux
    /// 6.12, from 0.1 to 100 ms.
    #[must_use]
    pub fn in_turns_of(self, turn: Duration) -> Self {
        Self(Attributes { runtime: turn.as_nanos() as u64, ..self.0 })
    }

    /// With this nice value, if it is lower.
    #[must_use]
    pub fn before_others(self, nice: i32) -> Self {
        Self(Attributes { nice: nice.min(self.0.nice), ..self.0 })
    }

    /// Makes it that of the calling thread. See sched_setattr(2).
    ///
    /// # Errors
    /// `EPERM` for a lower nice value without `CAP_SYS_NICE`, or where a filter hides the call; `EINVAL`.
    pub fn take(self) -> Result<()> {
        // SAFETY: a live structure of the size that it says, which the kernel only reads.
        let ret = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, ptr::from_ref(&self.0), 0) };
        crate::signal::check(ret).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_takes_a_share_and_its_own_again() {
        let before = Share::of_thread().unwrap();
        let shorter = before.in_turns_of(Duration::from_millis(2));
        shorter.take().unwrap();
        let now = Share::of_thread().unwrap();
        assert_eq!((now.0.policy, now.0.nice), (before.0.policy, before.0.nice));
        if now.0.runtime == before.0.runtime {
            println!("skipped: this kernel knows no turns");
        } else {
            assert_eq!(now.0.runtime, 2_000_000);
        }
        match before.before_others(before.0.nice - 1).take() {
            Ok(()) => assert_eq!(Share::of_thread().unwrap().0.nice, before.0.nice - 1),
            Err(errno) => assert!(matches!(errno, crate::Errno::PERM | crate::Errno::ACCESS)),
        }
        before.take().unwrap();
        assert_eq!(Share::of_thread().unwrap().0.nice, before.0.nice);
    }
}
