//! Plays cases in several worlds and sums up by row of the behaviour table.

use crate::differences;
use crate::play::{self, Transcript};
use crate::script::case::Case;
use crate::world::{World, WorldError};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How a case went in a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As stated, and as in the first world.
    Pass,
    /// Not so; with the steps around it.
    Fail(String),
    /// Not so, as it is known; with the reason.
    Differs(&'static str),
    /// It cannot be played here.
    Skipped(String),
}

impl Verdict {
    /// The word in the table.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail(_) => "FAIL",
            Self::Differs(_) => "differs",
            Self::Skipped(_) => "skipped",
        }
    }
}

/// How a case went in all worlds, in the order of the worlds.
#[derive(Clone, Debug)]
pub struct Result {
    /// Rows that the case is about.
    pub rows: Vec<String>,
    /// One verdict a world.
    pub verdicts: Vec<Verdict>,
}

/// Plays `case` in each of `worlds`.
pub fn play_case(worlds: &mut [Box<dyn World>], case: &Case) -> Result {
    let mut first: Option<Transcript> = None;
    let mut verdicts = Vec::new();
    for world in worlds {
        let verdict = match play::play(world.as_mut(), case) {
            Err(WorldError::Skip(why)) => Verdict::Skipped(why),
            Err(WorldError::Broken(why)) => {
                Verdict::Fail(format!("{} ({}): {why}\n", case.name, case.origin))
            }
            Ok(transcript) => {
                let verdict = judge(case, world.name(), &transcript, first.as_ref());
                first.get_or_insert(transcript);
                as_known(case, world.name(), verdict)
            }
        };
        verdicts.push(verdict);
    }
    Result { rows: case.rows.clone(), verdicts }
}

/// Holds a verdict against what is known of the world.
fn as_known(case: &Case, world: &str, verdict: Verdict) -> Verdict {
    match (differences::reason(world, case), verdict) {
        (Some(why), Verdict::Fail(_)) => Verdict::Differs(why),
        (Some(why), Verdict::Pass) => Verdict::Fail(format!(
            "{world}: {} ({}): it passes, but is listed as a difference: {why}\n",
            case.name, case.origin
        )),
        (_, verdict) => verdict,
    }
}

fn judge(case: &Case, world: &str, transcript: &Transcript, first: Option<&Transcript>) -> Verdict {
    let surprise = play::first_surprise(case, transcript);
    let difference = first.and_then(|first| play::first_difference(first, transcript));
    match surprise.or(difference) {
        None => Verdict::Pass,
        Some(index) => Verdict::Fail(explain(case, world, transcript, index, first)),
    }
}

/// Writes the script up to the step that went wrong, with what was expected there.
fn explain(
    case: &Case,
    world: &str,
    transcript: &Transcript,
    index: usize,
    first: Option<&Transcript>,
) -> String {
    let mut text = format!("{}: {} ({})\n", world, case.name, case.origin);
    for (step, lines) in case.steps.iter().zip(transcript).take(index + 1) {
        let _ = writeln!(text, "    {step:<36} -> {}", lines.join(" | "));
    }
    if let Some(expected) = case.steps.get(index).and_then(|step| step.expected.as_ref()) {
        let _ = writeln!(text, "    {:<36} -> {}", "  stated:", expected.join(" | "));
    }
    if let Some(other) = first.and_then(|first| first.get(index)) {
        let _ = writeln!(text, "    {:<36} -> {}", "  first world:", other.join(" | "));
    }
    text
}

/// The table: each row with the worst verdict of its cases, a world a column.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: BTreeMap<String, Vec<&'static str>>,
}

impl Table {
    /// Adds a result.
    pub fn add(&mut self, result: &Result) {
        for row in &result.rows {
            let words = result.verdicts.iter().map(Verdict::word);
            let cells =
                self.rows.entry(row.clone()).or_insert_with(|| vec!["pass"; result.verdicts.len()]);
            for (cell, word) in cells.iter_mut().zip(words) {
                *cell = worse(cell, word);
            }
        }
    }

    /// Returns how many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Reports whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes a line a row and the totals.
    #[must_use]
    pub fn show(&self, worlds: &[String]) -> String {
        let mut text = String::new();
        for (row, cells) in &self.rows {
            let cells: Vec<String> =
                worlds.iter().zip(cells).map(|(world, cell)| format!("{world}={cell}")).collect();
            let _ = writeln!(text, "{row} {}", cells.join(" "));
        }
        for (index, world) in worlds.iter().enumerate() {
            let count =
                |word: &str| self.rows.values().filter(|cells| cells[index] == word).count();
            let _ = writeln!(
                text,
                "{world}: {} rows pass, {} fail, {} differ as is known, {} skipped",
                count("pass"),
                count("FAIL"),
                count("differs"),
                count("skipped")
            );
        }
        let agreed =
            self.rows.values().filter(|cells| cells.iter().all(|cell| *cell == "pass")).count();
        let _ = writeln!(text, "{agreed} of {} rows pass in every world", self.rows.len());
        text
    }
}

fn worse(left: &'static str, right: &'static str) -> &'static str {
    let rank =
        |word: &str| ["pass", "skipped", "differs", "FAIL"].iter().position(|known| *known == word);
    if rank(right) > rank(left) { right } else { left }
}
