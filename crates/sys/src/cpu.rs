//! On which cpus the calling thread runs. See sched_setaffinity(2).

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::{Errno, Result};

/// A set of cpus.
#[derive(Clone, Debug)]
pub struct Set(CpuSet);

impl Set {
    /// How many there are in it.
    pub fn count(&self) -> u32 {
        self.0.count()
    }
}

/// Where the calling thread may run.
///
/// # Errors
/// `EINVAL` on machines with more than 1,024 cpus.
pub fn allowed() -> Result<Set> {
    sched_getaffinity(None).map(Set)
}

/// Lets the calling thread run on the cpus of `set` only.
///
/// # Errors
/// `EINVAL` where it may run on none of them.
pub fn allow(set: &Set) -> Result<()> {
    sched_setaffinity(None, &set.0)
}

/// Lets the calling thread run on one cpu only; moves it there.
///
/// # Errors
/// `EINVAL` where it may not run there.
pub fn bind(cpu: u32) -> Result<()> {
    let cpu = usize::try_from(cpu).map_err(|_| Errno::INVAL)?;
    if cpu >= CpuSet::MAX_CPU {
        return Err(Errno::INVAL);
    }
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set)
}
