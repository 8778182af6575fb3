//! Plays generated scripts on the host and on the model, and reports those that part them.

use crate::generate;
use crate::host::HostWorld;
use crate::play::{self, Transcript};
use crate::script::case::Case;
use crate::shrink;
use crate::sim::SimWorld;
use crate::world::WorldError;
use std::fmt;
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Scripts played on both.
    pub played: u64,
    /// Calls in them.
    pub steps: u64,
    /// A report for each script that parts the worlds, cut down.
    pub disagreements: Vec<String>,
    /// A report for each script that the host does not play the same way twice.
    pub undetermined: Vec<String>,
    /// Why a world could not play a script.
    pub broken: Vec<String>,
    /// How long it took.
    pub time: Duration,
}

impl Summary {
    /// Reports whether the worlds agreed on every script that says something.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.disagreements.is_empty() && self.broken.is_empty()
    }

    fn add(&mut self, part: Self) {
        self.played += part.played;
        self.steps += part.steps;
        self.disagreements.extend(part.disagreements);
        self.undetermined.extend(part.undetermined);
        self.broken.extend(part.broken);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("not determined", &self.undetermined),
            ("disagreement", &self.disagreements),
            ("broken", &self.broken),
        ];
        for (kind, reports) in kinds {
            reports.iter().try_for_each(|report| write!(f, "{kind}: {report}"))?;
        }
        writeln!(
            f,
            "{} scripts, {} calls, {} disagreements, {} not determined, {} broken, {:.1} s",
            self.played,
            self.steps,
            self.disagreements.len(),
            self.undetermined.len(),
            self.broken.len(),
            self.time.as_secs_f64()
        )
    }
}

/// Plays the scripts of `count` seeds from `seed` on, with `threads` directors; `program` as in [`HostWorld::with_program`].
///
/// # Errors
/// What keeps a world from playing at all.
pub fn run(
    seed: u64,
    count: u64,
    threads: usize,
    program: Option<&str>,
) -> Result<Summary, WorldError> {
    let started = Instant::now();
    let next = AtomicU64::new(seed);
    let work = || direct(&next, seed + count, program);
    let mut total = Summary::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let part = worker
                .join()
                .map_err(|_| WorldError::Broken("a director panicked".to_owned()))??;
            total.add(part);
        }
        total.time = started.elapsed();
        Ok(total)
    })
}

fn direct(next: &AtomicU64, end: u64, program: Option<&str>) -> Result<Summary, WorldError> {
    let mut summary = Summary::default();
    let host = HostWorld::new("host", Vec::new());
    let mut host = match program {
        Some(program) => host.with_program(program),
        None => host,
    };
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return Ok(summary);
        }
        match play_seed(&mut host, seed, &mut summary) {
            // A machine that is busy, or short of processes, deserves a second try.
            Err(WorldError::Broken(_)) => {
                if let Err(WorldError::Broken(why)) = play_seed(&mut host, seed, &mut summary) {
                    summary.broken.push(format!("seed {seed}: {why}\n"));
                }
            }
            other => other?,
        }
    }
}

fn play_seed(host: &mut HostWorld, seed: u64, summary: &mut Summary) -> Result<(), WorldError> {
    let written = panic::catch_unwind(|| generate::script(seed));
    let case =
        written.unwrap_or_else(|_| Err(WorldError::Broken("the model panicked".to_owned())))?;
    summary.played += 1;
    summary.steps += case.steps.len() as u64;
    if agree(host, &case)? {
        return Ok(());
    }
    // The host may have shown chance: what differs between two plays of its own says nothing about the model.
    let transcripts = (0..5).map(|_| play::play(host, &case)).collect::<Result<Vec<_>, _>>()?;
    if transcripts.windows(2).any(|pair| pair[0] != pair[1]) || agree(host, &case)? {
        summary.undetermined.push(undetermined_report(&case, &transcripts));
        return Ok(());
    }
    let small = shrink::shrink(&case, |case| {
        generate::is_determined(case) && matches!(agree(host, case), Ok(false))
    });
    summary.disagreements.push(report(host, &small)?);
    Ok(())
}

fn agree(host: &mut HostWorld, case: &Case) -> Result<bool, WorldError> {
    let theirs = play::play(host, case)?;
    let ours = play::play(&mut SimWorld::new(), case)?;
    Ok(play::first_difference(&theirs, &ours).is_none())
}

fn report(host: &mut HostWorld, case: &Case) -> Result<String, WorldError> {
    let theirs = play::play(host, case)?;
    let ours = play::play(&mut SimWorld::new(), case)?;
    Ok(side_by_side(case, &theirs, ("host", "core"), &ours))
}

fn undetermined_report(case: &Case, transcripts: &[Transcript]) -> String {
    let other =
        transcripts.iter().find(|other| **other != transcripts[0]).unwrap_or(&transcripts[0]);
    side_by_side(case, &transcripts[0], ("host", "host again"), other)
}

fn side_by_side(case: &Case, left: &Transcript, names: (&str, &str), right: &Transcript) -> String {
    let lines = case.steps.iter().zip(left.iter().zip(right)).map(|(step, (one, other))| {
        let (one, other) = (one.join(" | "), other.join(" | "));
        let step = step.to_string();
        if one == other {
            format!("    {step:<36} -> {one}\n")
        } else {
            format!("    {step:<36} -> {}: {one}   {}: {other}\n", names.0, names.1)
        }
    });
    format!("{}\n{}", case.name, lines.collect::<String>())
}
