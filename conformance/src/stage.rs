//! Who is on the stage: turns the names of a script into numbers, learning the numbers from what the world answers.
//!
//! A number is known if somebody saw it: the creator got it from its call, or the actor itself told it. Namespaces are told
//! apart only as far as the calls of the script go; where a name cannot be resolved the script has to give the number.

use crate::script::call::{Argument, Call, Request, Value, Who};
use crate::script::verb::Verb;
use crate::script::words;
use crate::world::{Answer, Event, Outcome};

/// A namespace as far as the script made it.
type Space = usize;

/// The name of the first actor.
pub const TOP: &str = "top";

/// The number of the first descriptor that a script names.
const FIRST_FD: i64 = 300;

/// How an actor is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The call that should make it has not done so.
    Unborn,
    /// It waits for the next call.
    Idle,
    /// It is inside a call.
    Busy,
    /// It is dead.
    Gone,
}

#[derive(Clone, Debug)]
struct Actor {
    name: String,
    condition: Condition,
    active: Space,
    for_children: Space,
    numbers: Vec<(Space, i64)>,
    /// The slot of the actor that its process began with.
    process: usize,
    /// Who makes it, and with which call: the answer may come late.
    creator: Option<usize>,
}

/// The actors and descriptors of a case.
#[derive(Clone, Debug)]
pub struct Stage {
    actors: Vec<Actor>,
    descriptors: Vec<(String, Option<Space>)>,
    spaces: usize,
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

impl Stage {
    /// Makes the stage of a new case.
    #[must_use]
    pub fn new() -> Self {
        let top = Actor {
            name: TOP.to_owned(),
            condition: Condition::Idle,
            active: 0,
            for_children: 0,
            numbers: vec![(0, 1)],
            process: 0,
            creator: None,
        };
        Self { actors: vec![top], descriptors: Vec::new(), spaces: 1 }
    }

    /// Returns the slot of the latest actor of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.actors.iter().rposition(|actor| actor.name == name)
    }

    /// Returns how the actor in `slot` is doing.
    #[must_use]
    pub fn condition(&self, slot: usize) -> Condition {
        self.actors[slot].condition
    }

    /// Returns the name of the actor in `slot`.
    #[must_use]
    pub fn name(&self, slot: usize) -> &str {
        &self.actors[slot].name
    }

    /// Returns the slots of actors in this condition.
    pub fn in_condition(&self, condition: Condition) -> impl Iterator<Item = usize> {
        (0..self.actors.len()).filter(move |slot| self.actors[*slot].condition == condition)
    }

    /// Returns how many actors there are, unborn and dead ones too.
    #[must_use]
    pub fn len(&self) -> usize {
        self.actors.len()
    }

    /// Reports whether nobody is there, which never is so.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actors.is_empty()
    }

    /// Reports whether the actor belongs to the first process of its namespace.
    #[must_use]
    pub fn is_of_init(&self, slot: usize) -> bool {
        let leader = &self.actors[self.actors[slot].process];
        leader.numbers.contains(&(leader.active, 1))
    }

    /// Reports whether another thread of the actor's process is inside a call.
    #[must_use]
    pub fn has_busy_sibling(&self, slot: usize) -> bool {
        let process = self.actors[slot].process;
        let mut busy = self.in_condition(Condition::Busy);
        busy.any(|other| other != slot && self.actors[other].process == process)
    }

    /// Reports whether `caller` knows a number of the actor in `slot`.
    #[must_use]
    pub fn knows(&self, caller: usize, slot: usize) -> bool {
        let view = self.actors[caller].active;
        self.actors[slot].numbers.iter().any(|(space, _)| *space == view)
    }

    /// Turns names into numbers and gives the new actor its slot.
    ///
    /// # Errors
    /// The name that means nothing to the caller.
    pub fn resolve(&mut self, caller: usize, call: &Call) -> Result<Request, String> {
        let mut values = Vec::with_capacity(call.arguments.len());
        for (index, argument) in call.arguments.iter().enumerate() {
            values.push(match argument {
                Argument::Absent => Value::Absent,
                Argument::Int(value) => Value::Int(*value),
                Argument::Who(who) => Value::Int(self.number(caller, who)?),
                Argument::List(list) => Value::List(
                    list.iter().map(|who| self.number(caller, who)).collect::<Result<_, _>>()?,
                ),
                Argument::Name(name) if index == 0 && call.verb.makes_actor() => {
                    Value::Int(self.enlist(caller, name, call))
                }
                Argument::Name(name) => Value::Int(self.descriptor(name)),
            });
        }
        Ok(Request { verb: call.verb, values })
    }

    fn number(&self, caller: usize, who: &Who) -> Result<i64, String> {
        match who {
            Who::Number(number) => Ok(*number),
            Who::Actor(name) => self.number_of(caller, name),
            Who::Group(name) => self.number_of(caller, name).map(|number| -number),
        }
    }

    /// Returns the number of `name` as the actor in slot `caller` sees it.
    fn number_of(&self, caller: usize, name: &str) -> Result<i64, String> {
        let view = self.actors[caller].active;
        let target = self.find(name).map(|slot| &self.actors[slot]);
        let known = target.and_then(|actor| actor.numbers.iter().find(|(space, _)| *space == view));
        known
            .map(|(_, number)| *number)
            .ok_or_else(|| format!("{name} has no number that is known here"))
    }

    /// Takes a new actor on and returns its slot.
    fn enlist(&mut self, caller: usize, name: &str, call: &Call) -> i64 {
        let space = if call.flags(words::CLONE) & words::NEWPID != 0 {
            self.new_space()
        } else if call.verb == Verb::Thread {
            self.actors[caller].active
        } else {
            self.actors[caller].for_children
        };
        let slot = self.actors.len();
        self.actors.push(Actor {
            name: name.to_owned(),
            condition: Condition::Unborn,
            active: space,
            for_children: space,
            numbers: Vec::new(),
            process: if call.verb == Verb::Thread { self.actors[caller].process } else { slot },
            creator: Some(caller),
        });
        slot as i64
    }

    fn new_space(&mut self) -> Space {
        self.spaces += 1;
        self.spaces - 1
    }

    fn descriptor(&mut self, name: &str) -> i64 {
        let known = self.descriptors.iter().position(|(known, _)| known == name);
        let index = known.unwrap_or_else(|| {
            self.descriptors.push((name.to_owned(), None));
            self.descriptors.len() - 1
        });
        FIRST_FD + index as i64
    }

    /// Learns from what a call led to.
    pub fn observe(&mut self, caller: usize, call: &Call, outcome: &Outcome) {
        match &outcome.answer {
            Answer::Done(text) => self.learn(caller, call, text),
            Answer::Blocked => self.actors[caller].condition = Condition::Busy,
            Answer::Gone => self.actors[caller].condition = Condition::Gone,
        }
        for event in &outcome.events {
            self.observe_event(event);
        }
    }

    fn learn(&mut self, caller: usize, call: &Call, text: &str) {
        let succeeded = text == "0";
        match call.verb {
            verb if verb.makes_actor() => self.learn_child(caller, text),
            Verb::Unshare if succeeded && call.flags(words::CLONE) & words::NEWPID != 0 => {
                self.actors[caller].for_children = self.new_space();
            }
            Verb::Setns if succeeded => {
                let space = self.space_of(call.arguments.first());
                let space = space.unwrap_or_else(|| self.new_space());
                self.actors[caller].for_children = space;
            }
            Verb::OpenNs if succeeded => self.learn_link(caller, call),
            _ => {}
        }
    }

    /// Writes down the number that a creator got for the last actor it made.
    fn learn_child(&mut self, creator: usize, text: &str) {
        let view = self.actors[creator].active;
        let number = text.split(' ').next().and_then(|word| word.parse().ok());
        let child = self.actors.iter_mut().rev().find(|actor| actor.creator == Some(creator));
        if let (Some(number), Some(child)) = (number, child) {
            note(&mut child.numbers, view, number);
        }
    }

    fn space_of(&self, descriptor: Option<&Argument>) -> Option<Space> {
        let Some(Argument::Name(name)) = descriptor else {
            return None;
        };
        self.descriptors.iter().find(|(known, _)| known == name).and_then(|(_, space)| *space)
    }

    /// Remembers which namespace a link that was opened leads to.
    fn learn_link(&mut self, caller: usize, call: &Call) {
        let [Argument::Name(name), Argument::Who(who), Argument::Int(link)] = &call.arguments[..]
        else {
            return;
        };
        let target = match who {
            Who::Number(0) => Some(caller),
            Who::Actor(target) => self.find(target),
            _ => None,
        };
        let space = target.map(|slot| {
            let target = &self.actors[slot];
            if *link == 0 { target.active } else { target.for_children }
        });
        if let Some(entry) = self.descriptors.iter_mut().find(|(known, _)| known == name) {
            entry.1 = space;
        }
    }

    fn observe_event(&mut self, event: &Event) {
        match event {
            Event::Born { slot, number } => {
                let actor = &mut self.actors[*slot];
                actor.condition = Condition::Idle;
                note(&mut actor.numbers, actor.active, *number);
            }
            Event::Done { slot, text } => {
                self.actors[*slot].condition = Condition::Idle;
                self.learn_child_if_any(*slot, text);
            }
            Event::Gone { slot } => self.actors[*slot].condition = Condition::Gone,
        }
    }

    /// A creator that slept in its call (vfork) has its answer now.
    fn learn_child_if_any(&mut self, creator: usize, text: &str) {
        let view = self.actors[creator].active;
        let child = self.actors.iter().rev().find(|actor| actor.creator == Some(creator));
        let unknown =
            child.is_some_and(|actor| !actor.numbers.iter().any(|(space, _)| *space == view));
        if unknown {
            self.learn_child(creator, text);
        }
    }
}

/// Writes down a number in place of an older one.
fn note(numbers: &mut Vec<(Space, i64)>, space: Space, number: i64) {
    numbers.retain(|(known, _)| *known != space);
    numbers.push((space, number));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::parse;

    fn done(text: &str, events: Vec<Event>) -> Outcome {
        Outcome { answer: Answer::Done(text.to_owned()), events }
    }

    #[test]
    fn a_name_is_the_number_that_the_caller_knows() {
        let mut stage = Stage::new();
        let make = parse::call("clone i NEWPID").unwrap();
        let request = stage.resolve(0, &make).unwrap();
        assert_eq!(request.int(0), 1);
        stage.observe(0, &make, &done("7", vec![Event::Born { slot: 1, number: 1 }]));
        let kill = parse::call("kill i TERM").unwrap();
        assert_eq!(stage.resolve(0, &kill).unwrap().int(0), 7);
        assert_eq!(stage.resolve(1, &kill).unwrap().int(0), 1);
        let back = parse::call("kill top TERM").unwrap();
        assert!(stage.resolve(1, &back).is_err());
    }
}
