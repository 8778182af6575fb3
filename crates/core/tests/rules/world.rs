//! A machine to play a rule on: every call carries its effects out at once and checks all invariants.

use pidns_core::*;

/// A task set with its embedder.
pub(crate) struct World {
    pub(crate) set: TaskSet,
    pub(crate) out: Inline,
    /// The root namespace's init.
    pub(crate) root: TaskId,
}

/// Pid, raw status: what a wait found.
pub(crate) type Waited = Result<Option<(i32, i32)>>;

pub(crate) const HANDLER: Disposition = Disposition::Handler;
pub(crate) const IGNORE: Disposition = Disposition::Ignore;

impl World {
    pub(crate) fn new() -> World {
        World::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> World {
        let mut set = TaskSet::new(config).unwrap();
        let root = set.boot((), ()).unwrap();
        World { set, out: Inline::new(), root }
    }

    /// Runs one call, carries out what follows from it, and checks the table.
    pub(crate) fn call<R>(&mut self, call: impl FnOnce(&mut TaskSet, &mut Inline) -> R) -> R {
        let result = call(&mut self.set, &mut self.out);
        self.out.settle(&mut self.set);
        self.set.check_invariants().unwrap();
        result
    }

    pub(crate) fn try_clone(&mut self, parent: TaskId, args: CloneArgs<'_>) -> Result<TaskId> {
        self.try_clone_as(parent, args, &Root)
    }

    pub(crate) fn try_clone_as(
        &mut self,
        parent: TaskId,
        args: CloneArgs<'_>,
        auth: &dyn Authority,
    ) -> Result<TaskId> {
        self.call(|set, out| set.clone_task(parent, &args, auth, || (), (), out))
    }

    pub(crate) fn try_fork(&mut self, parent: TaskId) -> Result<TaskId> {
        self.try_clone(parent, CloneArgs::fork())
    }

    pub(crate) fn fork(&mut self, parent: TaskId) -> TaskId {
        self.try_fork(parent).unwrap()
    }

    pub(crate) fn thread(&mut self, of: TaskId) -> TaskId {
        self.try_clone(of, CloneArgs::thread()).unwrap()
    }

    /// Makes a namespace below the parent's and returns its init.
    pub(crate) fn init(&mut self, parent: TaskId) -> TaskId {
        self.try_clone(parent, CloneArgs::new_pid_ns()).unwrap()
    }

    pub(crate) fn unshare(&mut self, task: TaskId) -> Result<NsId> {
        self.call(|set, out| set.unshare(task, &Root, out))
    }

    pub(crate) fn setns(&mut self, task: TaskId, ns: NsId) -> Result<()> {
        self.call(|set, out| set.setns(task, ns, &Root, out))
    }

    /// Lets an outer process make a member of the namespace in which `inside` lives; its parent stays outside.
    pub(crate) fn inject(&mut self, outer: TaskId, inside: TaskId) -> TaskId {
        let (own, ns) = (self.ns(outer), self.ns(inside));
        self.setns(outer, ns).unwrap();
        let member = self.fork(outer);
        self.setns(outer, own).unwrap();
        member
    }

    /// Ends one thread with an exit code.
    pub(crate) fn exit(&mut self, task: TaskId, code: i32) -> ExitOutcome {
        self.call(|set, out| set.exit(task, ExitStatus::exited(code), out)).unwrap()
    }

    pub(crate) fn exit_group(&mut self, task: TaskId, code: i32) -> ExitOutcome {
        self.call(|set, out| set.exit_group(task, ExitStatus::exited(code), out)).unwrap()
    }

    pub(crate) fn kill(&mut self, caller: TaskId, pid: i32, signal: Signal) -> Result<()> {
        self.call(|set, out| set.kill(caller, pid, signal.raw(), &Root, out))
    }

    /// Sends a signal to a task by the number that the caller knows it by.
    pub(crate) fn kill_task(&mut self, caller: TaskId, target: TaskId, signal: Signal) {
        let nr = self.seen(target, caller);
        self.kill(caller, nr, signal).unwrap();
    }

    pub(crate) fn action(&mut self, task: TaskId, signal: Signal, disposition: Disposition) {
        self.action_with(task, signal, disposition, ActionFlags::empty());
    }

    pub(crate) fn action_with(
        &mut self,
        task: TaskId,
        signal: Signal,
        to: Disposition,
        flags: ActionFlags,
    ) {
        let group = self.group(task);
        self.call(|set, _| set.sigaction(group, signal, to, flags)).unwrap();
    }

    pub(crate) fn block(&mut self, task: TaskId, blocked: SigSet) {
        self.call(|set, out| set.set_blocked(task, blocked, out)).unwrap();
    }

    pub(crate) fn setsid(&mut self, task: TaskId) -> Result<Pid> {
        self.call(|set, out| set.setsid(task, out))
    }

    pub(crate) fn setpgid(&mut self, caller: TaskId, pid: i32, pgid: i32) -> Result<()> {
        self.call(|set, out| set.setpgid(caller, pid, pgid, out))
    }

    /// waitpid(-1, WNOHANG).
    pub(crate) fn wait(&mut self, caller: TaskId) -> Waited {
        self.wait_for(caller, -1, WaitOptions::empty())
    }

    /// waitpid(pid, options | WNOHANG).
    pub(crate) fn wait_for(&mut self, caller: TaskId, pid: i32, options: WaitOptions) -> Waited {
        let (target, options) = wait_abi::wait4(pid, (options | WaitOptions::NOHANG).bits())?;
        self.wait_on(caller, target, options)
    }

    pub(crate) fn wait_on(
        &mut self,
        caller: TaskId,
        target: WaitTarget,
        options: WaitOptions,
    ) -> Waited {
        match self.call(|set, out| set.wait(caller, target, options | WaitOptions::NOHANG, out))? {
            WaitOutcome::Ready(report) => {
                Ok(Some((Pid::raw_or_zero(report.pid), report.status.raw())))
            }
            WaitOutcome::Nothing => Ok(None),
            WaitOutcome::Block => panic!("WNOHANG was given"),
        }
    }

    pub(crate) fn subreaper(&mut self, task: TaskId) {
        self.set.set_child_subreaper(task, ChildSubreaper::Yes).unwrap();
    }

    pub(crate) fn ns(&self, task: TaskId) -> NsId {
        self.set.ns_of(task).unwrap()
    }

    pub(crate) fn group(&self, task: TaskId) -> GroupId {
        self.set.group(task).unwrap()
    }

    /// The number of `target` as `viewer` sees it, 0 if it does not.
    pub(crate) fn seen(&self, target: TaskId, viewer: TaskId) -> i32 {
        let pid = self.set.tid(target).unwrap();
        Pid::raw_or_zero(self.set.number(pid, self.ns(viewer)))
    }

    pub(crate) fn getpid(&self, task: TaskId) -> i32 {
        self.set.getpid(task).unwrap().raw()
    }

    pub(crate) fn getppid(&self, task: TaskId) -> i32 {
        Pid::raw_or_zero(self.set.getppid(task).unwrap())
    }

    pub(crate) fn getpgrp(&self, task: TaskId) -> i32 {
        Pid::raw_or_zero(self.set.getpgid(task, 0).unwrap())
    }

    pub(crate) fn getsid(&self, task: TaskId) -> i32 {
        Pid::raw_or_zero(self.set.getsid(task, 0).unwrap())
    }

    pub(crate) fn lives(&self, task: TaskId) -> bool {
        self.set.state(task) == Ok(TaskState::Live)
    }

    /// Whether the process of this leader is a zombie as a whole.
    pub(crate) fn is_zombie(&self, leader: TaskId) -> bool {
        self.set.group(leader).and_then(|group| self.set.is_zombie(group)) == Ok(true)
    }

    pub(crate) fn is_gone(&self, task: TaskId) -> bool {
        self.set.state(task) == Err(Errno::ESRCH)
    }

    /// Whether the task is an init in the middle of destroying its namespace.
    pub(crate) fn is_zapping(&self, task: TaskId) -> bool {
        self.set.state(task) == Ok(TaskState::Exiting)
    }

    pub(crate) fn stopped(&self, task: TaskId) -> Option<Signal> {
        self.set.stopped_by(self.group(task)).unwrap()
    }

    /// The information of the last handler that ran in `task`.
    pub(crate) fn handled(&self, task: TaskId) -> Option<SigInfo> {
        self.out.handled.iter().rev().find(|(at, _)| *at == task).map(|(_, info)| *info)
    }
}

/// The raw status of an exit code.
pub(crate) fn exited(code: i32) -> i32 {
    ExitStatus::exited(code).raw()
}

/// The raw status of a death by signal.
pub(crate) fn killed(signal: Signal) -> i32 {
    signal.raw()
}
