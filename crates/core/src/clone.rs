//! clone: fork, vfork, threads and new namespaces, in two steps.
//!
//! [`reserve`](TaskSet::reserve) does all that can fail: checks, slots, numbers at every level, the namespace.
//! [`publish`](TaskSet::publish) cannot fail and makes the task visible; [`abandon`](TaskSet::abandon) leaves nothing
//! behind. Between the two the embedder does its own fallible work (memory, files). Neighbours: `pids.rs` numbers,
//! `ns.rs` makes namespaces, `exit.rs` is the other end.

use crate::errno::{Errno, Result};
use crate::id::{GroupIx, NsIx, Pid, PidId, PidIx, TaskId, TaskIx};
use crate::privilege::Authority;
use crate::set::{Quirks, Sink, TaskSet};
use crate::signal::{ExitStatus, SigSet, Signal};
use crate::task::{Group, GroupFlags, Task, TaskFlags};

bitflags::bitflags! {
    /// Flags of clone(2) that matter here, with the kernel's bits; unknown ones are kept and mean nothing here.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct CloneFlags: u64 {
        /// Same address space.
        const VM = 0x100;
        /// Same signal dispositions; this crate shares them only among threads.
        const SIGHAND = 0x800;
        /// A pidfd is returned: [`Effect::Pidfd`](crate::Effect::Pidfd) will be emitted. // CRE-22
        const PIDFD = 0x1000;
        /// The caller sleeps until [`Effect::VforkDone`](crate::Effect::VforkDone).
        const VFORK = 0x4000;
        /// A sibling instead of a child. // CRE-09 CRE-10
        const PARENT = 0x8000;
        /// A thread of the caller's group.
        const THREAD = 0x1_0000;
        /// The number is stored in the parent's memory; matters with `PIDFD` in the legacy call.
        const PARENT_SETTID = 0x10_0000;
        /// Does nothing; forbidden with `PIDFD`.
        const DETACHED = 0x40_0000;
        /// A new user namespace; its owner question goes to [`Authority::user_ns`].
        const NEWUSER = 0x1000_0000;
        /// A new PID namespace, of which the child is init. // CRE-01
        const NEWPID = 0x2000_0000;
        /// All handlers are back to default in the child.
        const CLEAR_SIGHAND = 0x1_0000_0000;
        const _ = !0;
    }
}

/// What to clone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CloneArgs<'a> {
    /// The flags.
    pub flags: CloneFlags,
    /// Sent to the parent at the end; `None` for no signal. Not looked at for threads and siblings. // CRE-12
    pub exit_signal: Option<Signal>,
    /// Wanted numbers, innermost namespace first. // TID-01
    pub set_tid: &'a [i32],
}

impl<'a> CloneArgs<'a> {
    /// A process with these flags that sends SIGCHLD at its end.
    pub fn process(flags: CloneFlags) -> Self {
        Self { flags, exit_signal: Some(Signal::CHLD), set_tid: &[] }
    }

    /// What fork(2) does.
    pub fn fork() -> Self {
        Self::process(CloneFlags::empty())
    }

    /// What vfork(2) does.
    pub fn vfork() -> Self {
        Self::process(CloneFlags::VM | CloneFlags::VFORK)
    }

    /// The first process of a new namespace.
    pub fn new_pid_ns() -> Self {
        Self::process(CloneFlags::NEWPID)
    }

    /// What pthread_create(3) does.
    pub fn thread() -> Self {
        let flags = CloneFlags::VM | CloneFlags::SIGHAND | CloneFlags::THREAD;
        Self { flags, exit_signal: None, set_tid: &[] }
    }

    /// Asks for these numbers, innermost first.
    pub fn with_set_tid(self, set_tid: &'a [i32]) -> Self {
        Self { set_tid, ..self }
    }

    /// Reads the flag word of the legacy clone(2): the low byte is the exit signal.
    ///
    /// # Errors
    /// `EINVAL` for `PIDFD` with `PARENT_SETTID`, which share an argument. // CRE-22
    pub fn from_legacy(flags: u64) -> Result<Self> {
        let exit_signal = Signal::from_raw((flags & 0xff) as i32);
        let flags = CloneFlags::from_bits_retain(flags & 0xffff_ff00);
        if flags.contains(CloneFlags::PIDFD | CloneFlags::PARENT_SETTID) {
            return Err(Errno::EINVAL);
        }
        Ok(Self { flags, exit_signal, set_tid: &[] })
    }

    /// Reads the fields of clone3(2)'s `struct clone_args`.
    ///
    /// # Errors
    /// `EINVAL` for an exit signal that is none, or one given for a thread or sibling.
    pub fn from_clone3(flags: u64, exit_signal: u64, set_tid: &'a [i32]) -> Result<Self> {
        let flags = CloneFlags::from_bits_retain(flags);
        let signal = i32::try_from(exit_signal).ok().and_then(Signal::from_raw);
        let wrong = exit_signal != 0 && signal.is_none();
        let sibling = flags.intersects(CloneFlags::THREAD | CloneFlags::PARENT) && exit_signal != 0;
        if wrong || sibling || flags.contains(CloneFlags::DETACHED) {
            return Err(Errno::EINVAL);
        }
        Ok(Self { flags, exit_signal: signal, set_tid })
    }
}

/// Everything a clone needs, taken and not yet visible. Has to go to [`publish`](TaskSet::publish) or
/// [`abandon`](TaskSet::abandon), or [`retract`](TaskSet::retract); until then its caller cannot exit. [`ForkGuard`] does
/// that by itself.
#[must_use = "publish or abandon it: a reservation that is forgotten keeps its numbers"]
#[derive(Debug)]
pub struct Reservation {
    task: TaskId,
    pid: PidId,
    caller: TaskIx,
    /// `None` for a thread.
    group: Option<GroupIx>,
    ns_children: NsIx,
    exit_signal: Option<Signal>,
    flags: CloneFlags,
    /// Of how many levels the caller has chosen the number.
    chosen: u8,
}

impl Reservation {
    /// Returns the id that the task will have.
    pub fn task(&self) -> TaskId {
        self.task
    }

    /// Returns the pid object that the task will have.
    pub fn pid(&self) -> PidId {
        self.pid
    }
}

impl<G, T> TaskSet<G, T> {
    /// Takes all that a clone needs.
    ///
    /// # Errors
    /// Those of clone(2) that belong to this subsystem: `EINVAL` for flags that exclude each other, a thread or
    /// namespace while the namespace for children is another // CRE-06 CRE-07 CRE-08, a sibling of an init // CRE-10;
    /// `EPERM`, `EINVAL`, `ENOSPC` for the new namespace // CRE-17..20; those of `set_tid` // TID-01..08; `EAGAIN` if
    /// a level is full // NUM-09; `ENOMEM` also if the namespace is closed // CRE-16; `EINTR` if the caller is being
    /// killed, who never sees it // ZAP-31.
    pub fn reserve(
        &mut self,
        caller: TaskId,
        args: &CloneArgs<'_>,
        auth: &dyn Authority,
    ) -> Result<Reservation> {
        let caller = self.caller(caller)?;
        self.check_flags(caller, args.flags)?;
        if self.tasks[caller].flags.contains(TaskFlags::KILLED) {
            return Err(Errno::EINTR);
        }
        if self.tasks[caller].reservations == u8::MAX {
            return Err(Errno::EAGAIN);
        }
        let group =
            if args.flags.contains(CloneFlags::THREAD) { None } else { Some(self.groups.claim()?) };
        let task = self.tasks.claim().inspect_err(|_| self.unclaim_group(group))?;
        let (ns_children, pid) = self.reserve_pid(caller, args, auth).inspect_err(|_| {
            self.tasks.unclaim(task);
            self.unclaim_group(group);
        })?;
        self.tasks[caller].reservations += 1;
        let (task, pid) = (self.task_id(task), self.pid_id(pid));
        let CloneArgs { flags, exit_signal, .. } = *args;
        // As many as there are levels at most.
        let chosen = args.set_tid.len() as u8;
        Ok(Reservation { task, pid, caller, group, ns_children, exit_signal, flags, chosen })
    }

    fn unclaim_group(&mut self, group: Option<GroupIx>) {
        if let Some(group) = group {
            self.groups.unclaim(group);
        }
    }

    /// Takes a reference to the child's namespace, new or old, and a pid object in it.
    fn reserve_pid(
        &mut self,
        caller: TaskIx,
        args: &CloneArgs<'_>,
        auth: &dyn Authority,
    ) -> Result<(NsIx, PidIx)> {
        if !args.flags.contains(CloneFlags::NEWPID) {
            let ns = self.tasks[caller].ns_children.ok_or(Errno::ESRCH)?;
            let pid = self.alloc_pid(ns, args.set_tid, auth)?;
            self.spaces[ns].refs += 1;
            return Ok((ns, pid));
        }
        let ns = self.create_ns(caller, auth)?;
        match self.alloc_pid(ns, args.set_tid, auth) {
            Ok(pid) => Ok((ns, pid)),
            Err(errno) => {
                self.uncreate_ns(ns, auth);
                Err(errno)
            }
        }
    }

    /// The flag checks at the head of the kernel's `copy_process`, in its order.
    fn check_flags(&self, caller: TaskIx, flags: CloneFlags) -> Result<()> {
        let has = |flag| flags.contains(flag);
        let group = &self.groups[self.group_of(caller)];
        let thread_needs = CloneFlags::SIGHAND | CloneFlags::VM;
        let broken = has(CloneFlags::THREAD) && !has(thread_needs)
            || has(CloneFlags::SIGHAND) && !has(CloneFlags::VM)
            || has(CloneFlags::PARENT) && group.has(GroupFlags::UNKILLABLE) // CRE-10
            || has(CloneFlags::PIDFD | CloneFlags::DETACHED)
            || has(CloneFlags::CLEAR_SIGHAND | CloneFlags::SIGHAND);
        let elsewhere = self.tasks[caller].ns_children != Some(self.active_ns(caller));
        let new_space = flags.intersects(CloneFlags::NEWPID | CloneFlags::NEWUSER);
        if broken || has(CloneFlags::THREAD) && (new_space || elsewhere) {
            return Err(Errno::EINVAL); // CRE-07 CRE-08
        }
        Ok(())
    }

    /// Returns the number that the reserved task will have in `viewer`'s namespace.
    pub fn reserved_number(&self, reservation: &Reservation, viewer: TaskId) -> Option<Pid> {
        let viewer = self.task_ix(viewer).ok()?;
        self.nr_in(reservation.pid.ix(), self.active_ns(viewer))
    }

    /// Gives a reservation back. On kernels with that defect this may close a namespace that has no init yet.
    /// // CRE-24
    pub fn abandon(&mut self, reservation: Reservation, sink: Sink<'_, G, T>) {
        let poison = self.config.quirks.contains(Quirks::POISON_FAILED_FIRST_FORK);
        self.give_back(reservation, poison, sink);
    }

    /// Gives a reservation back as if it had never been made: the next clone gets its numbers, unless somebody has later
    /// ones. For a clone that is made anew because a signal came first, which Linux sees before it takes a number (the
    /// head of the kernel's `copy_process`).
    pub fn retract(&mut self, reservation: Reservation, sink: Sink<'_, G, T>) {
        self.unnumber(reservation.pid.ix(), reservation.chosen);
        self.give_back(reservation, false, sink);
    }

    fn give_back(&mut self, reservation: Reservation, poison: bool, sink: Sink<'_, G, T>) {
        let Reservation { caller, task, group, pid, ns_children, .. } = reservation;
        self.tasks[caller].reservations -= 1;
        self.tasks.unclaim(task.ix());
        self.unclaim_group(group);
        self.free_unborn_pid(pid.ix(), poison, sink);
        self.put_ns(ns_children, sink);
    }

    /// Makes the reserved task exist. `group` is called for a process, not for a thread.
    ///
    /// If the namespace was closed or the caller condemned since the reservation, the newborn is killed before its first
    /// instruction, so that a fork storm cannot outrun a zap. // ZAP-30 ZAP-31
    pub fn publish(
        &mut self,
        reservation: Reservation,
        group: impl FnOnce() -> G,
        task: T,
        sink: Sink<'_, G, T>,
    ) -> TaskId {
        let Reservation { caller, ns_children, flags, .. } = reservation;
        let (new, pid) = (reservation.task.ix(), reservation.pid.ix());
        self.tasks[caller].reservations -= 1;
        let group_ix = reservation.group.unwrap_or_else(|| self.group_of(caller));
        let mut entry = Task::new(group_ix, pid, ns_children, task);
        entry.blocked = self.tasks[caller].blocked;
        entry.flags.set(TaskFlags::VFORK, flags.contains(CloneFlags::VFORK));
        self.tasks.fill(new, entry);
        self.attach_tid(pid, new);
        if reservation.group.is_some() {
            self.publish_group(caller, new, group_ix, &reservation, group());
        }
        self.attach_thread(group_ix, new);
        self.pids[pid].watched |= flags.contains(CloneFlags::PIDFD);
        let doomed = self.tasks[caller].flags.contains(TaskFlags::KILLED)
            || !self.spaces[self.pids[pid].ns].is_open();
        if doomed {
            self.kill_newborn(new, sink);
        }
        reservation.task
    }

    fn publish_group(
        &mut self,
        caller: TaskIx,
        leader: TaskIx,
        group: GroupIx,
        from: &Reservation,
        payload: G,
    ) {
        let own = self.group_of(caller);
        let creator = &self.groups[own];
        let sibling = from.flags.contains(CloneFlags::PARENT);
        let parent = if sibling { creator.parent.unwrap_or(caller) } else { caller };
        let (pgrp, session) = (creator.pgrp, creator.session);
        let mut entry = Group::new(leader, None, pgrp, session, payload);
        entry.exit_signal = if sibling { creator.exit_signal } else { from.exit_signal };
        if sibling {
            entry.flags |= creator.flags & GroupFlags::PARENT_EXECED;
        }
        entry.ignored = creator.ignored;
        if !from.flags.contains(CloneFlags::CLEAR_SIGHAND) {
            entry.handled = creator.handled;
            entry.reset_hand = creator.reset_hand;
            entry.flags |= creator.flags & (GroupFlags::NOCLDSTOP | GroupFlags::NOCLDWAIT);
        }
        self.groups.fill(group, entry);
        self.join_pgrp(group, pgrp);
        self.join_session(group, session);
        self.adopt(parent, group);
        if self.pids[from.pid.ix()].nr == 1 {
            self.groups[group].flags |= GroupFlags::UNKILLABLE;
            let ns = self.pids[from.pid.ix()].ns;
            self.spaces[ns].reaper = Some(leader);
        }
    }

    fn kill_newborn(&mut self, task: TaskIx, sink: Sink<'_, G, T>) {
        let group = self.group_of(task);
        if self.groups[group].has(GroupFlags::ENDING) {
            self.kill_thread(task, sink);
        } else {
            self.condemn(group, ExitStatus::signaled(Signal::KILL), sink);
        }
        debug_assert!(self.tasks[task].pending.and(SigSet::of(&[Signal::KILL])) != SigSet::EMPTY);
    }

    /// Reserves and publishes in one go.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    pub fn clone_task(
        &mut self,
        caller: TaskId,
        args: &CloneArgs<'_>,
        auth: &dyn Authority,
        group: impl FnOnce() -> G,
        task: T,
        sink: Sink<'_, G, T>,
    ) -> Result<TaskId> {
        let reservation = self.reserve(caller, args, auth)?;
        Ok(self.publish(reservation, group, task, sink))
    }

    /// Reserves, for a caller who keeps the set borrowed until it publishes; dropping the guard abandons.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    pub fn reserve_guarded<'a>(
        &'a mut self,
        caller: TaskId,
        args: &CloneArgs<'_>,
        auth: &dyn Authority,
        sink: Sink<'a, G, T>,
    ) -> Result<ForkGuard<'a, G, T>> {
        let reservation = self.reserve(caller, args, auth)?;
        Ok(ForkGuard { set: self, sink, reservation: Some(reservation) })
    }
}

/// A reservation that abandons itself when dropped.
#[must_use]
pub struct ForkGuard<'a, G, T> {
    set: &'a mut TaskSet<G, T>,
    sink: Sink<'a, G, T>,
    reservation: Option<Reservation>,
}

impl<G, T> ForkGuard<'_, G, T> {
    /// Makes the task exist.
    pub fn publish(mut self, group: impl FnOnce() -> G, task: T) -> TaskId {
        let reservation =
            self.reservation.take().expect("only publish and drop take it, and both end the guard");
        self.set.publish(reservation, group, task, self.sink)
    }
}

impl<G, T> Drop for ForkGuard<'_, G, T> {
    fn drop(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            self.set.abandon(reservation, self.sink);
        }
    }
}
