//! A call as it stands in a script, and as it goes to a world with every name turned into a number.

use crate::script::verb::{Kind, Verb};
use crate::script::words::{self, Words};
use std::fmt;

/// Somebody, by number or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// This number.
    Number(i64),
    /// The number that the caller knows the actor by.
    Actor(String),
    /// The same, negated: the group that the actor leads.
    Group(String),
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// An optional one that is not there.
    Absent,
    /// A number, a word or a set.
    Int(i64),
    /// Somebody.
    Who(Who),
    /// Several.
    List(Vec<Who>),
    /// A name: of a new actor, or of a descriptor.
    Name(String),
}

/// A call in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which.
    pub verb: Verb,
    /// One argument for each parameter of the table.
    pub arguments: Vec<Argument>,
}

impl Call {
    /// Returns the name of the actor that the call makes.
    #[must_use]
    pub fn new_actor(&self) -> Option<&str> {
        match self.arguments.first() {
            Some(Argument::Name(name)) if self.verb.makes_actor() => Some(name),
            _ => None,
        }
    }

    /// Returns the bits of the first parameter that is a set of `table` words.
    #[must_use]
    pub fn flags(&self, table: Words) -> i64 {
        let parameters = self.verb.signature().parameters.iter();
        let found = parameters.zip(&self.arguments).find_map(|(parameter, argument)| {
            match (parameter.kind, argument) {
                (Kind::Flags(words), Argument::Int(bits)) if words == table => Some(*bits),
                _ => None,
            }
        });
        found.unwrap_or(0)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Actor(name) => f.write_str(name),
            Self::Group(name) => write!(f, "-{name}"),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signature = self.verb.signature();
        f.write_str(signature.name)?;
        for (parameter, argument) in signature.parameters.iter().zip(&self.arguments) {
            let text = show(parameter.kind, argument);
            match parameter.key {
                _ if text.is_empty() => {}
                Some(key) => write!(f, " {key}={text}")?,
                None => write!(f, " {text}")?,
            }
        }
        Ok(())
    }
}

/// Writes one argument as the parser reads it; empty if there is nothing to write.
fn show(kind: Kind, argument: &Argument) -> String {
    match (kind, argument) {
        (_, Argument::Absent) => String::new(),
        (_, Argument::Name(name)) => name.clone(),
        (_, Argument::Who(who)) => who.to_string(),
        (_, Argument::List(list)) => join(list.iter().map(Who::to_string), ","),
        (Kind::Signal, Argument::Int(signal)) => words::name_or_digits(words::SIGNALS, *signal),
        (Kind::One(table), Argument::Int(value)) => words::name_or_digits(table, *value),
        (Kind::Signals, Argument::Int(bits)) => show_signals(*bits as u64),
        (Kind::Flags(table), Argument::Int(bits)) => show_flags(table, *bits),
        (_, Argument::Int(value)) => value.to_string(),
    }
}

/// Writes a set of signals, bit n-1 for signal n.
#[must_use]
pub fn show_signals(bits: u64) -> String {
    let signals = (1..=64).filter(|signal| bits & (1 << (signal - 1)) != 0);
    join(signals.map(|signal| words::name_or_digits(words::SIGNALS, signal)), " ")
}

fn show_flags(table: Words, bits: i64) -> String {
    let mut left = bits;
    let mut named = Vec::new();
    for (name, bit) in table {
        if left & bit != 0 {
            left &= !bit;
            named.push((*name).to_owned());
        }
    }
    if left != 0 {
        named.push(left.to_string());
    }
    named.join(" ")
}

fn join(parts: impl Iterator<Item = String>, separator: &str) -> String {
    parts.collect::<Vec<_>>().join(separator)
}

/// An argument without names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Not given.
    Absent,
    /// A number.
    Int(i64),
    /// Several.
    List(Vec<i64>),
}

/// A call as a world gets it: new actors are slot numbers, descriptors are descriptor numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which.
    pub verb: Verb,
    /// One value for each parameter of the table.
    pub values: Vec<Value>,
}

impl Request {
    /// Returns value `index` as a number, 0 if it was not given.
    #[must_use]
    pub fn int(&self, index: usize) -> i64 {
        self.optional(index).unwrap_or(0)
    }

    /// Returns value `index` cut to 32 bits, as the kernel takes most numbers.
    #[must_use]
    pub fn int32(&self, index: usize) -> i32 {
        self.int(index) as i32
    }

    /// Returns value `index` if it was given.
    #[must_use]
    pub fn optional(&self, index: usize) -> Option<i64> {
        match self.values.get(index) {
            Some(Value::Int(value)) => Some(*value),
            _ => None,
        }
    }

    /// Returns value `index` as a list, empty if it was not given.
    #[must_use]
    pub fn list(&self, index: usize) -> Vec<i32> {
        match self.values.get(index) {
            Some(Value::List(list)) => list.iter().map(|value| *value as i32).collect(),
            _ => Vec::new(),
        }
    }

    /// Writes the request as one line for an actor.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut line = self.verb.signature().name.to_owned();
        for value in &self.values {
            line.push(' ');
            match value {
                Value::Absent => line.push('-'),
                Value::Int(value) => line.push_str(&value.to_string()),
                Value::List(list) => {
                    line.push('[');
                    line.push_str(&join(list.iter().map(i64::to_string), ","));
                }
            }
        }
        line
    }

    /// Reads what [`Self::encode`] wrote.
    #[must_use]
    pub fn decode(line: &str) -> Option<Self> {
        let mut tokens = line.split(' ');
        let verb = Verb::named(tokens.next()?)?;
        let values = tokens.map(decode_value).collect::<Option<_>>()?;
        Some(Self { verb, values })
    }
}

fn decode_value(token: &str) -> Option<Value> {
    match token.strip_prefix('[') {
        _ if token == "-" => Some(Value::Absent),
        Some("") => Some(Value::List(Vec::new())),
        Some(list) => {
            list.split(',').map(|item| item.parse().ok()).collect::<Option<_>>().map(Value::List)
        }
        None => token.parse().ok().map(Value::Int),
    }
}
