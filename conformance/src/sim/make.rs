//! The calls that make actors, and exec.

use super::cast::{Actor, Doing, Memory, Sleep};
use super::{Progress, SimWorld};
use crate::answer;
use crate::script::call::Request;
use crate::world::Event;
use pidns_core::{CloneArgs, CloneFlags, Errno, ExecOutcome, Pid, Root, TaskId};
use std::rc::Rc;

/// Flags that the model has no use for.
const FILES: CloneFlags = CloneFlags::from_bits_retain(0x400);
const CHILD_SETTID: CloneFlags = CloneFlags::from_bits_retain(0x100_0000);

/// How a new actor begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    /// On a copy of the memory, or as a thread.
    Running,
    /// On the memory of its parent, with another program at once.
    NewProgram,
}

impl SimWorld {
    /// fork.
    pub(super) fn fork(&mut self, slot: usize, r: &Request) -> Progress {
        self.make(slot, r, CloneArgs::fork(), Start::Running)
    }

    /// A thread, as pthread_create makes one.
    pub(super) fn thread(&mut self, slot: usize, r: &Request) -> Progress {
        self.make(slot, r, CloneArgs::thread(), Start::Running)
    }

    /// vfork: the caller sleeps until the child lets go of the memory.
    pub(super) fn vfork(&mut self, slot: usize, r: &Request) -> Progress {
        match self.make(slot, r, CloneArgs::vfork(), Start::Running) {
            Progress::Done(text) => match text.parse() {
                Ok(number) => {
                    let child = self.task(r.int(0) as usize);
                    Progress::Asleep(Sleep::Vfork { child, number })
                }
                Err(_) => Progress::Done(text),
            },
            other => other,
        }
    }

    /// clone3.
    pub(super) fn clone(&mut self, slot: usize, r: &Request) -> Progress {
        const FIRST_SIZE: i64 = 64;
        let flags = r.int(1) as u64;
        if r.optional(5).is_some_and(|size| size < FIRST_SIZE) {
            return failed(Errno::EINVAL);
        }
        let exit_signal = r.optional(2).unwrap_or(default_exit_signal(flags)) as u64;
        let set_tid = r.list(3);
        match CloneArgs::from_clone3(flags, exit_signal, &set_tid) {
            Err(errno) => failed(errno),
            Ok(args) => {
                let shares =
                    args.flags.contains(CloneFlags::VM) && !args.flags.contains(CloneFlags::THREAD);
                let start = if shares { Start::NewProgram } else { Start::Running };
                let made = self.make(slot, r, args, start);
                self.after_clone(slot, made, r, r.optional(4))
            }
        }
    }

    /// The old clone.
    pub(super) fn old_clone(&mut self, slot: usize, r: &Request) -> Progress {
        let flags = r.int(1) as u64;
        let exit_signal = r.optional(2).unwrap_or(default_exit_signal(flags)) as u64;
        match CloneArgs::from_legacy(flags | exit_signal & 0xff) {
            Err(errno) => failed(errno),
            Ok(args) => {
                let made = self.make(slot, r, args, Start::Running);
                self.after_clone(slot, made, r, r.optional(3))
            }
        }
    }

    /// Installs the pidfd and tells the number that was stored.
    fn after_clone(
        &mut self,
        slot: usize,
        made: Progress,
        r: &Request,
        pidfd_at: Option<i64>,
    ) -> Progress {
        let Progress::Done(text) = made else {
            return made;
        };
        let Ok(number) = text.parse::<i32>() else {
            return Progress::Done(text);
        };
        let flags = CloneFlags::from_bits_retain(r.int(1) as u64);
        let wanted = pidfd_at.filter(|_| flags.contains(CloneFlags::PIDFD));
        let pid = self.set.tid(self.task(r.int(0) as usize));
        if let (Some(fd), Ok(pid)) = (wanted, pid) {
            let file = self.pidfd_of(pid, false);
            self.install(slot, fd as i32, file);
        }
        let stored = flags.contains(CloneFlags::PARENT_SETTID);
        Progress::Done(if stored { format!("{number} parent_tid={number}") } else { text })
    }

    fn make(&mut self, slot: usize, r: &Request, args: CloneArgs<'_>, start: Start) -> Progress {
        let caller = self.task(slot);
        let made = self.set.clone_task(caller, &args, &Root, || (), (), &mut self.effects);
        let child = match made {
            Ok(child) => child,
            Err(errno) => return failed(errno),
        };
        match self.bring_on(slot, r.int(0) as usize, child, args.flags) {
            Ok(number) => {
                if start == Start::NewProgram {
                    let _ = self.exec_now(r.int(0) as usize);
                }
                Progress::Done(number.to_string())
            }
            Err(errno) => failed(errno),
        }
    }

    /// Gives the new task an actor, and returns its number as the creator sees it.
    fn bring_on(
        &mut self,
        creator: usize,
        slot: usize,
        task: TaskId,
        flags: CloneFlags,
    ) -> Result<i32, Errno> {
        let view = self.set.ns_of(self.task(creator))?;
        let tid = self.set.tid(task)?;
        let own = Pid::raw_or_zero(self.set.number(tid, self.set.ns_of(task)?));
        let shares = |flag| flags.contains(flag);
        let parent = self.cast.actor(creator).clone();
        let files = if shares(CloneFlags::THREAD) || shares(FILES) {
            Rc::clone(&parent.files)
        } else {
            self.copy_files(&parent.files)
        };
        let thread = shares(CloneFlags::THREAD);
        let actor = Actor {
            task,
            group: self.set.group(task)?,
            doing: Doing::Idle,
            files,
            memory: if shares(CloneFlags::VM) { Rc::clone(&parent.memory) } else { Rc::default() },
            handlers: if thread {
                Rc::clone(&parent.handlers)
            } else {
                Rc::new((*parent.handlers).clone())
            },
            mask: parent.mask,
            child_tid: if shares(CHILD_SETTID) { own } else { 0 },
        };
        self.cast.enter(slot, actor);
        self.events.push(Event::Born { slot, number: own.into() });
        Ok(Pid::raw_or_zero(self.set.number(tid, view)))
    }

    /// Makes children without actors.
    pub(super) fn crowd(&mut self, slot: usize, count: i64) -> String {
        let caller = self.task(slot);
        for made in 0..count {
            let child = self.set.clone_task(
                caller,
                &CloneArgs::fork(),
                &Root,
                || (),
                (),
                &mut self.effects,
            );
            if let Err(errno) = child {
                return format!("{made} {}", answer::error(errno.raw()));
            }
        }
        count.to_string()
    }

    /// execve.
    pub(super) fn exec(&mut self, slot: usize) -> Progress {
        match self.exec_now(slot) {
            Ok(ExecOutcome::Done) => Progress::Done("0".to_owned()),
            Ok(ExecOutcome::AwaitThreads) => Progress::Asleep(Sleep::Exec),
            Err(errno) => failed(errno),
        }
    }

    fn exec_now(&mut self, slot: usize) -> Result<ExecOutcome, Errno> {
        let task = self.task(slot);
        let outcome = self.set.exec(task, &mut self.effects)?;
        if outcome == ExecOutcome::Done {
            self.become_new_program(slot)?;
        }
        Ok(outcome)
    }

    /// The new program starts with fresh memory and without handlers, and says its number.
    fn become_new_program(&mut self, slot: usize) -> Result<(), Errno> {
        let number = self.set.gettid(self.task(slot))?;
        let files = Rc::clone(&self.cast.actor(slot).files);
        // exec ends the sharing of descriptors.
        let own = self.copy_files(&files);
        drop(files);
        self.replace_files(slot, own);
        let actor = self.cast.actor_mut(slot);
        actor.memory = Rc::new(Memory::default().into());
        actor.handlers = Rc::default();
        actor.child_tid = 0;
        self.events.push(Event::Born { slot, number: number.raw().into() });
        Ok(())
    }

    /// The other threads of an exec are gone.
    pub(super) fn exec_ready(&mut self, task: TaskId) {
        let Some(slot) = self.cast.slot(task) else {
            return;
        };
        if !matches!(self.cast.actor(slot).doing, Doing::Asleep(Sleep::Exec)) {
            return;
        }
        match self.exec(slot) {
            Progress::Done(text) => self.finish(slot, text),
            Progress::Asleep(_) | Progress::Left => {}
        }
    }
}

/// Siblings and threads have no exit signal of their own.
fn default_exit_signal(flags: u64) -> i64 {
    const SIGCHLD: i64 = 17;
    let special = CloneFlags::THREAD | CloneFlags::PARENT;
    if CloneFlags::from_bits_retain(flags).intersects(special) { 0 } else { SIGCHLD }
}

fn failed(errno: Errno) -> Progress {
    Progress::Done(answer::error(errno.raw()))
}
