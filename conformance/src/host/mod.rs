//! Real processes on the kernel of the host, or under an engine that is given as a prefix.
//!
//! The director (this file) sends requests to actors ([`actor`]) over channels that they inherit, and learns from /proc when
//! all are at rest ([`rest`], [`watch`]). [`place`] has the worlds of the ptrace engine. [`stagehand`] keeps the process that makes the first actor of each case.

pub mod actor;
pub mod place;
mod rest;
mod stagehand;
mod watch;

use crate::script::call::Request;
use crate::script::case::Need;
use crate::script::verb::{Reach, Verb};
use crate::world::{Answer, Event, Outcome, World, WorldError};
use pidns_sys::raw;
use pidns_sys::raw::channel::Near;
use pidns_testkit::user;
use rest::Player;
use stagehand::{SLOTS, Stagehand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use watch::{Leavers, Watched};

/// How long a world may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(40);

/// How often to look at least: on a busy machine the director may not get to run for long.
const FEWEST_LOOKS: u32 = 1000;

/// The host, or an engine on it.
#[derive(Debug)]
pub struct HostWorld {
    name: String,
    prefix: Vec<OsString>,
    program: Option<PathBuf>,
    /// Why nothing can be played here.
    closed: Option<String>,
    #[expect(dead_code, reason = "it is kept to be dropped with the world")]
    programs: Option<user::Reachable>,
    stagehand: Option<Stagehand>,
    actors: Vec<Player>,
    leavers: Leavers,
}

/// A call in progress.
struct Scene {
    caller: usize,
    verb: Verb,
    answer: Option<String>,
    events: Vec<Event>,
}

impl HostWorld {
    /// Makes the world `name` whose actors run under the command `prefix`, which may be empty.
    #[must_use]
    pub fn new(name: &str, prefix: Vec<OsString>) -> Self {
        Self {
            name: name.to_owned(),
            prefix,
            program: None,
            closed: None,
            programs: None,
            stagehand: None,
            actors: Vec::new(),
            leavers: Leavers::default(),
        }
    }

    /// Takes the actors from `program`, a copy of this one, instead of the program that runs.
    #[must_use]
    pub fn with_program(self, program: impl Into<PathBuf>) -> Self {
        Self { program: Some(program.into()), ..self }
    }

    /// Keeps `programs` for as long as it plays.
    #[must_use]
    pub fn keeping(self, programs: user::Reachable) -> Self {
        Self { programs: Some(programs), ..self }
    }

    /// Skips every case, and says `why`.
    #[must_use]
    pub fn closed(self, why: String) -> Self {
        Self { closed: Some(why), ..self }
    }

    fn stagehand(&self) -> Result<&Stagehand, WorldError> {
        self.stagehand.as_ref().ok_or_else(|| WorldError::Broken("no stage".to_owned()))
    }

    /// Takes in what the actors have said.
    fn listen(&mut self, scene: &mut Scene) -> Result<(), WorldError> {
        for slot in 0..self.actors.len() {
            while let Some(message) = self.stagehand()?.slots[slot].0.receive_now()? {
                self.heard(scene, slot, &message.text, message.sender);
            }
        }
        Ok(())
    }

    fn heard(&mut self, scene: &mut Scene, slot: usize, text: &str, sender: i32) {
        match text.split_once(' ') {
            Some(("hello", number)) => self.born(scene, slot, number, sender),
            Some(("exec", number)) => {
                self.reborn(scene, slot, sender);
                self.born(scene, slot, number, sender);
            }
            _ => self.answered(scene, slot, text),
        }
    }

    fn answered(&mut self, scene: &mut Scene, slot: usize, text: &str) {
        let player = &mut self.actors[slot];
        player.calling = false;
        player.makes = player.makes.filter(|_| !text.starts_with('E'));
        if slot == scene.caller && scene.answer.is_none() {
            scene.answer = Some(text.to_owned());
        } else {
            scene.events.push(Event::Done { slot, text: text.to_owned() });
        }
    }

    fn born(&mut self, scene: &mut Scene, slot: usize, number: &str, sender: i32) {
        self.actors[slot].watched = Watched::find(sender, &actor::thread_name(slot)).ok();
        scene.events.push(Event::Born { slot, number: number.parse().unwrap_or(0) });
        for player in &mut self.actors {
            player.makes = player.makes.filter(|expected| *expected != slot);
        }
    }

    /// An actor has executed a program: its call is done, and the other threads of its process are dead.
    fn reborn(&mut self, scene: &mut Scene, slot: usize, sender: i32) {
        for (other, player) in self.actors.iter_mut().enumerate() {
            match &player.watched {
                Some(watched) if other != slot && watched.process == sender => {
                    self.leavers.add_thread(watched);
                    *player = Player::default();
                    scene.events.push(Event::Gone { slot: other });
                }
                _ => {}
            }
        }
        // A child made on shared memory executes before it is known; that is its birth.
        if self.actors[slot].watched.is_none() {
            return;
        }
        self.actors[slot].calling = false;
        if slot == scene.caller && scene.verb == Verb::Exec {
            scene.answer = Some("0".to_owned());
        } else {
            scene.events.push(Event::Done { slot, text: "0".to_owned() });
        }
    }

    /// Waits until the call is over and the world at rest.
    fn settle(&mut self, scene: &mut Scene) -> Result<(), WorldError> {
        let deadline = Instant::now() + PATIENCE;
        let is_quiet = scene.verb.signature().reach == Reach::Self_;
        let mut looks = 0u32;
        loop {
            looks = looks.saturating_add(1);
            self.listen(scene)?;
            if is_quiet && scene.answer.is_some() {
                return Ok(());
            }
            if self.is_at_rest(scene) {
                // What was said before all came to rest is in the channels by now.
                let known = scene.events.len();
                let had_answer = scene.answer.is_some();
                self.listen(scene)?;
                if scene.events.len() == known && scene.answer.is_some() == had_answer {
                    return Ok(());
                }
            } else if looks > FEWEST_LOOKS && Instant::now() > deadline {
                return Err(WorldError::Broken(format!(
                    "no rest after {}: {}",
                    scene.verb.signature().name,
                    self.describe()
                )));
            } else {
                // Looking too often would keep those from running that are looked at.
                self.wait_for_a_word(Duration::from_micros(50 << looks.min(7)))?;
            }
        }
    }

    fn wait_for_a_word(&self, limit: Duration) -> Result<(), WorldError> {
        let stagehand = self.stagehand()?;
        let channels: Vec<&Near> =
            stagehand.slots[..self.actors.len()].iter().map(|(near, _)| near).collect();
        raw::channel::wait_any(&channels, limit)?;
        Ok(())
    }

    fn outcome(&self, scene: Scene) -> Outcome {
        let Scene { caller, answer, mut events, .. } = scene;
        let answer = match answer {
            Some(text) => Answer::Done(text),
            None if self.actors[caller].watched.is_none() => Answer::Gone,
            None => Answer::Blocked,
        };
        if answer == Answer::Gone {
            events.retain(|event| *event != Event::Gone { slot: caller });
        }
        Outcome { answer, events }
    }

    fn grow(&mut self, slot: usize) -> Result<(), WorldError> {
        if slot >= SLOTS {
            return Err(WorldError::Broken(format!("more than {SLOTS} actors")));
        }
        if self.actors.len() <= slot {
            self.actors.resize_with(slot + 1, Player::default);
        }
        Ok(())
    }
}

impl World for HostWorld {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin(&mut self, needs: &[Need]) -> Result<(), WorldError> {
        if let Some(why) = &self.closed {
            return Err(WorldError::Skip(why.clone()));
        }
        check_needs(needs)?;
        if needs.contains(&Need::LevelOne) && !self.prefix.is_empty() {
            return Err(WorldError::Skip("the level is not known under a prefix".to_owned()));
        }
        if self.stagehand.is_none() {
            watch::share_one_cpu();
            let program = match &self.program {
                Some(program) => program.clone(),
                None => std::env::current_exe()?,
            };
            self.stagehand = Some(Stagehand::start(&program, &self.prefix)?);
        }
        self.actors.clear();
        self.grow(0)?;
        let stagehand = self.stagehand.as_mut().expect("made above");
        stagehand.begin(needs.contains(&Need::Proc))?;
        let mut scene = Scene { caller: 0, verb: Verb::Fork, answer: None, events: Vec::new() };
        let deadline = Instant::now() + PATIENCE;
        while self.actors[0].watched.is_none() {
            self.wait_for_a_word(Duration::from_millis(5))?;
            self.listen(&mut scene)?;
            if Instant::now() > deadline {
                return Err(WorldError::Broken("the first actor does not appear".to_owned()));
            }
        }
        Ok(())
    }

    fn perform(&mut self, slot: usize, request: &Request) -> Result<Outcome, WorldError> {
        let makes = match request.verb {
            Verb::Exec => Some(slot),
            verb => verb.makes_actor().then(|| request.int(0) as usize),
        };
        self.grow(makes.unwrap_or(0))?;
        self.stagehand()?.slots[slot].0.send(&request.encode())?;
        let player = &mut self.actors[slot];
        player.calling = true;
        player.makes = makes;
        player.lends = request.verb == Verb::Vfork;
        let mut scene =
            Scene { caller: slot, verb: request.verb, answer: None, events: Vec::new() };
        self.settle(&mut scene)?;
        Ok(self.outcome(scene))
    }

    fn end(&mut self) -> Result<(), WorldError> {
        self.actors.clear();
        let ended = match self.stagehand.as_mut() {
            Some(stagehand) => stagehand.end(),
            None => Ok(()),
        };
        if ended.is_err() {
            self.stagehand = None;
        }
        ended
    }
}

fn check_needs(needs: &[Need]) -> Result<(), WorldError> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |key: &str| {
        status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned()
    };
    if needs.contains(&Need::Root) && line("Uid:").split_whitespace().nth(1) != Some("0") {
        return Err(WorldError::Skip("needs root".to_owned()));
    }
    if needs.contains(&Need::LevelOne) && line("NSpid:").split_whitespace().count() != 1 {
        return Err(WorldError::Skip("needs to start in the initial namespace".to_owned()));
    }
    Ok(())
}

/// Executes the command `words` without the capability to reboot the machine. Returns only when that failed, with the reason.
#[must_use]
pub fn run_without_reboot(words: &[&str]) -> String {
    use std::os::unix::process::CommandExt;
    const CAP_SYS_BOOT: i32 = 22;
    let Some((program, arguments)) = words.split_first() else { return "no command".to_owned() };
    // Without the privilege to drop it there is none to reboot either.
    let _ = pidns_sys::raw::ids::drop_from_bounding_set(CAP_SYS_BOOT);
    let error = std::process::Command::new(program).args(arguments).exec();
    format!("{program}: {error}")
}
