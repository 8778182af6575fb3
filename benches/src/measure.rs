//! Taking turns, and the middle of what was measured.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Something that is measured, by name.
pub(crate) struct Contestant<'a> {
    pub(crate) name: String,
    pub(crate) once: Box<dyn FnMut() -> Result<Duration> + 'a>,
}

impl<'a> Contestant<'a> {
    /// Measures how long `action` takes.
    pub(crate) fn timed(
        name: impl Into<String>,
        mut action: impl FnMut() -> Result<()> + 'a,
    ) -> Self {
        let once = move || {
            let start = Instant::now();
            action()?;
            Ok(start.elapsed())
        };
        Self { name: name.into(), once: Box::new(once) }
    }

    /// The same, with caches as they are when it has just been done: for what is so short that its predecessor in the
    /// round would be measured, too.
    pub(crate) fn warm(
        name: impl Into<String>,
        mut action: impl FnMut() -> Result<()> + 'a,
    ) -> Self {
        let once = move || {
            action()?;
            let start = Instant::now();
            action()?;
            Ok(start.elapsed())
        };
        Self { name: name.into(), once: Box::new(once) }
    }
}

/// Lets all take turns for `rounds` rounds, after a few that do not count, and returns each one's median. The order changes
/// each round: what a neighbour leaves, warm caches or a sleeping cpu, is not always the same one's. Who takes long takes part
/// in the first rounds only, and then all of them count.
pub(crate) fn in_turns(
    mut contestants: Vec<Contestant<'_>>,
    rounds: usize,
) -> Result<Vec<(String, Duration)>> {
    let mut taken = vec![Vec::with_capacity(WARM_UP + rounds); contestants.len()];
    let mut order: Vec<usize> = (0..contestants.len()).collect();
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..rounds + WARM_UP {
        random.shuffle(&mut order);
        for &turn in &order {
            let spent: Duration = taken[turn].iter().sum();
            if taken[turn].len() >= FEWEST && spent > LONG {
                continue;
            }
            taken[turn].push((contestants[turn].once)()?);
        }
    }
    for durations in taken.iter_mut().filter(|durations| durations.len() > rounds) {
        durations.drain(..WARM_UP);
    }
    Ok(contestants.into_iter().map(|c| c.name).zip(taken.into_iter().map(median)).collect())
}

const WARM_UP: usize = 3;
const FEWEST: usize = 3;
const LONG: Duration = Duration::from_secs(12);

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    durations[durations.len() / 2]
}

/// Prints `name: value unit`.
pub(crate) fn tell(name: &str, value: impl std::fmt::Display, unit: &str) {
    println!("{name}: {value} {unit}");
}

/// Prints a duration in microseconds.
pub(crate) fn tell_us(name: &str, duration: Duration) {
    tell(&format!("{name}_us"), duration.as_micros(), "us");
}

/// Prints how many times as long `duration` is as `base`.
pub(crate) fn tell_ratio(name: &str, duration: Duration, base: Duration) {
    tell(
        &format!("{name}_ratio"),
        format_args!("{:.2}", duration.as_secs_f64() / base.as_secs_f64()),
        "x",
    );
}
