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
}

/// Lets all take turns for `rounds` rounds, after a few that do not count, and returns each one's median.
pub(crate) fn in_turns(
    mut contestants: Vec<Contestant<'_>>,
    rounds: usize,
) -> Result<Vec<(String, Duration)>> {
    let mut taken = vec![Vec::with_capacity(rounds); contestants.len()];
    for round in 0..rounds + WARM_UP {
        for (contestant, taken) in contestants.iter_mut().zip(&mut taken) {
            let duration = (contestant.once)()?;
            if round >= WARM_UP {
                taken.push(duration);
            }
        }
    }
    Ok(contestants.into_iter().map(|c| c.name).zip(taken.into_iter().map(median)).collect())
}

const WARM_UP: usize = 3;

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
