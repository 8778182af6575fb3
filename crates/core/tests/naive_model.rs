//! Random sequences against a naive model that shares no code with the crate: processes as plain records, namespaces as
//! counters, and the end of a namespace as "repeat until nothing changes".
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use pidns_core::*;
use proptest::prelude::*;
use proptest::strategy::Union;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

type Id = usize;

#[derive(Clone, Debug, PartialEq)]
enum Life {
    Lives,
    /// An init that waits for its members, with its status.
    Ending(i32),
    Zombie(i32),
}

#[derive(Clone, Debug)]
struct Process {
    parent: Id,
    /// Oldest first, adopted ones last.
    children: Vec<Id>,
    /// Namespace and number, outermost first.
    numbers: Vec<(usize, i32)>,
    subreaper: bool,
    life: Life,
}

#[derive(Clone, Debug)]
struct Namespace {
    last: i32,
    init: Id,
    parent: Option<usize>,
}

/// The naive machine. Process 0 is the root's init and namespace 0 the root.
#[derive(Clone, Debug)]
struct Model {
    processes: BTreeMap<Id, Process>,
    namespaces: Vec<Namespace>,
    next: Id,
    /// What the last wait answered: number and status.
    waited: Option<std::result::Result<Option<(i32, i32)>, Errno>>,
}

#[derive(Clone, Debug)]
enum Step {
    Fork(Id),
    NewNs(Id),
    /// An outer process forks into a namespace below its own.
    Inject(Id, usize),
    Exit(Id, i32),
    /// SIGKILL from one to another.
    Kill(Id, Id),
    Subreaper(Id),
    Wait(Id),
}

impl Model {
    fn new() -> Model {
        let init = Process {
            parent: 0,
            children: vec![],
            numbers: vec![(0, 1)],
            subreaper: false,
            life: Life::Lives,
        };
        Model {
            processes: BTreeMap::from([(0, init)]),
            namespaces: vec![Namespace { last: 1, init: 0, parent: None }],
            next: 1,
            waited: None,
        }
    }

    fn living(&self) -> Vec<Id> {
        self.processes
            .iter()
            .filter(|(_, process)| process.life == Life::Lives)
            .map(|(&id, _)| id)
            .collect()
    }

    fn home(&self, id: Id) -> usize {
        self.processes[&id].numbers.last().unwrap().0
    }

    fn number(&self, id: Id, ns: usize) -> i32 {
        self.processes[&id].numbers.iter().find(|(at, _)| *at == ns).map_or(0, |&(_, nr)| nr)
    }

    fn is_open(&self, ns: usize) -> bool {
        self.processes.get(&self.namespaces[ns].init).is_some_and(|init| init.life == Life::Lives)
    }

    fn spawn(&mut self, parent: Id, ns: usize) {
        let chain: Vec<usize> =
            std::iter::successors(Some(ns), |&ns| self.namespaces[ns].parent).collect();
        let mut numbers = Vec::new();
        for &ns in chain.iter().rev() {
            self.namespaces[ns].last += 1;
            numbers.push((ns, self.namespaces[ns].last));
        }
        let (id, children) = (self.next, vec![]);
        self.next += 1;
        self.processes
            .insert(id, Process { parent, children, numbers, subreaper: false, life: Life::Lives });
        self.processes.get_mut(&parent).unwrap().children.push(id);
    }

    fn end(&mut self, id: Id, status: i32) {
        let home = self.home(id);
        let is_init = self.namespaces[home].init == id;
        self.processes.get_mut(&id).unwrap().life =
            if is_init { Life::Ending(status) } else { Life::Zombie(status) };
        while self.settle_once() {}
    }

    /// Makes one consequence happen; `false` if there is none.
    fn settle_once(&mut self) -> bool {
        for id in self.processes.keys().copied().collect::<Vec<_>>() {
            let process = self.processes[&id].clone();
            match process.life {
                Life::Ending(status) => {
                    let home = self.home(id);
                    let mut members = self
                        .processes
                        .keys()
                        .copied()
                        .filter(|&m| m != id && self.number(m, home) > 0);
                    let members: Vec<Id> = members.by_ref().collect();
                    if let Some(&victim) =
                        members.iter().find(|m| self.processes[m].life == Life::Lives)
                    {
                        self.end(victim, 9);
                        return true;
                    }
                    if members.is_empty() {
                        self.processes.get_mut(&id).unwrap().life = Life::Zombie(status);
                        return true;
                    }
                }
                Life::Zombie(_) => {
                    if !process.children.is_empty() {
                        let heir = self.heir(id);
                        for child in process.children {
                            self.processes.get_mut(&child).unwrap().parent = heir;
                            self.processes.get_mut(&heir).unwrap().children.push(child);
                        }
                        self.processes.get_mut(&id).unwrap().children.clear();
                        return true;
                    }
                    if matches!(self.processes[&process.parent].life, Life::Ending(_)) {
                        self.reap(id);
                        return true;
                    }
                }
                Life::Lives => {}
            }
        }
        false
    }

    fn heir(&self, dead: Id) -> Id {
        let level = self.processes[&dead].numbers.len();
        let mut at = self.processes[&dead].parent;
        while at != 0 && self.processes[&at].numbers.len() == level {
            if self.processes[&at].subreaper && self.processes[&at].life == Life::Lives {
                return at;
            }
            at = self.processes[&at].parent;
        }
        self.namespaces[self.home(dead)].init
    }

    fn reap(&mut self, id: Id) {
        let gone = self.processes.remove(&id).unwrap();
        self.processes.get_mut(&gone.parent).unwrap().children.retain(|&child| child != id);
    }

    fn wait(&mut self, id: Id) -> std::result::Result<Option<(i32, i32)>, Errno> {
        let children = self.processes[&id].children.clone();
        if children.is_empty() {
            return Err(Errno::ECHILD);
        }
        for child in children {
            if let Life::Zombie(status) = self.processes[&child].life {
                let number = self.number(child, self.home(id));
                self.reap(child);
                while self.settle_once() {}
                return Ok(Some((number, status)));
            }
        }
        Ok(None)
    }
}

impl ReferenceStateMachine for Model {
    type State = Model;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Model> {
        Just(Model::new()).boxed()
    }

    fn transitions(state: &Model) -> BoxedStrategy<Step> {
        let someone = || proptest::sample::select(state.living());
        let mut steps = vec![
            (6, someone().prop_map(Step::Fork).boxed()),
            (5, someone().prop_map(Step::Wait).boxed()),
            (1, someone().prop_map(Step::Subreaper).boxed()),
            (2, (someone(), someone()).prop_map(|(from, to)| Step::Kill(from, to)).boxed()),
            (
                3,
                (someone(), 0..state.namespaces.len())
                    .prop_map(|(who, ns)| Step::Inject(who, ns))
                    .boxed(),
            ),
            (4, (someone(), 0..200).prop_map(|(who, code)| Step::Exit(who, code)).boxed()),
        ];
        if state.namespaces.len() < 6 {
            steps.push((3, someone().prop_map(Step::NewNs).boxed()));
        }
        Union::new_weighted(steps).boxed()
    }

    fn preconditions(state: &Model, step: &Step) -> bool {
        let lives =
            |id: &Id| state.processes.get(id).is_some_and(|process| process.life == Life::Lives);
        match step {
            Step::Fork(who) | Step::NewNs(who) | Step::Subreaper(who) | Step::Wait(who) => {
                lives(who)
            }
            Step::Exit(who, _) => *who != 0 && lives(who),
            Step::Kill(from, to) => {
                lives(from) && lives(to) && state.number(*to, state.home(*from)) > 0
            }
            Step::Inject(who, ns) => {
                let below = |ns: &usize| *ns < state.namespaces.len() && state.is_open(*ns);
                let home = |who| state.home(who);
                lives(who)
                    && below(ns)
                    && std::iter::successors(Some(*ns), |&at| state.namespaces[at].parent)
                        .any(|at| at == home(*who))
            }
        }
    }

    fn apply(mut state: Model, step: &Step) -> Model {
        state.waited = None;
        match *step {
            Step::Fork(who) => state.spawn(who, state.home(who)),
            Step::NewNs(who) => {
                let parent = Some(state.home(who));
                state.namespaces.push(Namespace { last: 0, init: state.next, parent });
                state.spawn(who, state.namespaces.len() - 1);
            }
            Step::Inject(who, ns) => state.spawn(who, ns),
            Step::Exit(who, code) => state.end(who, code << 8),
            Step::Kill(from, to) => {
                let home = state.home(to);
                let protected =
                    state.namespaces[home].init == to && (state.home(from) == home || to == 0);
                if !protected {
                    state.end(to, 9);
                }
            }
            Step::Subreaper(who) => state.processes.get_mut(&who).unwrap().subreaper = true,
            Step::Wait(who) => state.waited = Some(state.wait(who)),
        }
        state
    }
}

/// The real thing, with the model's names for tasks and namespaces.
struct Real {
    set: TaskSet,
    out: Inline,
    tasks: Vec<TaskId>,
    namespaces: Vec<NsId>,
    waited: Option<std::result::Result<Option<(i32, i32)>, Errno>>,
}

impl Real {
    fn clone_task(&mut self, parent: Id, args: CloneArgs<'_>) {
        let task = self
            .set
            .clone_task(self.tasks[parent], &args, &Root, || (), (), &mut self.out)
            .unwrap();
        self.tasks.push(task);
    }

    fn apply_step(&mut self, step: &Step) {
        self.waited = None;
        match *step {
            Step::Fork(who) => self.clone_task(who, CloneArgs::fork()),
            Step::NewNs(who) => {
                self.clone_task(who, CloneArgs::new_pid_ns());
                self.namespaces.push(self.set.ns_of(*self.tasks.last().unwrap()).unwrap());
            }
            Step::Inject(who, ns) => {
                let (task, target) = (self.tasks[who], self.namespaces[ns]);
                let own = self.set.ns_of(task).unwrap();
                self.set.setns(task, target, &Root, &mut self.out).unwrap();
                self.clone_task(who, CloneArgs::fork());
                self.set.setns(task, own, &Root, &mut self.out).unwrap();
            }
            Step::Exit(who, code) => {
                self.set.exit(self.tasks[who], ExitStatus::exited(code), &mut self.out).unwrap();
            }
            Step::Kill(from, to) => {
                let ns = self.set.ns_of(self.tasks[from]).unwrap();
                let nr = self.set.number(self.set.tid(self.tasks[to]).unwrap(), ns).unwrap().raw();
                self.set
                    .kill(self.tasks[from], nr, Signal::KILL.raw(), &Root, &mut self.out)
                    .unwrap();
            }
            Step::Subreaper(who) => {
                self.set.set_child_subreaper(self.tasks[who], ChildSubreaper::Yes).unwrap()
            }
            Step::Wait(who) => {
                let options = WaitOptions::EXITED | WaitOptions::NOHANG;
                let outcome =
                    self.set.wait(self.tasks[who], WaitTarget::Any, options, &mut self.out);
                self.waited = Some(outcome.map(|outcome| match outcome {
                    WaitOutcome::Ready(report) => {
                        Some((Pid::raw_or_zero(report.pid), report.status.raw()))
                    }
                    _ => None,
                }));
            }
        }
        self.out.settle(&mut self.set);
    }

    fn life(&self, id: Id) -> Option<Life> {
        let task = self.tasks[id];
        let group = self.set.group(task).ok()?;
        let status = || self.set.exit_status(group).unwrap().unwrap().raw();
        Some(match self.set.state(task).ok()? {
            TaskState::Live => Life::Lives,
            TaskState::Exiting => Life::Ending(status()),
            TaskState::Zombie => Life::Zombie(status()),
        })
    }
}

impl StateMachineTest for Real {
    type SystemUnderTest = Real;
    type Reference = Model;

    fn init_test(_: &Model) -> Real {
        let mut set = TaskSet::new(Config::default()).unwrap();
        let root = set.boot((), ()).unwrap();
        let namespaces = vec![set.root()];
        Real { set, out: Inline::new(), tasks: vec![root], namespaces, waited: None }
    }

    fn apply(mut real: Real, _: &Model, step: Step) -> Real {
        real.apply_step(&step);
        real
    }

    fn check_invariants(real: &Real, model: &Model) {
        real.set.check_invariants().unwrap();
        assert_eq!(real.waited, model.waited);
        for id in 0..real.tasks.len() {
            let process = model.processes.get(&id);
            assert_eq!(real.life(id), process.map(|process| process.life.clone()), "process {id}");
            let Some(process) = process else { continue };
            let pid = real.set.tid(real.tasks[id]).unwrap();
            for (ns, &name) in real.namespaces.iter().enumerate() {
                assert_eq!(
                    Pid::raw_or_zero(real.set.number(pid, name)),
                    model.number(id, ns),
                    "process {id} in {ns}"
                );
            }
            let parent = real.set.parent(real.tasks[id]).unwrap();
            assert_eq!(parent, (id != 0).then(|| real.tasks[process.parent]), "parent of {id}");
        }
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_sequences_agree_with_a_naive_model(sequential 1..60 => Real);
}
