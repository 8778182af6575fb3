//! The event loop: one thread that waits for all tasks and never for one.
//!
//! An event of the host becomes an operation of `pidns-core`'s [`TaskSet`]; the operation's result becomes registers,
//! and its effects become signals, resumed tasks, and notes. Nothing here blocks but [`Recent::next_event`], and
//! the wait for one of many who all die.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use pidns_core::{Effect, ExitStatus, GroupId, NsId, Pid, Signal, TaskId, TaskSet};
use pidns_sys::Errno;
use pidns_sys::ptrace::{self, Event, Resume, Stop, Tid, Wait};

use super::affinity::Affinity;
use super::asked::Shared;
use super::locks::lock;
use super::memory::PathBuffer;
use super::precedence::Precedence;
use super::procfs::listing::Cursors;
use super::recent::Recent;
use super::site::{Begun, Counts};
use super::task::{Birth, Filter, Pending, Phase, Process, Stopped, Task};
use crate::engine::Members;

use super::{birth, call, exec, exit, signal, switches, wait};

/// All that the tracer knows.
pub(super) struct Tracer {
    pub(super) set: TaskSet<Tid, Tid>,
    pub(super) effects: Vec<Effect<Tid, Tid>>,
    /// Everybody that runs, by the host's number.
    pub(super) tasks: HashMap<Tid, Task>,
    pub(super) processes: HashMap<Tid, Process>,
    /// Processes that have ended and that nobody has collected.
    pub(super) zombies: HashMap<Tid, TaskId>,
    /// Tasks that the host has made, but whose first stop has not come.
    pub(super) births: HashMap<Tid, Birth>,
    /// Tasks that have ended before their parents told of them.
    pub(super) stillborn: HashMap<Tid, ExitStatus>,
    /// How many there have been: for their tokens.
    pub(super) clones: u32,
    /// The tracer's own place in the set: number 1 of level 0, the parent of the first init.
    pub(super) outside: TaskId,
    /// The first init's namespace, and who is in it: for the caller to look at.
    pub(super) home: NsId,
    pub(super) roster: Roster,
    /// Whom we have killed, and how many events to let pass before a look at them.
    pub(super) dying: Vec<Tid>,
    pub(super) patience: usize,
    /// The processes that were killed since the last event.
    pub(super) killed: Vec<Tid>,
    pub(super) recent: Recent,
    /// The first init, if it is our own `pidns-init`.
    pub(super) image: Option<Tid>,
    /// The host's number of the first init, and how it ended.
    pub(super) init: Option<Tid>,
    pub(super) ended: Option<ExitStatus>,
    /// Namespaces that a descriptor may name, by their serial number.
    pub(super) namespaces: BTreeMap<u64, NsId>,
    /// The tracer's own number.
    pub(super) own: Tid,
    /// The user that the job was started with.
    pub(super) uid: u32,
    /// No guest has changed its user.
    pub(super) one_user: bool,
    /// How many zombies had to give up their number.
    pub(super) ghosts: i32,
    /// The programs of the filters that processes get when they need them, in the order of [`Filter::ALL`].
    pub(super) filters: [Vec<u8>; Filter::ALL.len()],
    pub(super) affinity: Affinity,
    /// Paths are asked about.
    pub(super) listening: bool,
    pub(super) shared: Arc<Shared>,
    pub(super) begun: Begun,
    /// Which places make calls that we answer, and how often.
    pub(super) asked: Counts,
    pub(super) paths: PathBuffer,
    pub(super) cursors: Cursors,
}

/// The processes of a job besides number 1, by the host's number, with their numbers inside.
pub(super) type Roster = Arc<Mutex<Members>>;

impl Tracer {
    /// Follows the tasks until the first init is gone, with all that it held together.
    ///
    /// # Errors
    /// Those of the host's wait, none in practice.
    pub(super) fn run(&mut self) -> Result<ExitStatus, Errno> {
        let mut precedence = Precedence::take();
        loop {
            precedence.suit(self.tasks.len());
            let tasks = &self.tasks;
            let rest = || self.affinity.rest(|tid| waits(tasks, tid));
            let (tid, event) = match (self.recent.next_event(self.tasks.len(), rest), self.ended) {
                (Ok(Some(event)), _) => event,
                (Ok(None), _) => continue,
                // Nobody is left: zombies have come to us and been collected.
                (Err(Errno::CHILD), Some(status)) => return Ok(status),
                (Err(errno), _) => return Err(errno),
            };
            self.handle(tid, event);
            self.look_at_dying();
        }
    }

    fn handle(&mut self, tid: Tid, event: Event) {
        self.recent.note(tid);
        self.killed.clear();
        match event {
            Event::Stopped(stop) => self.on_stop(Stopped::new(tid), stop),
            Event::Exited(code) => exit::ended(self, tid, ExitStatus::exited(code)),
            Event::Killed { signal, dumped } => {
                exit::ended(self, tid, exit::killed(signal, dumped));
            }
        }
        self.settle();
    }

    /// Looks at those that we have killed, one by one. A wait for anybody looks through all tracees for one that has
    /// something to tell, so that the end of many would take time by their square.
    fn look_at_dying(&mut self) {
        const FEW: usize = 32;
        self.patience = self.patience.saturating_sub(1);
        while self.dying.len() >= FEW && self.patience == 0 {
            let count = self.dying.len();
            let mut told = 0;
            for tid in std::mem::take(&mut self.dying) {
                told += self.look_at(tid, Wait::Poll);
                if self.tasks.contains_key(&tid) {
                    self.dying.push(tid);
                }
            }
            if told >= count / 4 {
                continue;
            }
            // They need time.
            match self.dying.get(self.dying.len() / 2) {
                Some(tid) if self.may_wait_for(*tid) => drop(self.look_at(*tid, Wait::Block)),
                _ => self.patience = count / 4,
            }
        }
    }

    /// Handles what one task has to tell, and returns how many events that was.
    fn look_at(&mut self, tid: Tid, wait: Wait) -> usize {
        let mut told = 0;
        let mut wait = wait;
        while self.tasks.contains_key(&tid)
            && let Ok(Some(event)) = ptrace::event_of(tid, wait)
        {
            self.handle(tid, event);
            told += 1;
            wait = Wait::Poll;
        }
        told
    }

    /// Whether to sleep until a task that we have killed has something to tell. Where all die, nobody else is held up; but a
    /// leader ends after its other threads, and an init after its members.
    fn may_wait_for(&self, tid: Tid) -> bool {
        self.all_die()
            && !self.is_held(tid)
            && self.process_of(tid).is_some_and(|process| process.threads.len() == 1)
    }

    /// A task was stopped, and has been killed by us since. It goes on by that, and must not be resumed: it may be in the stop
    /// before its end by now.
    pub(super) fn has_killed(&self, tid: Tid) -> bool {
        let process = || self.tasks.get(&tid).map(|task| task.process);
        !self.killed.is_empty() && process().is_some_and(|process| self.killed.contains(&process))
    }

    /// The first init is in its exit stop.
    pub(super) fn all_die(&self) -> bool {
        self.init.is_some_and(|init| self.is_held(init))
    }

    fn is_held(&self, tid: Tid) -> bool {
        self.tasks.get(&tid).is_some_and(|task| matches!(task.phase, Phase::Held(_)))
    }

    fn on_stop(&mut self, stopped: Stopped, stop: Stop) {
        // A new one is where its maker is.
        if self.tasks.contains_key(&stopped.tid()) {
            self.share_cpu(stopped.tid(), stop);
        }
        if matches!(stop, Stop::Signal(_) | Stop::Group(_) | Stop::Trap) {
            call::catch_up(self, &stopped);
            switches::interrupted(self, stopped.tid());
        }
        match stop {
            Stop::Seccomp => call::enter(self, stopped),
            Stop::Syscall => call::leave(self, stopped),
            Stop::Signal(number) => signal::arrives(self, stopped, number),
            Stop::Exec => exec::executed(self, stopped),
            Stop::Exit => exit::leaving(self, stopped),
            Stop::Group(signal) => self.group_stop(stopped, signal),
            Stop::Trap => self.trap(stopped),
        }
    }

    /// A task has stopped: it may be better off on our cpu.
    fn share_cpu(&mut self, tid: Tid, stop: Stop) {
        if self.runs_alone(tid) {
            return self.affinity.stopped_alone(tid);
        }
        let calls = matches!(stop, Stop::Seccomp | Stop::Syscall);
        let tasks = &self.tasks;
        self.affinity.stopped(tid, calls, |tid| waits(tasks, tid));
    }

    /// All others wait for others. The first init, if it is ours, does nothing else.
    fn runs_alone(&self, tid: Tid) -> bool {
        const FEW: usize = 16;
        let idle =
            |other: Tid| other == tid || Some(other) == self.image || waits(&self.tasks, other);
        self.tasks.len() <= FEW && self.tasks.keys().all(|other| idle(*other))
    }

    /// A new task's first stop may be a group stop too, if its process is in one.
    fn group_stop(&mut self, stopped: Stopped, signal: i32) {
        birth::begins(self, &stopped);
        match self.tasks.get_mut(&stopped.tid()) {
            Some(task) => task.listening = true,
            None => return birth::refuse(stopped),
        }
        let group = self.process_of(stopped.tid()).map(|process| process.group);
        if let (Some(group), Some(signal)) = (group, Signal::from_raw(signal))
            && self.set.stopped_by(group) == Ok(None)
        {
            let _ = self.set.note_stopped(group, signal, &mut self.effects);
        }
        stopped.listen();
    }

    /// A new task, the end of a group stop, or our own interrupt.
    fn trap(&mut self, stopped: Stopped) {
        if birth::begins(self, &stopped) {
            stopped.run();
        } else if let Some(task) = self.tasks.get_mut(&stopped.tid()) {
            let was_listening = std::mem::replace(&mut task.listening, false);
            let group = self.process_of(stopped.tid()).map(|process| process.group);
            if was_listening && let Some(group) = group {
                let _ = self.set.note_continued(group, &mut self.effects);
            }
            self.go_on_in_phase(stopped, 0);
        } else {
            birth::refuse(stopped);
        }
    }

    /// Lets a task run after a stop that has nothing to do with the call that it may be in.
    pub(super) fn go_on_in_phase(&self, stopped: Stopped, signal: i32) {
        let how = match self.tasks.get(&stopped.tid()).map(|task| &task.phase) {
            Some(Phase::InCall(_)) => Resume::ToSyscallStop,
            _ => Resume::Freely,
        };
        stopped.resume(how, signal);
    }

    /// Does what the last operations want done.
    pub(super) fn settle(&mut self) {
        while !self.effects.is_empty() {
            for effect in std::mem::take(&mut self.effects) {
                self.apply(effect);
            }
        }
    }

    fn apply(&mut self, effect: Effect<Tid, Tid>) {
        match effect {
            Effect::Kill { task } => self.kill(task),
            Effect::Deliver { task, group_wide, info } => {
                signal::send(self, task, group_wide, info)
            }
            Effect::WakeWaiters { group } => wait::wake(self, group),
            Effect::ZapReady { task } => exit::go_on(self, task),
            Effect::Continue { group } => self.go_on(group),
            Effect::GroupReleased { payload, .. } => exit::released(self, payload),
            // The host does the rest by itself: stops, continues, vfork's wait, pidfds.
            _ => {}
        }
    }

    /// A process is continued, whether or not it gets the signal. // SIG-05
    fn go_on(&self, group: GroupId) {
        let stays_stopped = |process: &Process| {
            process.threads.iter().any(|tid| self.tasks.get(tid).is_some_and(|task| task.listening))
        };
        let process =
            self.set.group_payload(group).and_then(|tid| self.processes.get_key_value(tid));
        if let Some((tid, process)) = process
            && stays_stopped(process)
        {
            let _ = ptrace::signal_process(*tid, Signal::CONT.raw());
        }
    }

    fn kill(&mut self, task: TaskId) {
        let Some(tid) = self.tid(task) else { return };
        if let Some(entry) = self.tasks.get(&tid) {
            // The number is its own: we have not collected it.
            let process = entry.process;
            if ptrace::signal_task(process, tid, pidns_sys::abi::SIGKILL).is_ok() {
                self.killed.push(process);
            }
            self.dying.push(tid);
        }
    }

    /// Changes what the caller sees.
    pub(super) fn on_roster(&self, change: impl FnOnce(&mut Members)) {
        change(&mut lock(&self.roster));
    }

    /// A number that no host gives to a task: above the largest `pid_max`.
    pub(super) fn ghost(&mut self) -> Tid {
        const FIRST: i32 = 1 << 23;
        self.ghosts += 1;
        Tid::new(FIRST.saturating_add(self.ghosts)).expect("it is above 0")
    }

    /// The host's number of a task that has not been released.
    pub(super) fn tid(&self, task: TaskId) -> Option<Tid> {
        self.set.task_payload(task).copied()
    }

    /// Who a running task is.
    pub(super) fn id(&self, tid: Tid) -> Option<TaskId> {
        self.tasks.get(&tid).map(|task| task.id)
    }

    /// Who has this number of the host's, running or not yet collected.
    pub(super) fn known(&self, tid: Tid) -> Option<TaskId> {
        self.id(tid).or_else(|| self.zombies.get(&tid).copied())
    }

    pub(super) fn process_of(&self, tid: Tid) -> Option<&Process> {
        self.processes.get(&self.tasks.get(&tid)?.process)
    }

    pub(super) fn process_of_mut(&mut self, tid: Tid) -> Option<&mut Process> {
        self.processes.get_mut(&self.tasks.get(&tid)?.process)
    }

    /// The number by which `viewer` knows the task that the host numbers `host`; 0 if it does not.
    pub(super) fn number_of(&self, viewer: TaskId, host: i32) -> i32 {
        let number = Tid::new(host)
            .and_then(|tid| self.known(tid))
            .and_then(|task| self.set.tid(task).ok())
            .and_then(|pid| self.set.number(pid, self.set.ns_of(viewer).ok()?));
        Pid::raw_or_zero(number)
    }

    /// The host's number of the task that `viewer` knows as `number`.
    pub(super) fn host_of(&self, viewer: TaskId, number: i32) -> Option<Tid> {
        let ns = self.set.ns_of(viewer).ok()?;
        self.tid(self.set.find_task(ns, Pid::from_raw(number)?)?)
    }

    pub(super) fn set_phase(&mut self, tid: Tid, phase: Phase) {
        if let Some(task) = self.tasks.get_mut(&tid) {
            task.phase = phase;
        }
    }

    pub(super) fn take_phase(&mut self, tid: Tid) -> Phase {
        self.tasks
            .get_mut(&tid)
            .map_or(Phase::Running, |task| std::mem::replace(&mut task.phase, Phase::Running))
    }

    /// The wait that a task is in, if it has no stop of its own at its end.
    pub(super) fn take_signalled(&mut self, tid: Tid) -> Option<Pending> {
        let task = self.tasks.get_mut(&tid)?;
        match &task.phase {
            Phase::InCall(pending) if pending.after.ends_in_signal() => {}
            _ => return None,
        }
        match std::mem::replace(&mut task.phase, Phase::Running) {
            Phase::InCall(pending) => Some(pending),
            _ => None,
        }
    }
}

/// Says whether a task sleeps until another has done something, or is gone.
fn waits(tasks: &HashMap<Tid, Task>, tid: Tid) -> bool {
    tasks.get(&tid).is_none_or(Task::waits_for_others)
}
