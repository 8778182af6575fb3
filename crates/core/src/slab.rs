//! A generational arena in fixed-size chunks.
//!
//! Growing never moves an entry and costs at most one chunk, so memory per entry is exact and an operation never
//! pays for a large copy. Every allocation is fallible. A slot can be *claimed* first and *filled* later, which is how
//! `clone.rs` takes everything that can fail before it publishes anything.

use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ops;

use crate::errno::{Errno, Result};
use crate::id::Index;

const CHUNK_BITS: u32 = 8;
const CHUNK: usize = 1 << CHUNK_BITS;

/// Arena of `T`, indexed by `I`.
#[derive(Clone, Debug)]
pub(crate) struct Slab<I, T> {
    chunks: Vec<Vec<Slot<I, T>>>,
    free: Option<I>,
    /// Slots ever used; the next fresh one.
    top: u32,
    live: u32,
    /// Set by tests: behave as if memory had run out.
    denied: bool,
    index: PhantomData<I>,
}

#[derive(Debug)]
struct Slot<I, T> {
    generation: u32,
    entry: Entry<I, T>,
}

#[derive(Clone, Debug)]
enum Entry<I, T> {
    Vacant(Option<I>),
    Claimed,
    Live(T),
}

impl<I: Clone, T: Clone> Clone for Slot<I, T> {
    fn clone(&self) -> Self {
        Self { generation: self.generation, entry: self.entry.clone() }
    }
}

impl<I: Index, T> Slab<I, T> {
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), free: None, top: 0, live: 0, denied: false, index: PhantomData }
    }

    /// Takes a slot without filling it.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn claim(&mut self) -> Result<I> {
        if self.denied {
            return Err(Errno::ENOMEM);
        }
        if let Some(ix) = self.free {
            let slot = self.slot_mut(ix);
            if let Entry::Vacant(next) = slot.entry {
                slot.entry = Entry::Claimed;
                self.free = next;
            }
            return Ok(ix);
        }
        self.claim_fresh()
    }

    fn claim_fresh(&mut self) -> Result<I> {
        if self.top == u32::MAX >> 1 {
            return Err(Errno::ENOMEM);
        }
        if self.top as usize & (CHUNK - 1) == 0 {
            let mut chunk = Vec::new();
            chunk.try_reserve_exact(CHUNK).map_err(|_| Errno::ENOMEM)?;
            self.chunks.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            self.chunks.push(chunk);
        }
        let chunk =
            self.chunks.last_mut().expect("a chunk was pushed when the first slot was taken");
        chunk.push(Slot { generation: 0, entry: Entry::Claimed });
        self.top += 1;
        Ok(I::from_slot(self.top - 1))
    }

    /// Fills a claimed slot.
    pub(crate) fn fill(&mut self, ix: I, value: T) {
        let slot = self.slot_mut(ix);
        debug_assert!(matches!(slot.entry, Entry::Claimed));
        slot.entry = Entry::Live(value);
        self.live += 1;
    }

    /// Claims and fills.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn insert(&mut self, value: T) -> Result<I> {
        let ix = self.claim()?;
        self.fill(ix, value);
        Ok(ix)
    }

    /// Gives a claimed slot back.
    pub(crate) fn unclaim(&mut self, ix: I) {
        debug_assert!(matches!(self.slot(ix).entry, Entry::Claimed));
        self.recycle(ix);
    }

    /// Empties a slot and returns what was in it. Its generation ends here.
    pub(crate) fn remove(&mut self, ix: I) -> T {
        let entry = core::mem::replace(&mut self.slot_mut(ix).entry, Entry::Claimed);
        self.live -= 1;
        self.recycle(ix);
        match entry {
            Entry::Live(value) => value,
            _ => unreachable!("only a live slot is removed"),
        }
    }

    fn recycle(&mut self, ix: I) {
        let free = self.free;
        let slot = self.slot_mut(ix);
        if slot.generation == u32::MAX {
            return; // Retired: an id is never used twice.
        }
        slot.generation += 1;
        slot.entry = Entry::Vacant(free);
        self.free = Some(ix);
    }

    /// Returns the generation of a slot.
    pub(crate) fn generation(&self, ix: I) -> u32 {
        self.slot(ix).generation
    }

    /// Returns the entry if the slot is live and of this generation.
    pub(crate) fn get(&self, ix: I, generation: u32) -> Option<&T> {
        let slot = self
            .chunks
            .get(ix.slot() as usize >> CHUNK_BITS)?
            .get(ix.slot() as usize & (CHUNK - 1))?;
        match &slot.entry {
            Entry::Live(value) if slot.generation == generation => Some(value),
            _ => None,
        }
    }

    /// Returns the number of live entries.
    pub(crate) fn len(&self) -> u32 {
        self.live
    }

    /// Visits live entries in slot order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        (0..self.top).map(I::from_slot).filter_map(|ix| match &self.slot(ix).entry {
            Entry::Live(value) => Some((ix, value)),
            _ => None,
        })
    }

    /// Makes every further claim fail, or succeed again.
    #[cfg(any(test, feature = "check"))]
    pub(crate) fn deny(&mut self, denied: bool) {
        self.denied = denied;
    }

    /// Returns how many slots are claimed but not filled.
    #[cfg(any(test, feature = "check"))]
    pub(crate) fn claimed(&self) -> usize {
        (0..self.top)
            .filter(|&n| matches!(self.slot(I::from_slot(n)).entry, Entry::Claimed))
            .count()
    }

    fn slot(&self, ix: I) -> &Slot<I, T> {
        &self.chunks[ix.slot() as usize >> CHUNK_BITS][ix.slot() as usize & (CHUNK - 1)]
    }

    fn slot_mut(&mut self, ix: I) -> &mut Slot<I, T> {
        &mut self.chunks[ix.slot() as usize >> CHUNK_BITS][ix.slot() as usize & (CHUNK - 1)]
    }
}

impl<I: Index, T> ops::Index<I> for Slab<I, T> {
    type Output = T;

    fn index(&self, ix: I) -> &T {
        match &self.slot(ix).entry {
            Entry::Live(value) => value,
            _ => unreachable!("an index is kept only while its slot is live"),
        }
    }
}

impl<I: Index, T> ops::IndexMut<I> for Slab<I, T> {
    fn index_mut(&mut self, ix: I) -> &mut T {
        match &mut self.slot_mut(ix).entry {
            Entry::Live(value) => value,
            _ => unreachable!("an index is kept only while its slot is live"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TaskIx;

    #[test]
    fn a_removed_entry_is_not_found_by_its_old_generation() {
        let mut slab: Slab<TaskIx, u8> = Slab::new();
        let ix = slab.insert(1).unwrap();
        let old = slab.generation(ix);
        assert_eq!(slab.remove(ix), 1);
        assert_eq!(slab.insert(2).unwrap(), ix);
        assert_eq!(slab.get(ix, old), None);
        assert_eq!(slab.get(ix, slab.generation(ix)), Some(&2));
    }

    #[test]
    fn a_claimed_slot_is_not_live_and_can_be_given_back() {
        let mut slab: Slab<TaskIx, u8> = Slab::new();
        let ix = slab.claim().unwrap();
        assert_eq!((slab.len(), slab.claimed()), (0, 1));
        slab.unclaim(ix);
        assert_eq!((slab.len(), slab.claimed()), (0, 0));
    }

    #[test]
    fn a_denied_slab_reports_no_memory() {
        let mut slab: Slab<TaskIx, u8> = Slab::new();
        slab.deny(true);
        assert_eq!(slab.insert(1), Err(Errno::ENOMEM));
    }
}
