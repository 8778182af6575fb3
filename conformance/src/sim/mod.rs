//! The model alone: an embedder of `pidns-core` whose programs are the actors of a script.
//!
//! What the model leaves to its embedder is here, as small as it can be: a program that is told one call at a time and may
//! sleep in it ([`cast`]), descriptors ([`files`]), user space's part of signals ([`deliver`]), and the effects, which are
//! worked off one by one, first come, first served ([`effects`]), as a kernel with one cpu would.

mod calls;
mod cast;
mod chance;
mod deliver;
mod effects;
mod files;
mod make;
mod waits;

use crate::script::call::Request;
use crate::script::case::Need;
use crate::world::{Answer, Event, Outcome, World, WorldError};
use cast::{Actor, Cast, Doing};
use chance::Chance;
use pidns_core::{CloneArgs, Config, Effect, ExitStatus, PidId, Root, SigSet, TaskId, TaskSet};
use std::collections::{BTreeMap, VecDeque};

/// A set of tasks that carries no payload: the cast knows who is who.
type Set = TaskSet<(), ()>;
type Effects = VecDeque<Effect<(), ()>>;

/// The model as a world.
#[derive(Debug)]
pub struct SimWorld {
    set: Set,
    effects: Effects,
    cast: Cast,
    events: Vec<Event>,
    /// How processes ended that a pidfd names.
    ends: BTreeMap<PidId, ExitStatus>,
    /// Who makes the present call.
    caller: usize,
    /// What happened in the last call that may come in another order elsewhere.
    chance: Chance,
    /// Why the model cannot go on.
    broken: Option<String>,
}

/// How far a call got.
enum Progress {
    /// To a result.
    Done(String),
    /// The caller sleeps in it.
    Asleep(cast::Sleep),
    /// The caller is gone, or on its way out.
    Left,
}

impl Default for SimWorld {
    fn default() -> Self {
        Self::new()
    }
}

impl SimWorld {
    /// Makes the world.
    ///
    /// # Panics
    /// If there is no memory for an empty model.
    #[must_use]
    pub fn new() -> Self {
        Self {
            set: new_set(),
            effects: VecDeque::new(),
            cast: Cast::default(),
            events: Vec::new(),
            ends: BTreeMap::new(),
            caller: 0,
            chance: Chance::default(),
            broken: None,
        }
    }

    /// Makes the machine's init, a process like the one that holds the stage on the host, and the first actor.
    fn raise_curtain(&mut self) -> Result<(), pidns_core::Errno> {
        let boot = self.set.boot((), ())?;
        let holder =
            self.set.clone_task(boot, &CloneArgs::fork(), &Root, || (), (), &mut self.effects)?;
        self.set.setsid(holder, &mut self.effects)?;
        self.set.set_blocked(holder, SigSet::ALL, &mut self.effects)?;
        let top = self.set.clone_task(
            holder,
            &CloneArgs::new_pid_ns(),
            &Root,
            || (),
            (),
            &mut self.effects,
        )?;
        self.set.set_blocked(top, SigSet::EMPTY, &mut self.effects)?;
        let group = self.set.group(top)?;
        self.cast.enter(0, Actor::first(top, group));
        self.drain();
        self.events.clear();
        Ok(())
    }

    /// Starts the call of an actor, or keeps it for later if the actor is stopped or on its way out.
    fn start(&mut self, slot: usize, request: &Request) {
        if matches!(self.cast.actor(slot).doing, Doing::Zapping) {
            return;
        }
        if self.is_stopped(slot) {
            self.cast.actor_mut(slot).doing = Doing::Told(request.clone());
            return;
        }
        match self.call(slot, request) {
            Progress::Done(text) => self.finish(slot, text),
            Progress::Asleep(sleep) => self.cast.actor_mut(slot).doing = Doing::Asleep(sleep),
            Progress::Left => {}
        }
    }

    fn task(&self, slot: usize) -> TaskId {
        self.cast.actor(slot).task
    }

    /// Takes the caller's own part out of what happened.
    fn outcome(&mut self, slot: usize) -> Outcome {
        let mut events = std::mem::take(&mut self.events);
        let done = |event: &Event| matches!(event, Event::Done { slot: who, .. } if *who == slot);
        let gone = |event: &Event| *event == Event::Gone { slot };
        let own = events.iter().position(done).or(events.iter().position(gone));
        let answer = match own.map(|index| events.remove(index)) {
            Some(Event::Done { text, .. }) => Answer::Done(text),
            Some(_) => Answer::Gone,
            None => Answer::Blocked,
        };
        Outcome { answer, events }
    }

    fn check(&mut self) {
        if let Err(broken) = self.set.check_invariants() {
            self.broken.get_or_insert(format!("{broken:?}"));
        }
    }
}

fn new_set() -> Set {
    TaskSet::new(Config::default()).expect("an empty model is small")
}

impl World for SimWorld {
    fn name(&self) -> &str {
        "core"
    }

    fn begin(&mut self, _needs: &[Need]) -> Result<(), WorldError> {
        *self = Self::new();
        self.raise_curtain()
            .map_err(|errno| WorldError::Broken(format!("the curtain does not rise: {errno}")))
    }

    fn perform(&mut self, slot: usize, request: &Request) -> Result<Outcome, WorldError> {
        self.events.clear();
        self.chance = Chance::default();
        self.caller = slot;
        self.start(slot, request);
        self.drain();
        self.check();
        match self.broken.take() {
            Some(why) => Err(WorldError::Broken(why)),
            None => Ok(self.outcome(slot)),
        }
    }

    fn end(&mut self) -> Result<(), WorldError> {
        Ok(())
    }
}
