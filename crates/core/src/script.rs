//! Byte strings as scripts of operations: what the fuzzer and the random tests play, with every invariant checked after
//! each step and, at the end, everything torn down to the root's init.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::check::Store;
use crate::{
    ActionFlags, ChildSubreaper, CloneArgs, CloneFlags, Config, Delivery, Disposition, Inline,
    NextSignal, OnTracerExit, Quirks, RebootCommand, Root, SigSet, Signal, TaskId, TaskSet,
    UserInfo, WaitOptions, WaitTarget,
};
use crate::{ExitStatus, GroupId, SigCode, TaskState};

/// Most tasks at a time; a script that wants more gets `EAGAIN`, so to speak.
const MOST_TASKS: usize = 48;

/// Plays a script: a byte chooses the kernel version, then each three bytes are an operation, a caller and an argument.
/// Bytes beyond the last whole operation are not looked at.
///
/// # Errors
/// Says which invariant broke, and after how many operations.
pub fn play(script: &[u8]) -> Result<(), String> {
    let Some((first, operations)) = script.split_first() else { return Ok(()) };
    let quirks = if first & 1 == 0 { Quirks::LINUX_6_18 } else { Quirks::LINUX_7_2 };
    let delivery = if first & 2 == 0 { Delivery::Simulated } else { Delivery::Host };
    let config = Config { quirks, delivery, max_queued: 4, ..Config::default() };
    let mut player = Player::new(config).map_err(|errno| format!("a new set: {errno}"))?;
    for (step, operation) in operations.chunks_exact(3).enumerate() {
        player.step(operation[0], operation[1], operation[2]);
        player
            .check()
            .map_err(|wrong| format!("{wrong}\nafter operation {step} of {operations:?}"))?;
    }
    player.tear_down()
}

struct Player {
    set: TaskSet,
    out: Inline,
    /// The root's init, which no script may end.
    root: GroupId,
    /// Every task that may still be there.
    tasks: Vec<TaskId>,
}

impl Player {
    fn new(config: Config) -> crate::Result<Self> {
        let mut set = TaskSet::new(config)?;
        let init = set.boot((), ())?;
        let root = set.group(init)?;
        Ok(Self { set, out: Inline::new(), root, tasks: alloc::vec![init] })
    }

    fn task(&self, index: u8) -> TaskId {
        self.tasks[usize::from(index) % self.tasks.len()]
    }

    fn check(&mut self) -> Result<(), String> {
        self.out.settle(&mut self.set);
        self.out.clear();
        self.tasks.retain(|&task| self.set.state(task).is_ok());
        self.set.check_invariants()?;
        if self.tasks.len() == self.set.task_count() {
            Ok(())
        } else {
            Err("a task is lost".into())
        }
    }

    /// Errors are part of the game: only a broken invariant counts.
    fn step(&mut self, operation: u8, caller: u8, argument: u8) {
        let (me, other) = (self.task(caller), self.task(argument));
        let mortal = self.set.group(me) != Ok(self.root);
        let (set, out) = (&mut self.set, &mut self.out);
        let number = |set: &TaskSet, task| {
            let ns = set.ns_of(me).ok()?;
            set.number(set.tid(task).ok()?, ns).map(crate::Pid::raw)
        };
        let target = number(set, other).unwrap_or(i32::from(argument));
        let signal = i32::from(argument >> 1) % 66;
        let _outcome = match operation % 26 {
            0..=2 => return self.clone(me, CloneArgs::fork()),
            3 => return self.clone(me, CloneArgs::thread()),
            4 => return self.clone(me, CloneArgs::new_pid_ns()),
            5 => {
                return self.clone(
                    me,
                    CloneArgs { exit_signal: Signal::from_raw(signal), ..CloneArgs::fork() },
                );
            }
            6 => {
                return self.clone(
                    me,
                    CloneArgs::process(CloneFlags::from_bits_retain(u64::from(argument) << 12)),
                );
            }
            7 => return self.clone(me, CloneArgs::fork().with_set_tid(&[i32::from(argument)])),
            8 if mortal => set.exit(me, ExitStatus::exited(argument.into()), out).map(drop),
            9 if mortal => set.exit_group(me, ExitStatus::exited(argument.into()), out).map(drop),
            10 => set.kill(me, target, signal, &Root, out),
            11 => set.kill(me, -target, signal, &Root, out),
            12 => set.kill(me, -i32::from(argument & 1), signal, &Root, out),
            13 => set.tgkill(me, None, target, signal, &Root, out),
            14 => set
                .wait(me, WaitTarget::Any, WaitOptions::from_bits_retain(wait_bits(argument)), out)
                .map(drop),
            15 => set.setpgid(me, 0, target, out),
            16 => set.setpgid(me, target, 0, out).and_then(|()| set.setpgid(me, 0, target, out)),
            17 => set.setsid(me, out).map(drop),
            18 => set.unshare(me, &Root, out).map(drop),
            19 => set.ns_of(other).and_then(|ns| set.setns(me, ns, &Root, out)),
            20 => set.exec(me, out).map(drop),
            21 => set.attach(
                me,
                other,
                if argument & 1 == 0 { OnTracerExit::Kill } else { OnTracerExit::Release },
            ),
            22 => set.detach(me, other, out),
            23 => return self.signals(me, argument),
            24 => return self.rare(me, argument),
            _ => return self.abandon(me),
        };
    }

    fn clone(&mut self, me: TaskId, args: CloneArgs<'_>) {
        if self.set.task_count() < MOST_TASKS
            && let Ok(child) = self.set.clone_task(me, &args, &Root, || (), (), &mut self.out)
        {
            self.tasks.push(child);
        }
    }

    fn abandon(&mut self, me: TaskId) {
        if let Ok(reservation) = self.set.reserve(me, &CloneArgs::fork(), &Root) {
            self.set.abandon(reservation, &mut self.out);
        }
    }

    fn signals(&mut self, me: TaskId, argument: u8) {
        let (set, out) = (&mut self.set, &mut self.out);
        let signal = Signal::from_raw(i32::from(argument >> 2) + 1).unwrap_or(Signal::CHLD);
        let disposition = [Disposition::Default, Disposition::Ignore, Disposition::Handler]
            [usize::from(argument) % 3];
        let flags = ActionFlags::from_bits_retain(u32::from(argument & 3));
        let Ok(group) = set.group(me) else { return };
        let _outcome = match argument & 3 {
            0 => set.sigaction(group, signal, disposition, flags),
            1 => set.set_blocked(
                me,
                SigSet::from_bits(u64::from(argument).wrapping_mul(0x0101_0204_0810_2041)),
                out,
            ),
            2 => {
                let info = UserInfo { code: SigCode::QUEUE, pid: 1, uid: 0, value: 1 };
                set.getpid(me)
                    .and_then(|own| set.sigqueue(me, own.raw(), signal.raw(), info, &Root, out))
            }
            _ => match set.next_signal(me, out) {
                Ok(NextSignal::Tracer(info)) => set.inject(me, info, out).map(drop),
                Ok(NextSignal::Die { status, .. }) if set.group(me) != Ok(self.root) => {
                    set.exit_group(me, status, out).map(drop)
                }
                other => other.map(drop),
            },
        };
    }

    fn rare(&mut self, me: TaskId, argument: u8) {
        let (set, out) = (&mut self.set, &mut self.out);
        let store = Store::ALL[usize::from(argument >> 4) % Store::ALL.len()];
        let _outcome = match argument & 15 {
            0 => set.set_child_subreaper(me, ChildSubreaper::Yes),
            1 => set.set_child_subreaper(me, ChildSubreaper::No),
            2..=4 => set.set_death_signal(me, i32::from(argument >> 3)),
            5 if set.ns_of(me) != Ok(set.root()) => {
                set.reboot(me, RebootCommand::Halt, &Root, out).map(drop)
            }
            6 if set.group(me) != Ok(self.root) => set.fault(me, Signal::SEGV, out),
            7 => set.set_ns_last_pid(me, i32::from(argument), &Root),
            8 => set.getpid(me).and_then(|own| set.pidfd_open(me, own.raw())).map(drop),
            9..=11 => {
                set.deny_memory(store, true);
                Ok(())
            }
            12 => set.group(me).and_then(|group| set.note_stopped(group, Signal::STOP, out)),
            13 => set.group(me).and_then(|group| set.note_continued(group, out)),
            _ => {
                Store::ALL.iter().for_each(|&store| set.deny_memory(store, false));
                Ok(())
            }
        };
    }

    /// Kills everything and has the root's init reap until it is alone: then nothing may be left in any store.
    fn tear_down(mut self) -> Result<(), String> {
        let root = self.set.root();
        for task in self.tasks.clone() {
            if self.set.group(task) == Ok(self.root) {
                let _outcome = self.set.setns(task, root, &Root, &mut self.out);
                let _outcome = self.set.setpgid(task, 0, 0, &mut self.out);
            }
        }
        for round in 0..=2 * MOST_TASKS {
            for task in self.tasks.clone() {
                if self.set.group(task) != Ok(self.root)
                    && self.set.state(task) == Ok(TaskState::Live)
                {
                    let _outcome = self.set.exit_group(task, ExitStatus::exited(0), &mut self.out);
                }
            }
            let options = WaitOptions::EXITED | WaitOptions::NOHANG | WaitOptions::ALL;
            let Some(init) = self.set.child_reaper(self.set.root()) else {
                return Err("the root has no reaper".into());
            };
            let _outcome = self.set.wait(init, WaitTarget::Any, options, &mut self.out);
            self.check().map_err(|wrong| format!("{wrong}\nwhile tearing down, round {round}"))?;
        }
        let threads =
            self.tasks.iter().filter(|&&task| self.set.group(task) != Ok(self.root)).count();
        let spaces = self.set.namespaces().count();
        if self.tasks.iter().any(|&task| self.is_deadlocked(task)) {
            return Ok(());
        }
        if threads > 0 || spaces > 1 {
            let left: Vec<_> = self.tasks.iter().map(|&task| self.describe(task)).collect();
            return Err(format!(
                "{threads} tasks and {spaces} namespaces are left after the end: {left:?}"
            ));
        }
        Ok(())
    }

    /// Says whether a task is an init that can never finish, because it is itself in a process group that a member of
    /// its namespace named. // ZAP-22
    fn is_deadlocked(&self, task: TaskId) -> bool {
        let set = &self.set;
        let own_group = || {
            let group = set.group(task)?;
            let (pgrp, ns) = (set.pgrp(group)?, set.ns_of(task)?);
            crate::Result::Ok(pgrp != set.tgid(group)? && set.number(pgrp, ns).is_some())
        };
        set.state(task) == Ok(TaskState::Exiting) && own_group() == Ok(true)
    }

    fn describe(&self, task: TaskId) -> String {
        let set = &self.set;
        let ns = set.ns_of(task).ok().and_then(|ns| set.ns_state(ns));
        let parent = set.parent(task);
        let tracer = set.tracer(task);
        format!("{task:?}: {:?} in {ns:?} below {parent:?}, traced by {tracer:?}", set.state(task))
    }
}

fn wait_bits(argument: u8) -> u32 {
    let kind = [0, 0x4000_0000, 0x8000_0000, 0x2000_0000][usize::from(argument >> 6)];
    (u32::from(argument) & 15) | kind | 1
}
