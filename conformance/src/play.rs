//! Plays a case in a world and writes the transcript.

use crate::script::case::{Case, Step};
use crate::stage::{Condition, Stage};
use crate::world::{Answer, Event, Outcome, World, WorldError};

/// The lines of each step: the answer first, then what happened to others, sorted.
pub type Transcript = Vec<Vec<String>>;

/// Plays `case` in `world`.
///
/// # Errors
/// What keeps the world from playing it.
pub fn play(world: &mut dyn World, case: &Case) -> Result<Transcript, WorldError> {
    world.begin(&case.needs)?;
    let played = play_steps(world, &case.steps);
    let ended = world.end();
    let transcript = played?;
    ended.map(|()| transcript)
}

fn play_steps(world: &mut dyn World, steps: &[Step]) -> Result<Transcript, WorldError> {
    let mut stage = Stage::new();
    steps.iter().map(|step| play_step(world, &mut stage, step)).collect()
}

/// Plays one step and returns its lines.
///
/// # Errors
/// What keeps the world from playing it.
pub fn play_step(
    world: &mut dyn World,
    stage: &mut Stage,
    step: &Step,
) -> Result<Vec<String>, WorldError> {
    let Some(slot) = stage.find(&step.actor) else {
        return Ok(vec!["nobody".to_owned()]);
    };
    match stage.condition(slot) {
        Condition::Unborn => return Ok(vec!["unborn".to_owned()]),
        Condition::Busy => return Ok(vec!["busy".to_owned()]),
        Condition::Gone => return Ok(vec!["dead".to_owned()]),
        Condition::Idle => {}
    }
    let request = match stage.resolve(slot, &step.call) {
        Ok(request) => request,
        Err(unknown) => return Ok(vec![unknown]),
    };
    let outcome = world.perform(slot, &request)?;
    stage.observe(slot, &step.call, &outcome);
    Ok(lines(stage, &outcome))
}

fn lines(stage: &Stage, outcome: &Outcome) -> Vec<String> {
    let answer = match &outcome.answer {
        Answer::Done(text) => text.clone(),
        Answer::Blocked => "blocked".to_owned(),
        Answer::Gone => "gone".to_owned(),
    };
    let mut others: Vec<String> =
        outcome.events.iter().filter_map(|event| event_line(stage, event)).collect();
    others.sort();
    std::iter::once(answer).chain(others).collect()
}

fn event_line(stage: &Stage, event: &Event) -> Option<String> {
    match event {
        Event::Born { .. } => None,
        Event::Gone { slot } => Some(format!("{}: gone", stage.name(*slot))),
        Event::Done { slot, text } => Some(format!("{}: done -> {text}", stage.name(*slot))),
    }
}

/// Compares two transcripts and returns the first step where they part.
#[must_use]
pub fn first_difference(left: &Transcript, right: &Transcript) -> Option<usize> {
    let shorter = left.len().min(right.len());
    let inside = (0..shorter).find(|index| left[*index] != right[*index]);
    inside.or((left.len() != right.len()).then_some(shorter))
}

/// Compares a transcript with what the case states and returns the first step where they part.
#[must_use]
pub fn first_surprise(case: &Case, transcript: &Transcript) -> Option<usize> {
    case.steps.iter().zip(transcript).position(|(step, lines)| {
        step.expected.as_ref().is_some_and(|expected| sorted(expected) != sorted(lines))
    })
}

/// The lines with those behind the answer sorted, as a person may write them in any order.
fn sorted(lines: &[String]) -> Vec<String> {
    let mut lines = lines.to_vec();
    if let Some(others) = lines.get_mut(1..) {
        others.sort();
    }
    lines
}
