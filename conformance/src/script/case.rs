//! A case: a script, what it is expected to show, and the rows of the behaviour table that it is about.

use crate::script::call::Call;
use std::fmt;

/// What the player asks of the place where a case is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A procfs of the top namespace, for links of others in /proc.
    Proc,
    /// Real root: more than a user namespace gives.
    Root,
    /// The top namespace is at level 1.
    LevelOne,
}

impl Need {
    /// Every need.
    pub const ALL: [Self; 3] = [Self::Proc, Self::Root, Self::LevelOne];

    /// Returns the word for it in scripts.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Proc => "proc",
            Self::Root => "root",
            Self::LevelOne => "level1",
        }
    }
}

/// A case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// A sentence.
    pub name: String,
    /// Rows of the behaviour table, such as `ZAP-06`.
    pub rows: Vec<String>,
    /// What it needs.
    pub needs: Vec<Need>,
    /// The calls in order.
    pub steps: Vec<Step>,
    /// File and line of its head, for messages.
    pub origin: String,
}

/// One call and the lines that it should bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who makes the call.
    pub actor: String,
    /// Which.
    pub call: Call,
    /// The answer and the lines of others, if stated.
    pub expected: Option<Vec<String>>,
    /// Line in the file.
    pub line: usize,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.actor, self.call)
    }
}

impl fmt::Display for Case {
    /// Writes the case as the parser reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "case {}", self.name)?;
        if !self.rows.is_empty() {
            writeln!(f, "rows {}", self.rows.join(" "))?;
        }
        if !self.needs.is_empty() {
            let needs: Vec<&str> = self.needs.iter().map(|need| need.word()).collect();
            writeln!(f, "needs {}", needs.join(" "))?;
        }
        writeln!(f)?;
        for step in &self.steps {
            write_step(f, step)?;
        }
        Ok(())
    }
}

fn write_step(f: &mut fmt::Formatter<'_>, step: &Step) -> fmt::Result {
    let expected = step.expected.as_deref().unwrap_or_default();
    match expected.split_first() {
        None => writeln!(f, "{step}"),
        Some((answer, others)) => {
            writeln!(f, "{:<40} -> {answer}", step.to_string())?;
            others.iter().try_for_each(|line| writeln!(f, "    {line}"))
        }
    }
}
