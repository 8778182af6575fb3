//! The start of a job: the first process behind its filter, and a process table with it and nobody else.

use std::collections::{BTreeMap, HashMap};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use pidns_core::{ActionFlags, CloneArgs, Config, Delivery, Disposition, Root, TaskSet};
use pidns_sys::landlock::Ruleset;
use pidns_sys::launch::traced::{self, Traced};
use pidns_sys::launch::{Namespaces, OnFailure, ShellArgs, Step, Strings};
use pidns_sys::ptrace::Tid;
use pidns_sys::seccomp::listener::Listener;
use pidns_sys::signal::Signal;
use pidns_sys::{Errno, fd, pidfd, privilege, socket, system, twin};

use super::affinity::Affinity;
use super::asked::{Questions, Shared};
use super::host::Host;
use super::memory::PathBuffer;
use super::recent::Recent;
use super::site::{Begun, Counts, Sites};
use super::task::{Filter, Stopped, Task};
use super::tracer::{Roster, Tracer};
use super::{birth, filter, robust, signal};
use crate::engine::Spec;
use crate::engine::image::{self, Image, StepList};
use crate::engine::steps::{IdMaps, Steps, as_c_strs, candidates, failed};
use crate::error::{SpawnError, Stage};
use crate::stdio::FLOOR;

/// Who is number 1.
pub(super) enum First {
    /// `pidns-init`.
    Init(Image),
    /// The command; it hands a pidfd of itself to the guard at the other end of this socket.
    Command { guard: OwnedFd },
}

/// What the caller has of a job that has started.
pub(super) struct Started {
    /// Number 1, by the host's number.
    pub(super) init: u32,
    /// Of number 1.
    pub(super) pidfd: OwnedFd,
    /// Where paths are asked about, and what that shares with the tracer.
    pub(super) questions: Option<Questions>,
}

/// Starts number 1 of `spec`. To be called in the twin that is to be the tracer.
pub(super) fn start(
    spec: &Spec,
    first: &First,
    roster: Roster,
) -> Result<(Tracer, Started), SpawnError> {
    twin::adopt_orphans().map_err(engine)?;
    let confinement = Confinement::new()?;
    let traced = match first {
        First::Init(image) => start_init(spec, image, &confinement)?,
        First::Command { guard } => start_command(spec, guard, &confinement)?,
    };
    let init = traced.tid.number().unsigned_abs();
    // It is traced and not collected, so the number is its own.
    let pidfd = pidfd::open(init).map_err(engine)?;
    let mut tracer = table(traced.tid, roster, &confinement)?;
    let listener = confinement.listener()?;
    tracer.listening = listener.is_some();
    let questions = listener.map(|listener| (listener, Arc::clone(&tracer.shared)));
    tracer.image = matches!(first, First::Init(_)).then_some(traced.tid);
    // It has stopped at its exec.
    Stopped::new(traced.tid).run();
    Ok((tracer, Started { init, pidfd, questions }))
}

fn engine(errno: Errno) -> SpawnError {
    SpawnError::new(Stage::Engine, errno)
}

/// What keeps a job inside.
struct Confinement {
    filter: pidns_sys::seccomp::Program,
    /// What call sites that look at paths themselves are known by: see [`site`](super::site).
    key: Option<u64>,
    /// How the filter's listener comes to us, if it has one: ours, and the first process's.
    sockets: Option<(OwnedFd, OwnedFd)>,
    /// Where the kernel has it.
    landlock: Option<Ruleset>,
    /// With privilege no promise is needed, and setuid programs work.
    privileged: bool,
    ignores_children: bool,
}

impl Confinement {
    fn new() -> Result<Self, SpawnError> {
        let host = Host::probe();
        let sockets = host.listening.then(sockets).transpose().map_err(engine)?;
        let landlock = Ruleset::signals_stay_inside().ok();
        let key = (host.listening && landlock.is_some()).then(system::random).transpose();
        let key = key.map_err(engine)?;
        Ok(Self {
            filter: filter::program(host, key),
            key,
            sockets,
            landlock,
            privileged: privilege::has_sys_admin().map_err(engine)?,
            ignores_children: host.ignores_children,
        })
    }

    /// Adds the steps: all that comes after them has to pass the filter.
    fn add<'a>(&'a self, list: &mut StepList<'a>, stages: &mut Vec<Stage>) {
        let mut add = |step, on_failure| {
            list.push((step, on_failure));
            stages.push(Stage::Engine);
        };
        if !self.privileged {
            add(Step::NoNewPrivileges, OnFailure::Fail);
        }
        if let Some(ruleset) = &self.landlock {
            add(Step::Restrict(ruleset), OnFailure::Skip);
        }
        let program = &self.filter;
        let filter = match &self.sockets {
            None => Step::Filter(program),
            Some((_, socket)) => Step::FilterListening { program, socket: socket.as_raw_fd() },
        };
        add(filter, OnFailure::Fail);
    }

    /// The listener that the first process has sent.
    fn listener(self) -> Result<Option<Listener>, SpawnError> {
        let Some((ours, _)) = self.sockets else { return Ok(None) };
        let (_, listener) = socket::receive_with_descriptor(ours, &mut [0]).map_err(engine)?;
        listener.map(Listener::new).transpose().map_err(engine)
    }
}

/// A pair, the other end of which is where the first process puts no other descriptor.
fn sockets() -> pidns_sys::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socket::pair()?;
    Ok((ours, fd::at_or_above(theirs, FLOOR)?))
}

fn start_init(spec: &Spec, image: &Image, confinement: &Confinement) -> Result<Traced, SpawnError> {
    let maps = IdMaps::new(spec.map);
    let mut steps = Steps::new(Namespaces::empty(), spec, &maps);
    steps.stdio(spec);
    let env = Strings::new(as_c_strs(&spec.env));
    let args = image::arguments(&spec.args);
    let (mut list, mut stages) = image.finish(steps, &args, &env)?;
    launch_behind(confinement, &mut list, &mut stages)
}

fn start_command(
    spec: &Spec,
    guard: &OwnedFd,
    confinement: &Confinement,
) -> Result<Traced, SpawnError> {
    let maps = IdMaps::new(spec.map);
    let env = Strings::new(as_c_strs(&spec.env));
    let paths = candidates(&spec.args[0], &spec.env);
    let paths: Vec<&CStr> = as_c_strs(&paths).collect();
    let args = Strings::new(as_c_strs(&spec.args));
    let shell = ShellArgs::new(&args);
    let mut steps = Steps::new(Namespaces::empty(), spec, &maps);
    steps.push(Stage::Guard, Step::Introduce(guard.as_raw_fd()));
    steps.stdio(spec);
    steps.close_others();
    steps.push(Stage::Arguments, Step::DefaultAction(Signal::PIPE));
    steps.push(Stage::Arguments, Step::SignalMask(spec.mask));
    steps.push(Stage::Exec, Step::Execute { paths: &paths, args: &args, env: &env, shell: &shell });
    let Steps { mut list, mut stages, .. } = steps;
    launch_behind(confinement, &mut list, &mut stages)
}

/// Puts the filter before the exec, which is the last step.
fn launch_behind<'a>(
    confinement: &'a Confinement,
    list: &mut StepList<'a>,
    stages: &mut Vec<Stage>,
) -> Result<Traced, SpawnError> {
    let (exec, stage) = (list.pop(), stages.pop());
    confinement.add(list, stages);
    list.extend(exec);
    stages.extend(stage);
    traced::launch_traced(robust::options(true), list).map_err(|failure| match failure.step {
        None => SpawnError::new(Stage::Engine, failure.errno),
        Some(_) => failed(failure, stages),
    })
}

/// The process table at the start: the tracer as number 1 of level 0, and its child as number 1 of level 1.
fn table(init: Tid, roster: Roster, confinement: &Confinement) -> Result<Tracer, SpawnError> {
    let core = |error: pidns_core::Errno| engine(super::call::errno(error));
    let own = i32::try_from(std::process::id()).ok().and_then(Tid::new);
    let own = own.ok_or_else(|| engine(Errno::SRCH))?;
    let config = Config { delivery: Delivery::Host, ..Config::default() };
    let mut set = TaskSet::new(config).map_err(core)?;
    let mut effects = Vec::new();
    let outside = set.boot(own, own).map_err(core)?;
    let args = CloneArgs::new_pid_ns();
    let id = set.clone_task(outside, &args, &Root, || init, init, &mut effects).map_err(core)?;
    let home = set.ns_of(id).map_err(core)?;
    let mut tracer = Tracer {
        set,
        effects,
        tasks: HashMap::new(),
        processes: HashMap::new(),
        zombies: HashMap::new(),
        births: HashMap::new(),
        stillborn: HashMap::new(),
        clones: 0,
        outside,
        home,
        roster,
        dying: Vec::new(),
        patience: 0,
        killed: Vec::new(),
        recent: Recent::new(),
        image: None,
        init: Some(init),
        ended: None,
        namespaces: BTreeMap::new(),
        own,
        uid: privilege::effective_uid(),
        one_user: true,
        ghosts: 0,
        filters: Filter::ALL.map(|filter| filter::more(filter).to_bytes()),
        affinity: Affinity::new(),
        listening: false,
        shared: Arc::new(Shared::new(confinement.key.map(Sites::new))),
        begun: Begun::default(),
        asked: Counts::new(),
        paths: PathBuffer::default(),
        cursors: BTreeMap::new(),
    };
    tracer.tasks.insert(init, Task::new(id, init));
    let process = birth::describe(&tracer, init, own).ok_or_else(|| engine(Errno::SRCH))?;
    tracer.processes.insert(init, process);
    signal::trust_host(&mut tracer, init);
    if confinement.ignores_children {
        signal::children(&mut tracer, init, Disposition::Ignore, ActionFlags::empty());
    }
    Ok(tracer)
}
