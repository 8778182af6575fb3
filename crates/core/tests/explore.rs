//! Bounded exhaustive exploration: every order of operations up to a depth, on a small world with nested namespaces,
//! with every invariant checked in every state. Unlike in the other tests, what a killed task or a woken init does is
//! an operation of its own here, so that all interleavings with it are seen.
//!
//! States are canonical: tasks are named by their place in the family tree and numbers by their order, so that two
//! ways to the same situation count once. A planted bug must be found.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{HashSet, VecDeque};
use std::fmt::Write;

use pidns_core::check::Bug;
use pidns_core::*;

/// Most tasks alive at a time: more than the host's shell, an outer init, a nested init and two members.
const MOST_TASKS: usize = 6;

#[derive(Clone)]
struct State {
    set: TaskSet,
    /// Tasks that were told to go on with the end of their namespace.
    woken: Vec<TaskId>,
    /// What an operation did that it must not.
    wrong: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Fork,
    NewNs,
    Thread,
    Exit,
    ExitGroup,
    KillAll,
    Wait,
    Setpgid,
    JoinParentsGroup,
    Inject,
    Resume,
    Setsid,
    Subreaper,
    Exec,
}

const OPS: [Op; 14] = [
    Op::Fork,
    Op::NewNs,
    Op::Thread,
    Op::Exit,
    Op::ExitGroup,
    Op::KillAll,
    Op::Wait,
    Op::Setpgid,
    Op::JoinParentsGroup,
    Op::Inject,
    Op::Resume,
    Op::Setsid,
    Op::Subreaper,
    Op::Exec,
];

impl State {
    /// A host with a shell, a namespace with one member, and a nested one in it.
    fn new(bug: Option<Bug>) -> State {
        let mut out = Vec::new();
        let mut set = TaskSet::new(Config::default()).unwrap();
        set.plant(bug);
        let host = set.boot((), ()).unwrap();
        let mut clone =
            |from, args| set.clone_task(from, &args, &Root, || (), (), &mut out).unwrap();
        let shell = clone(host, CloneArgs::fork());
        let init = clone(shell, CloneArgs::new_pid_ns());
        clone(init, CloneArgs::new_pid_ns());
        State { set, woken: Vec::new(), wrong: None }
    }

    /// Plays one operation; `None` if it is not possible or changes nothing.
    fn play(&self, task: TaskId, op: Op) -> Option<State> {
        let mut next = self.clone();
        let mut out: Vec<Effect> = Vec::new();
        let set = &mut next.set;
        let killed = set.is_killed(task);
        if killed && !matches!(op, Op::Exit) {
            return None; // It runs no more calls.
        }
        if set.state(task) != Ok(TaskState::Live) && !matches!(op, Op::Resume) {
            return None;
        }
        let room = set.task_count() < MOST_TASKS;
        let status = ExitStatus::exited(0);
        let done = match op {
            Op::Fork if room => {
                set.clone_task(task, &CloneArgs::fork(), &Root, || (), (), &mut out).is_ok()
            }
            Op::NewNs if room => {
                set.clone_task(task, &CloneArgs::new_pid_ns(), &Root, || (), (), &mut out).is_ok()
            }
            Op::Thread if room => {
                set.clone_task(task, &CloneArgs::thread(), &Root, || (), (), &mut out).is_ok()
            }
            Op::Inject if room => inject(set, task, &mut out),
            Op::Fork | Op::NewNs | Op::Thread | Op::Inject => false,
            Op::Exit => set
                .exit(task, status, &mut out)
                .is_ok_and(|outcome| outcome != ExitOutcome::Panicked),
            Op::ExitGroup => {
                set.exit_group(task, status, &mut out).is_ok_and(|end| end != ExitOutcome::Panicked)
            }
            Op::KillAll => {
                let safe = kill_all(set, task, &mut out);
                next.wrong = (!safe).then(|| format!("{task:?} killed its own init"));
                true
            }
            Op::Wait => {
                let options = WaitOptions::EXITED | WaitOptions::NOHANG | WaitOptions::ALL;
                matches!(
                    set.wait(task, WaitTarget::Any, options, &mut out),
                    Ok(WaitOutcome::Ready(_))
                )
            }
            Op::Setpgid => set.setpgid(task, 0, 0, &mut out).is_ok(),
            Op::JoinParentsGroup => join_childs_group(set, task, &mut out),
            Op::Setsid => set.setsid(task, &mut out).is_ok(),
            Op::Subreaper => set.set_child_subreaper(task, ChildSubreaper::Yes).is_ok(),
            Op::Exec => set.exec(task, &mut out).is_ok(),
            Op::Resume => {
                let woken = next.woken.iter().position(|&woken| woken == task);
                woken.is_some_and(|at| {
                    next.woken.remove(at);
                    set.exit_resume(task, &mut out).is_ok()
                })
            }
        };
        for effect in out {
            if let Effect::ZapReady { task } = effect {
                next.woken.push(task);
            }
        }
        done.then_some(next)
    }

    /// What must hold beyond the table's own invariants.
    fn check(&self) -> std::result::Result<(), String> {
        self.set.check_invariants()?;
        if let Some(wrong) = &self.wrong {
            return Err(wrong.clone());
        }
        for ns in self.set.namespaces().filter(|&ns| ns != self.set.root()) {
            self.check_report(ns)?;
            if let Some(NsState::Zapping(step)) = self.set.ns_state(ns) {
                self.check_zap(ns, step)?;
            }
        }
        Ok(())
    }

    /// Init is not told of as long as a member is left. ZAP-06
    fn check_report(&self, ns: NsId) -> std::result::Result<(), String> {
        let Some(init) = self.set.find_task(ns, Pid::INIT) else { return Ok(()) };
        let ended = self.set.is_zombie(self.set.group(init).unwrap()).unwrap();
        match self.set.ns_pid_count(ns).unwrap() {
            count if ended && count > 1 => {
                Err(format!("init of {ns:?} has ended, {count} numbers are taken"))
            }
            _ => Ok(()),
        }
    }

    /// After the kill stage every member is condemned. ZAP-02 ZAP-09
    fn check_zap(&self, ns: NsId, step: ZapStep) -> std::result::Result<(), String> {
        let member = |task: &TaskId| {
            let nr = self.set.number(self.set.tid(*task).unwrap(), ns);
            let spared = self.set.state(*task) == Ok(TaskState::Live) && !self.set.is_killed(*task);
            nr.is_some() && spared
        };
        match self.set.tasks().find(member) {
            Some(spared) if step >= ZapStep::ReapOwn => {
                Err(format!("{spared:?} of {ns:?} is spared"))
            }
            _ => Ok(()),
        }
    }

    /// Writes the state down so that equal situations read equal: tasks in the order of their numbers in the root
    /// namespace, and each relation as the rank of the other side.
    fn canonical(&self) -> String {
        let set = &self.set;
        let root = set.root();
        let mut pids = Vec::new();
        let mut at = Some(Pid::INIT);
        while let Some((nr, pid)) = at.and_then(|from| set.next_pid(root, from)) {
            pids.push((nr, pid));
            at = Pid::from_raw(nr.raw() + 1);
        }
        let rank = |pid: PidId| {
            pids.iter().position(|&(_, other)| other == pid).map_or(-1, |rank| rank as i32)
        };
        let rank_of = |task: TaskId| rank(set.tid(task).unwrap());
        let mut text = String::new();
        for &(_, pid) in &pids {
            let Some(task) = set.pidfd_task(pid) else {
                write!(text, "held;").unwrap();
                continue;
            };
            let group = set.group(task).unwrap();
            let ns = set.ns_of(task).unwrap();
            let parent = set.parent(task).unwrap().map_or(-1, rank_of);
            let (pgrp, session) =
                (rank(set.pgrp(group).unwrap()), rank(set.session(group).unwrap()));
            let init = set.number(pid, ns) == Some(Pid::INIT);
            let leader = rank_of(set.leader(group).unwrap());
            let ended = set.exit_status(group).unwrap().is_some();
            let subreaper = set.child_subreaper(task) == Ok(ChildSubreaper::Yes);
            let woken = self.woken.contains(&task);
            let (state, killed) = (set.state(task).unwrap(), set.is_killed(task));
            let (level, life) = (set.ns_level(ns).unwrap(), set.ns_state(ns));
            write!(
                text,
                "{parent},{leader},{pgrp},{session},{level},{life:?},{init},{state:?},{killed},{ended},{subreaper},{woken};"
            )
            .unwrap();
        }
        text
    }
}

/// An outer process makes a member in the namespace of the first process below it that is an init.
fn inject(set: &mut TaskSet, task: TaskId, out: &mut Vec<Effect>) -> bool {
    let own = set.ns_of(task).unwrap();
    let level = set.ns_level(own).unwrap();
    let below = set
        .namespaces()
        .find(|&ns| set.ns_level(ns) == Ok(level + 1) && set.ns_parent(task, ns) == Ok(own));
    let Some(below) = below else { return false };
    let entered = set.setns(task, below, &Root, out).is_ok();
    let made = entered && set.clone_task(task, &CloneArgs::fork(), &Root, || (), (), out).is_ok();
    set.setns(task, own, &Root, out).unwrap();
    made
}

/// SIGKILL to every process with a number in the caller's namespace, its init too; says whether that is unharmed, as it
/// must be. SIG-01
fn kill_all(set: &mut TaskSet, task: TaskId, out: &mut Vec<Effect>) -> bool {
    let init = set.child_reaper(set.ns_of(task).unwrap()).unwrap();
    let before = set.is_killed(init);
    set.kill(task, 1, Signal::KILL.raw(), &Root, out).unwrap();
    let _nobody_else = set.kill(task, -1, Signal::KILL.raw(), &Root, out);
    set.is_killed(init) == before
}

/// Moves the caller into the process group of its first child: across namespaces too, as ZAP-21 and ZAP-22 need it.
fn join_childs_group(set: &mut TaskSet, task: TaskId, out: &mut Vec<Effect>) -> bool {
    let ns = set.ns_of(task).unwrap();
    let Some(child) = set.child_groups(task).next() else { return false };
    let Some(nr) = set.number(set.tgid(child).unwrap(), ns) else { return false };
    let _ = set.setpgid(task, nr.raw(), 0, out);
    set.setpgid(task, 0, nr.raw(), out).is_ok()
}

/// Visits every state that `depth` operations reach; returns how many there are, or what is wrong and how to get there.
fn explore(depth: usize, bug: Option<Bug>) -> std::result::Result<usize, String> {
    let start = State::new(bug);
    let mut seen = HashSet::from([start.canonical()]);
    let mut queue = VecDeque::from([(start, Vec::new())]);
    while let Some((state, path)) = queue.pop_front() {
        if path.len() == depth {
            continue;
        }
        for task in state.set.tasks().collect::<Vec<_>>() {
            for op in OPS {
                let Some(next) = state.play(task, op) else { continue };
                let step = (
                    state.set.number(state.set.tid(task).unwrap(), state.set.root()).unwrap().raw(),
                    op,
                );
                next.check().map_err(|wrong| format!("{wrong}\nafter {path:?}, then {step:?}"))?;
                if seen.insert(next.canonical()) {
                    let path = path.iter().copied().chain([step]).collect();
                    queue.push_back((next, path));
                }
            }
        }
    }
    Ok(seen.len())
}

/// Depth of the search, by `PIDNS_EXPLORE_DEPTH` for a longer one.
fn depth() -> usize {
    std::env::var("PIDNS_EXPLORE_DEPTH").ok().and_then(|depth| depth.parse().ok()).unwrap_or(4)
}

#[test]
fn every_interleaving_keeps_every_invariant() {
    let states = explore(depth(), None).unwrap();
    println!("explored: {states} states at depth {}", depth());
    assert!(states > 1_000, "the search is too small to mean anything: {states}");
}

#[test]
fn every_planted_bug_is_found() {
    let bugs = [
        Bug::ZapWhenTheLeaderExits,
        Bug::ZapSparesNestedInits,
        Bug::ZapForgetsTheCount,
        Bug::InitDiesFromInside,
    ];
    for bug in bugs {
        let found = explore(3, Some(bug));
        let found = found.expect_err(&format!("{bug:?} must be noticed"));
        println!("{bug:?}: {found}");
    }
}
