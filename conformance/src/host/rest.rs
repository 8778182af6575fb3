//! Finds out whether the whole world is at rest.

use super::watch::{Expected, Look, Watched};
use super::{HostWorld, Scene};
use crate::world::Event;

/// What the director knows of an actor.
#[derive(Debug, Default)]
pub(super) struct Player {
    pub(super) watched: Option<Watched>,
    /// It has a request that it has not answered.
    pub(super) calling: bool,
    /// The actor that its request makes, until that has said hello or the request failed.
    pub(super) makes: Option<usize>,
    /// Its request is a vfork.
    pub(super) lends: bool,
    /// It was seen stopped, or dying, so that its request has to wait.
    pub(super) held: bool,
}

impl Player {
    /// What it may be doing.
    fn expected(&self) -> Expected {
        match (self.calling, self.lends) {
            (false, _) => Expected::Waiting,
            (true, false) => Expected::Calling,
            (true, true) => Expected::Lending,
        }
    }

    /// Goes on watching the thread under the number of its process; says whether it is there.
    fn follow_exec(&mut self) -> bool {
        let process = self.watched.as_ref().map_or(0, |watched| watched.process);
        let there = Watched::thread(process, process).ok();
        let found = there.is_some();
        self.watched = there.or(self.watched.take());
        found
    }
}

impl HostWorld {
    /// Reports whether nothing moves any more. Drops the dead.
    pub(super) fn is_at_rest(&mut self, scene: &mut Scene) -> bool {
        match self.look_at_all(scene) {
            None => false,
            Some(_) if self.is_newcomer_due() => false,
            Some(_) if self.leavers.any_left() => false,
            Some(first) => self.look_at_all(scene) == Some(first),
        }
    }

    /// A call that makes an actor is not over before that has said hello; unless its caller is held up before it.
    fn is_newcomer_due(&self) -> bool {
        let due = |player: &Player| player.makes.is_some() && !(player.calling && player.held);
        self.actors.iter().any(|player| player.watched.is_some() && due(player))
    }

    /// Looks at every task once. `None`: one of them moves.
    fn look_at_all(&mut self, scene: &mut Scene) -> Option<Vec<Look>> {
        let mut looks = Vec::with_capacity(self.actors.len());
        for slot in 0..self.actors.len() {
            let player = &mut self.actors[slot];
            let Some(watched) = &player.watched else {
                continue;
            };
            let expected = player.expected();
            match watched.look(expected) {
                Look::Moving => return None,
                look @ (Look::AtRest(_) | Look::Held(_)) => {
                    player.held = matches!(look, Look::Held(_));
                    looks.push(look);
                }
                // A thread that executes a program leaves its number for that of its process.
                Look::Vanished if player.makes == Some(slot) && player.follow_exec() => {
                    return None;
                }
                look @ (Look::Zombie | Look::Vanished) => {
                    if let (Look::Vanished, Some(watched)) = (look, player.watched.take()) {
                        self.leavers.add(watched.number);
                    }
                    *player = Player::default();
                    scene.events.push(Event::Gone { slot });
                    looks.push(look);
                }
            }
        }
        for supervisor in &self.stagehand.as_ref()?.supervisors {
            match supervisor.look(Expected::Waiting) {
                Look::Moving => return None,
                look => looks.push(look),
            }
        }
        Some(looks)
    }

    /// Says what every task is doing, for a person.
    pub(super) fn describe(&self) -> String {
        let watched = self
            .actors
            .iter()
            .enumerate()
            .filter_map(|(slot, player)| Some((slot, player.watched.as_ref()?)));
        watched
            .map(|(slot, watched)| format!("{slot}: {}", watched.describe()))
            .collect::<Vec<_>>()
            .join(", ")
    }
}
