//! Room for stubs at the end of a file's code: as far as its last page has nothing but zeros, and stubs of other sites. As
//! much as a stub is left in front, where zeros may be data.

use std::ops::Range;

use super::stub::{self, SIZE};

pub(super) const PAGE: usize = 4096;

/// Addresses for stubs, downwards.
pub(super) struct Room {
    start: u64,
    /// How many stubs fit above.
    free: Range<usize>,
}

impl Room {
    /// That in a page, given where it starts and what is in it.
    pub(super) fn of(start: u64, page: &[u8; PAGE], key: u64) -> Self {
        let (slots, _) = page.as_chunks::<SIZE>();
        let address = |index: usize| start + (index * SIZE) as u64;
        let is_stub =
            |index: &usize| stub::recognise(address(*index), &slots[*index], key).is_some();
        let is_free = |index: &usize| slots[*index] == [0; SIZE];
        let used = (0..slots.len()).rev().take_while(is_stub).count();
        let end = slots.len() - used;
        let free = (0..end).rev().take_while(is_free).count();
        Self { start, free: (end - free + 1).min(end)..end }
    }
}

impl Iterator for Room {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.free.next_back().map(|index| self.start + (index * SIZE) as u64)
    }
}
