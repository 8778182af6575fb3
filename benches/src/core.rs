//! What `pidns-core` costs per operation and per task.
//!
//! Each figure is CPU time, the best of a few runs: the machine's noise only ever adds. "alloc_free" is a number in the map of one
//! namespace; "reserve_abandon" is all that a fork takes and gives back.

use std::hint::black_box;
use std::time::Duration;

use pidns_core::{
    CloneArgs, Config, Effect, EffectSink, ExitOutcome, ExitStatus, MapArena, PID_MAX_LIMIT,
    PidMap, Root, TaskId, TaskSet, WaitOptions, WaitOutcome, WaitTarget,
};

type Allocator = cap::Cap<std::alloc::System>;

const RUNS: usize = 5;
const MILLION: u32 = 1_000_000;

/// Runs the suite, or the part whose name contains `only`, and prints it.
pub(crate) fn run(allocator: &Allocator, only: &str) -> anyhow::Result<()> {
    let parts: [(&str, &dyn Fn()); 7] = [
        ("alloc_free_1k", &|| alloc_free("core.alloc_free_1k_ns", 1_000)),
        ("alloc_free_1m", &|| alloc_free("core.alloc_free_1m_ns", MILLION)),
        ("alloc_free_full", &alloc_free_full),
        ("reserve_abandon", &reserve_abandon),
        ("fork_exit_wait", &fork_exit_wait),
        ("zap_1m", &|| million(allocator)),
        ("wait_nothing", &wait_nothing),
    ];
    parts.iter().filter(|(name, _)| name.contains(only)).for_each(|(_, part)| part());
    Ok(())
}

/// Prints one result.
fn line(name: &str, value: f64, unit: &str) {
    println!("{name}: {value:.1} {unit}");
}

/// Keeps what the embedder of a benchmark has to act on, in order; counts the rest.
#[derive(Default)]
struct Work {
    killed: Vec<TaskId>,
    resumed: Vec<TaskId>,
    released: u64,
}

impl EffectSink for Work {
    fn emit(&mut self, effect: Effect) {
        match effect {
            Effect::Kill { task } => self.killed.push(task),
            Effect::ZapReady { task } => self.resumed.push(task),
            Effect::TaskReleased { .. } => self.released += 1,
            _ => {}
        }
    }
}

fn machine() -> (TaskSet, TaskId, Work) {
    let mut set = TaskSet::new(Config::default()).expect("a new machine has memory");
    let init = set.boot((), ()).expect("a new machine has no init");
    (set, init, Work::default())
}

fn fork(set: &mut TaskSet, parent: TaskId, args: &CloneArgs<'_>, work: &mut Work) -> TaskId {
    set.clone_task(parent, args, &Root, || (), (), work).expect("numbers and memory are there")
}

/// The thread's own time on a CPU: what others do on the machine does not count.
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Returns nanoseconds per step of the best run.
fn best(steps: u32, mut run: impl FnMut(u32)) -> f64 {
    let times = (0..RUNS).map(|_| {
        let start = cpu_time();
        run(steps);
        cpu_time() - start
    });
    per_step(times.min().unwrap_or_default(), steps)
}

fn per_step(time: Duration, steps: u32) -> f64 {
    time.as_nanos() as f64 / f64::from(steps)
}

/// A map with the numbers 1 to `live` taken.
fn map_of(live: u32) -> (PidMap, MapArena) {
    let (mut map, mut arena) = (PidMap::new(), MapArena::new());
    for number in 1..=live {
        assert_eq!(map.alloc(&mut arena, PID_MAX_LIMIT, number), Ok(number));
    }
    (map, arena)
}

fn alloc_and_free(map: &mut PidMap, arena: &mut MapArena, steps: u32) {
    for step in 0..steps {
        let number = map.alloc(arena, PID_MAX_LIMIT, black_box(step)).expect("a number is free");
        map.remove(arena, black_box(number));
    }
}

fn alloc_free(name: &str, live: u32) {
    let (mut map, mut arena) = map_of(live);
    line(name, best(1_000_000, |steps| alloc_and_free(&mut map, &mut arena, steps)), "ns");
}

/// Every number is taken but one, in the middle; the cursor goes round each time.
fn alloc_free_full() {
    let (mut map, mut arena) = map_of(PID_MAX_LIMIT - 1);
    map.remove(&mut arena, PID_MAX_LIMIT / 2);
    let ns = best(1_000_000, |steps| alloc_and_free(&mut map, &mut arena, steps));
    line("core.alloc_free_full_ns", ns, "ns");
}

/// A process's numbers, slots and references, taken and given back, with a million others there.
fn reserve_abandon() {
    let (mut set, init, mut work) = machine();
    for _ in 1..MILLION {
        fork(&mut set, init, &CloneArgs::fork(), &mut work);
    }
    let ns = best(500_000, |steps| {
        for _ in 0..steps {
            let reservation =
                set.reserve(init, &CloneArgs::fork(), &Root).expect("a number is free");
            set.abandon(black_box(reservation), &mut work);
        }
    });
    line("core.reserve_abandon_1m_ns", ns, "ns");
}

fn fork_exit_wait() {
    for level in [0, 1, 8, 32] {
        let (mut set, mut init, mut work) = machine();
        for _ in 0..level {
            init = fork(&mut set, init, &CloneArgs::new_pid_ns(), &mut work);
        }
        let ns = best(100_000, |steps| {
            for _ in 0..steps {
                let child = fork(&mut set, init, &CloneArgs::fork(), &mut work);
                let exited = set.exit(child, ExitStatus::exited(0), &mut work);
                assert_eq!(exited, Ok(ExitOutcome::Zombie));
                let waited = set.wait(init, WaitTarget::Any, WaitOptions::EXITED, &mut work);
                assert!(matches!(waited, Ok(WaitOutcome::Ready(_))));
            }
        });
        line(&format!("core.fork_exit_wait_ns (level {level})"), ns, "ns");
    }
}

/// A million processes in one namespace below the root: their memory, then their end.
fn million(allocator: &Allocator) {
    let mut bytes = f64::INFINITY;
    let zap = (0..3).map(|_| {
        let (mut set, outer, mut work) = machine();
        work.killed.reserve(MILLION as usize);
        let init = fork(&mut set, outer, &CloneArgs::new_pid_ns(), &mut work);
        let before = allocator.allocated();
        for _ in 0..MILLION {
            fork(&mut set, init, &CloneArgs::fork(), &mut work);
        }
        bytes = bytes.min((allocator.allocated() - before) as f64 / f64::from(MILLION));
        let start = cpu_time();
        zap_all(&mut set, init, &mut work);
        let time = cpu_time() - start;
        assert_eq!(
            (work.released, set.task_count()),
            (u64::from(MILLION), 2),
            "all members are gone, init is a zombie"
        );
        time
    });
    let zap = zap.min().unwrap_or_default();
    line("core.zap_1m_ns_per_task", per_step(zap, MILLION), "ns");
    line("core.bytes_per_task", bytes, "bytes");
}

/// From the exit of init to its zombie, every member's own exit included.
fn zap_all(set: &mut TaskSet, init: TaskId, work: &mut Work) {
    let begun = set.exit(init, ExitStatus::exited(0), work);
    assert_eq!(begun, Ok(ExitOutcome::AwaitZap));
    for task in std::mem::take(&mut work.killed) {
        set.exit(task, ExitStatus::exited(0), work).expect("it was killed, and has not exited yet");
    }
    let mut outcome = begun;
    while let Some(task) = work.resumed.pop() {
        outcome = set.exit_resume(task, work);
    }
    assert_eq!(outcome, Ok(ExitOutcome::Zombie));
}

fn wait_nothing() {
    let (mut set, init, mut work) = machine();
    let options = WaitOptions::EXITED | WaitOptions::NOHANG;
    for _ in 0..MILLION {
        fork(&mut set, init, &CloneArgs::fork(), &mut work);
    }
    let ns = best(1_000_000, |steps| {
        for _ in 0..steps {
            let outcome = set.wait(black_box(init), WaitTarget::Any, options, &mut work);
            assert_eq!(outcome, Ok(WaitOutcome::Nothing));
        }
    });
    line("core.wait_nothing_ns", ns, "ns");
}
