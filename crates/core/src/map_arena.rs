//! The nodes of all pid maps: pools whose free entries stay where they are and are reused without being rebuilt.

use alloc::vec::Vec;

use crate::errno::{Errno, Result};

/// An inner node: up to 64 children, nodes or, just above the leaves, leaves.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Children that exist.
    pub(crate) present: u64,
    /// Children without a free number.
    pub(crate) full: u64,
    /// Meaningful where `present` is set.
    pub(crate) children: [u32; 64],
}

/// 64 numbers.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub(crate) used: u64,
    /// Meaningful where `used` is set.
    pub(crate) values: [u32; 64],
}

/// What a pool asks of its entries.
pub(crate) trait Pooled {
    /// A fresh entry.
    const BLANK: Self;
    /// Makes a reused entry as good as fresh.
    fn reset(&mut self);
    /// A word that a free entry lends to the list of free entries.
    fn link(&mut self) -> &mut u32;
}

impl Pooled for Node {
    const BLANK: Self = Node { present: 0, full: 0, children: [0; 64] };
    fn reset(&mut self) {
        (self.present, self.full) = (0, 0);
    }
    fn link(&mut self) -> &mut u32 {
        &mut self.children[0]
    }
}

impl Pooled for Leaf {
    const BLANK: Self = Leaf { used: 0, values: [0; 64] };
    fn reset(&mut self) {
        self.used = 0;
    }
    fn link(&mut self) -> &mut u32 {
        &mut self.values[0]
    }
}

const CHUNK: usize = 16;
const NONE: u32 = u32::MAX;

/// Entries in chunks that never move.
#[derive(Clone, Debug)]
pub(crate) struct Pool<E> {
    chunks: Vec<Vec<E>>,
    free: u32,
    top: u32,
    in_use: u32,
    denied: bool,
}

impl<E: Pooled> Pool<E> {
    const fn new() -> Self {
        Self { chunks: Vec::new(), free: NONE, top: 0, in_use: 0, denied: false }
    }

    /// Makes sure that the next `count` calls of [`take`](Self::take) have room; `count` is at most a chunk.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn prepare(&mut self, count: usize) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        if self.denied {
            return Err(Errno::ENOMEM);
        }
        let unused = self.top as usize - self.in_use as usize;
        let fresh = self.chunks.len() * CHUNK - self.top as usize;
        if unused + fresh >= count {
            return Ok(());
        }
        let mut chunk = Vec::new();
        chunk.try_reserve_exact(CHUNK).map_err(|_| Errno::ENOMEM)?;
        self.chunks.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.chunks.push(chunk);
        Ok(())
    }

    /// Takes an empty entry, for which [`prepare`](Self::prepare) made room.
    pub(crate) fn take(&mut self) -> u32 {
        self.in_use += 1;
        if self.free != NONE {
            let at = self.free;
            let entry = self.at_mut(at);
            let next = *entry.link();
            entry.reset();
            self.free = next;
            return at;
        }
        self.chunks[self.top as usize / CHUNK].push(E::BLANK);
        self.top += 1;
        self.top - 1
    }

    /// Gives an entry back.
    pub(crate) fn give(&mut self, at: u32) {
        let free = self.free;
        *self.at_mut(at).link() = free;
        self.free = at;
        self.in_use -= 1;
    }

    #[inline]
    pub(crate) fn at(&self, at: u32) -> &E {
        &self.chunks[at as usize / CHUNK][at as usize % CHUNK]
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, at: u32) -> &mut E {
        &mut self.chunks[at as usize / CHUNK][at as usize % CHUNK]
    }

    /// Returns how many entries are taken.
    #[cfg(test)]
    pub(crate) fn in_use(&self) -> u32 {
        self.in_use
    }

    /// Makes every further preparation fail, or succeed again.
    #[cfg(any(test, feature = "check"))]
    pub(crate) fn deny(&mut self, denied: bool) {
        self.denied = denied;
    }
}

/// Nodes and leaves of any number of maps, which must not be mixed with those of another arena.
#[derive(Clone, Debug)]
pub struct MapArena {
    pub(crate) nodes: Pool<Node>,
    pub(crate) leaves: Pool<Leaf>,
}

impl Default for MapArena {
    fn default() -> Self {
        Self::new()
    }
}

impl MapArena {
    /// Makes an empty arena.
    pub const fn new() -> Self {
        Self { nodes: Pool::new(), leaves: Pool::new() }
    }
}
