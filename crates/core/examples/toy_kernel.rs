//! A toy kernel around `pidns-core`: threads of execution are entries of a run queue, the "big kernel lock" is the borrow
//! of `Kernel`, and effects are drained after each operation, when that lock is released.
//!
//! It boots, runs a container with a nested container in it, lets the container's init die, and then its own. Builds
//! for a bare target too: see `examples/bare_metal.rs` for a `no_std` embedder.

use std::collections::{BTreeMap, VecDeque};

use pidns_core::{
    CloneArgs, Config, Effect, ExecOutcome, ExitOutcome, ExitStatus, Root, Signal, TaskId, TaskSet,
    WaitOptions, WaitOutcome, WaitTarget,
};

/// What the kernel keeps of its own for each process and thread.
type Name = &'static str;
type Registers = u32;

/// What a thread does when it is scheduled.
#[derive(Clone, Debug)]
enum Work {
    /// In user mode; there is nothing to do until it calls.
    User,
    /// On its way out, because a fatal signal is pending.
    Die,
    /// Asleep in exit(2): an init whose namespace is being destroyed. Woken now.
    FinishExit,
    /// Asleep in wait(2). Woken now.
    Wait,
    /// Asleep in execve(2). Woken now.
    Exec,
}

struct Kernel {
    tasks: TaskSet<Name, Registers>,
    effects: Vec<Effect<Name, Registers>>,
    run_queue: VecDeque<(TaskId, Work)>,
    /// Who sleeps in wait(2).
    waiting: BTreeMap<TaskId, ()>,
    panicked: bool,
}

impl Kernel {
    fn boot() -> (Kernel, TaskId) {
        let mut tasks = TaskSet::new(Config::default()).expect("memory at boot");
        let init = tasks.boot("init", 0).expect("memory at boot");
        let kernel = Kernel {
            tasks,
            effects: Vec::new(),
            run_queue: VecDeque::new(),
            waiting: BTreeMap::new(),
            panicked: false,
        };
        (kernel, init)
    }

    /// fork(2), clone(2): what can fail is reserved first, the kernel's own part comes next, then it is published.
    fn clone(&mut self, caller: TaskId, args: CloneArgs<'_>, name: Name) -> TaskId {
        let reservation =
            self.tasks.reserve(caller, &args, &Root).expect("numbers and memory are there");
        let registers = 0; // A real kernel copies memory and files here, and abandons the reservation if that fails.
        let child = self.tasks.publish(reservation, || name, registers, &mut self.effects);
        self.run_queue.push_back((child, Work::User));
        self.drain();
        child
    }

    /// exit_group(2).
    fn exit(&mut self, caller: TaskId, code: i32) {
        let outcome = self.tasks.exit_group(caller, ExitStatus::exited(code), &mut self.effects);
        self.after_exit(caller, outcome.expect("the caller runs"));
    }

    fn after_exit(&mut self, task: TaskId, outcome: ExitOutcome) {
        println!("  {task:?}: {outcome:?}");
        self.drain();
    }

    /// wait(2): says what it found, or puts the caller to sleep.
    fn wait(&mut self, caller: TaskId) {
        match self.tasks.wait(caller, WaitTarget::Any, WaitOptions::EXITED, &mut self.effects) {
            Ok(WaitOutcome::Ready(report)) => {
                println!("  {caller:?} reaped {:?}: {:?}", report.pid, report.status)
            }
            Ok(WaitOutcome::Block) => drop(self.waiting.insert(caller, ())),
            Ok(WaitOutcome::Nothing) => unreachable!("NOHANG was not given"),
            Err(errno) => println!("  {caller:?}: wait: {errno}"),
        }
        self.drain();
    }

    fn kill(&mut self, caller: TaskId, pid: i32, signal: Signal) {
        let result = self.tasks.kill(caller, pid, signal.raw(), &Root, &mut self.effects);
        println!("  {caller:?} kills {pid}: {result:?}");
        self.drain();
    }

    /// Does what operations asked for. Only wakes and marks: the tasks themselves act when they are scheduled.
    fn drain(&mut self) {
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Kill { task } => self.run_queue.push_back((task, Work::Die)),
                Effect::ZapReady { task } => self.run_queue.push_back((task, Work::FinishExit)),
                Effect::ExecReady { task } => self.run_queue.push_back((task, Work::Exec)),
                Effect::WakeWaiters { .. } => {
                    let woken = std::mem::take(&mut self.waiting).into_keys();
                    self.run_queue.extend(woken.map(|task| (task, Work::Wait)));
                }
                Effect::Zap { ns, step } => println!("  {ns:?}: {step:?}"),
                Effect::GroupReleased { payload, .. } => println!("  {payload} is gone"),
                Effect::Panic { status } => {
                    println!(
                        "kernel panic: attempted to kill init! exitcode={:#010x}",
                        status.raw()
                    );
                    self.panicked = true;
                }
                _ => {} // Nobody vforks, stops, or holds a pidfd here.
            }
        }
    }

    /// The scheduler: lets every thread do what it was woken for.
    fn schedule(&mut self) {
        while let Some((task, work)) = self.run_queue.pop_front() {
            match work {
                Work::User => {}
                Work::Die => {
                    let end = self.tasks.exit(
                        task,
                        ExitStatus::signaled(Signal::KILL),
                        &mut self.effects,
                    );
                    self.after_exit(task, end.expect("a killed task has not exited"));
                }
                Work::FinishExit => {
                    let end = self.tasks.exit_resume(task, &mut self.effects);
                    self.after_exit(task, end.expect("it sleeps in exit"));
                }
                Work::Wait => self.wait(task),
                Work::Exec => {
                    let done = self.tasks.exec(task, &mut self.effects);
                    assert_eq!(done, Ok(ExecOutcome::Done));
                    self.drain();
                }
            }
        }
    }
}

fn main() {
    let (mut kernel, init) = Kernel::boot();
    let shell = kernel.clone(init, CloneArgs::fork(), "shell");
    let container = kernel.clone(shell, CloneArgs::new_pid_ns(), "container init");
    let worker = kernel.clone(container, CloneArgs::fork(), "worker");
    let nested = kernel.clone(worker, CloneArgs::new_pid_ns(), "nested init");
    kernel.clone(nested, CloneArgs::fork(), "nested worker");

    println!("the worker tries to kill its init:");
    kernel.kill(worker, 1, Signal::KILL);
    kernel.schedule();

    println!("the shell waits, and the container's init exits:");
    kernel.wait(shell);
    kernel.exit(container, 42);
    kernel.schedule();
    assert_eq!(kernel.tasks.task_count(), 2, "init and the shell are left");

    println!("init exits:");
    kernel.exit(init, 0);
    assert!(kernel.panicked);
}
