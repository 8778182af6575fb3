//! What a place where scripts are played has to offer.

use crate::script::call::Request;
use crate::script::case::Need;

/// A place where scripts are played: the host kernel, the model, an engine.
///
/// Actors are known by slot: 0 is the first one, number 1 of a namespace made for the case; a call that makes an actor brings
/// the slot of the new one.
pub trait World {
    /// The name in reports.
    fn name(&self) -> &str;

    /// Sets the stage for a case, with the first actor on it.
    ///
    /// # Errors
    /// `Skip` if the needs cannot be met here.
    fn begin(&mut self, needs: &[Need]) -> Result<(), WorldError>;

    /// Lets the actor in `slot` make a call, and waits until nothing moves any more.
    ///
    /// The player asks only actors that are alive and not inside another call.
    ///
    /// # Errors
    /// `Broken` if the world does not come to rest.
    fn perform(&mut self, slot: usize, request: &Request) -> Result<Outcome, WorldError>;

    /// Clears the stage: all actors are gone afterwards.
    ///
    /// # Errors
    /// `Broken` if some would not go.
    fn end(&mut self) -> Result<(), WorldError>;
}

/// What a call led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the caller got.
    pub answer: Answer,
    /// What else happened, in any order.
    pub events: Vec<Event>,
}

/// What the caller of a call got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A result.
    Done(String),
    /// Nothing yet: it sleeps in the call, or it is stopped.
    Blocked,
    /// It is gone.
    Gone,
}

/// Something that happened to an actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The actor has started, or started another program, and takes itself for this number.
    Born {
        /// Which actor.
        slot: usize,
        /// Its own thread number.
        number: i64,
    },
    /// The call that it slept in has come to an end.
    Done {
        /// Which actor.
        slot: usize,
        /// The result.
        text: String,
    },
    /// It has died; it may still be a zombie.
    Gone {
        /// Which actor.
        slot: usize,
    },
}

/// Why a world cannot play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorldError {
    /// Not here.
    Skip(String),
    /// Something is wrong with the world itself.
    Broken(String),
}

impl std::fmt::Display for WorldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Skip(why) => write!(f, "skipped: {why}"),
            Self::Broken(why) => write!(f, "broken: {why}"),
        }
    }
}

impl std::error::Error for WorldError {}

impl From<std::io::Error> for WorldError {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}
