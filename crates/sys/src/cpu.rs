//! On which cpus tasks run. See sched_setaffinity(2).

use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_getcpu, sched_setaffinity};

use crate::Result;
use crate::ptrace::Tid;

/// A set of cpus.
#[derive(Clone, Debug)]
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
