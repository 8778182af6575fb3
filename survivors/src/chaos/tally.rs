//! What is counted.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

/// Counts of a run, or of a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Jobs, by engine.
    jobs: BTreeMap<String, u64>,
    /// Jobs of which somebody was killed.
    pub(super) kills: u64,
    pub(super) survivors: u64,
    pub(super) wrong_statuses: u64,
    pub(super) outsiders_hit: u64,
    /// Processes outside that came and went.
    pub(super) outsiders: u64,
    /// The longest time from the kill of a supervisor until all were gone.
    longest_us: u64,
}

impl Tally {
    pub(super) fn job(&mut self, engine: &str) {
        *self.jobs.entry(engine.to_owned()).or_default() += 1;
    }

    pub(super) fn gone_after(&mut self, time: Duration) {
        self.longest_us = self.longest_us.max(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Says whether there was something to count and nothing was wrong.
    pub(super) fn is_good(&self) -> bool {
        let wrong = self.survivors + self.wrong_statuses + self.outsiders_hit;
        self.jobs.values().sum::<u64>() > 0 && wrong == 0
    }

    /// Reads what [`Display`](fmt::Display) writes.
    pub(super) fn from_text(text: &str) -> Self {
        let mut tally = Self::default();
        for line in text.lines() {
            let Some((name, value)) = line.strip_prefix("chaos.").and_then(|l| l.split_once(": "))
            else {
                continue;
            };
            let value = value.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
            match name {
                "kills" => tally.kills = value,
                "survivors" => tally.survivors = value,
                "wrong_statuses" => tally.wrong_statuses = value,
                "outsiders_hit" => tally.outsiders_hit = value,
                "outsiders" => tally.outsiders = value,
                "longest_cleanup_us" => tally.longest_us = value,
                _ => {
                    if let Some(engine) = name.strip_prefix("jobs.") {
                        tally.jobs.insert(engine.to_owned(), value);
                    }
                }
            }
        }
        tally
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (engine, jobs) in other.jobs {
            *self.jobs.entry(engine).or_default() += jobs;
        }
        self.kills += other.kills;
        self.survivors += other.survivors;
        self.wrong_statuses += other.wrong_statuses;
        self.outsiders_hit += other.outsiders_hit;
        self.outsiders += other.outsiders;
        self.longest_us = self.longest_us.max(other.longest_us);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (engine, jobs) in &self.jobs {
            writeln!(f, "chaos.jobs.{engine}: {jobs}")?;
        }
        writeln!(f, "chaos.kills: {}", self.kills)?;
        writeln!(f, "chaos.outsiders: {}", self.outsiders)?;
        writeln!(f, "chaos.longest_cleanup_us: {} us", self.longest_us)?;
        writeln!(f, "chaos.survivors: {}", self.survivors)?;
        writeln!(f, "chaos.wrong_statuses: {}", self.wrong_statuses)?;
        writeln!(f, "chaos.outsiders_hit: {}", self.outsiders_hit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_added_up() {
        let mut one = Tally { kills: 2, outsiders: 5, ..Tally::default() };
        one.job("kernel");
        one.gone_after(Duration::from_millis(3));
        assert_eq!(Tally::from_text(&one.to_string()), one);
        let mut sum = Tally { survivors: 1, ..Tally::default() };
        sum += one.clone();
        assert_eq!((sum.kills, sum.survivors, sum.longest_us), (2, 1, 3000));
        assert!(one.is_good() && !sum.is_good() && !Tally::default().is_good());
    }
}
