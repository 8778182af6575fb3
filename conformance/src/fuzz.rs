//! Plays generated scripts on the host and on the model, and reports those that part them.

use crate::generate;
use crate::host::HostWorld;
use crate::play::{self, Transcript};
use crate::script::case::Case;
use crate::shrink;
use crate::sim::SimWorld;
use crate::world::WorldError;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Scripts played on both.
    pub played: u64,
    /// Calls in them.
    pub steps: u64,
    /// A report for each script that parts the worlds, cut down.
    pub disagreements: Vec<String>,
    /// Why a world could not play a script.
    pub broken: Vec<String>,
    /// A report for each script that the host does not play the same way twice.
    pub undetermined: Vec<String>,
}

/// Plays the scripts of `count` seeds from `seed` on, in as many threads as are useful.
///
/// # Errors
/// What keeps a world from playing at all.
pub fn run(seed: u64, count: u64, threads: usize) -> Result<Summary, WorldError> {
    let next = AtomicU64::new(seed);
    let end = seed + count;
    let work = || -> Result<Summary, WorldError> {
        let mut summary = Summary::default();
        let mut host = HostWorld::new("host", Vec::new());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return Ok(summary);
            }
            match play_seed(&mut host, seed, &mut summary) {
                Err(WorldError::Broken(why)) => {
                    summary.broken.push(format!("seed {seed}: {why}\n"))
                }
                other => other?,
            }
        }
    };
    let mut total = Summary::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let part: Summary =
                worker.join().map_err(|_| WorldError::Broken("a thread panicked".to_owned()))??;
            total.played += part.played;
            total.steps += part.steps;
            total.disagreements.extend(part.disagreements);
            total.broken.extend(part.broken);
            total.undetermined.extend(part.undetermined);
        }
        Ok(total)
    })
}

fn play_seed(host: &mut HostWorld, seed: u64, summary: &mut Summary) -> Result<(), WorldError> {
    let case = generate::script(seed)?;
    summary.played += 1;
    summary.steps += case.steps.len() as u64;
    if agree(host, &case)? {
        return Ok(());
    }
    // The host may have shown chance: what differs between two plays of its own says nothing about the model.
    let transcripts = (0..5).map(|_| play::play(host, &case)).collect::<Result<Vec<_>, _>>()?;
    if transcripts.windows(2).any(|pair| pair[0] != pair[1]) {
        summary.undetermined.push(undetermined_report(&case, &transcripts));
        return Ok(());
    }
    let small = shrink::shrink(&case, |case| matches!(agree(host, case), Ok(false)));
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
    let mut text = format!("{}\n", case.name);
    for (index, step) in case.steps.iter().enumerate() {
        let (one, other) = (left[index].join(" | "), right[index].join(" | "));
        if one == other {
            let _ = writeln!(text, "    {:<36} -> {one}", step.to_string());
        } else {
            let _ = writeln!(
                text,
                "    {:<36} -> {}: {one}   {}: {other}",
                step.to_string(),
                names.0,
                names.1
            );
        }
    }
    text
}
