//! Which places ask how often.

use std::hash::{BuildHasher, RandomState};

use super::program::Program;
use super::room::PAGE;

/// How often a place asks before it gets a stub: the work costs as much as two questions.
const PATIENCE: u32 = 2;

/// A place that got none, because it cannot have one or its process has threads, is looked at this often.
const RARELY: u32 = 64;

/// What places have asked how often, as far as it is remembered.
#[derive(Debug)]
pub(in super::super) struct Counts {
    counts: Vec<Count>,
    hash: RandomState,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// The program, the call, and where in its page the instruction is: that is the same in all processes.
    place: (Program, i64, u64),
    asked: u32,
}

impl Counts {
    const REMEMBERED: usize = 1024;

    pub(in super::super) fn new() -> Self {
        Self { counts: vec![Count::default(); Self::REMEMBERED], hash: RandomState::new() }
    }

    /// Notes a call at the instruction that ends there; says whether it is time for a stub.
    pub(in super::super) fn add(&mut self, program: Program, call: i64, after: u64) -> bool {
        let place = (program, call, after % PAGE as u64);
        let index = self.hash.hash_one(place) as usize % self.counts.len();
        let count = &mut self.counts[index];
        if count.place != place {
            *count = Count { place, asked: 0 };
        }
        count.asked = count.asked.saturating_add(1);
        count.asked >= PATIENCE
            && (count.asked.is_power_of_two() || count.asked.is_multiple_of(RARELY))
    }
}
