//! On which cpus tasks run. See sched_setaffinity(2).

use std::ptr;
use std::time::Duration;

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

/// Has the calling thread, which does little at a time and is waited for, run soon when it wakes: in turns of `turn` at
/// most, so that it need not wait for those of others to end (Linux 6.12), and with this nice value, where it may (it has
/// `CAP_SYS_NICE`). See sched(7), sched_setattr(2).
///
/// # Errors
/// `EPERM` where a filter hides the call; `EINVAL` for other scheduling policies than the usual ones.
pub fn run_soon(turn: Duration, nice: i32) -> Result<()> {
    let size = size_of::<Attributes>() as u32;
    let mut before = Attributes::default();
    // SAFETY: a live structure of the size given, of plain integers.
    let ret =
        unsafe { libc::syscall(libc::SYS_sched_getattr, 0, ptr::from_mut(&mut before), size, 0) };
    crate::signal::check(ret)?;
    let shorter = Attributes { runtime: turn.as_nanos() as u64, ..before };
    let sooner = Attributes { nice: nice.min(before.nice), ..shorter };
    set(&sooner).or_else(|_| set(&shorter))
}

fn set(attributes: &Attributes) -> Result<()> {
    // SAFETY: a live structure of the size that it says, which the kernel only reads.
    let ret = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, ptr::from_ref(attributes), 0) };
    crate::signal::check(ret).map(drop)
}
