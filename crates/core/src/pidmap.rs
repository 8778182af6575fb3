//! The map from numbers to pid objects of one namespace: a 64-ary tree with a bitmap per node.
//!
//! Allocation is cyclic from a cursor and wraps to [`RESERVED`]; allocate, free, look up and *next* cost one step per
//! tree level, never a scan: each inner node knows which children exist and which are full. Nodes are made on demand
//! and live in a [`MapArena`] that all namespaces of a task set share. One emptied leaf per map is kept, so that a
//! fork and exit in turn do not make and unmake it each time.
//! Neighbours: `pids.rs` allocates a number per level, `zap.rs` walks with [`PidMap::next`].

use crate::errno::{Errno, Result};
use crate::map_arena::MapArena;

/// After a wrap, numbers below this are not handed out again (kernel: `RESERVED_PIDS`). // NUM-08
pub(crate) const RESERVED: u32 = 300;
/// Upper end, exclusive, of every `pid_max` (kernel: `PID_MAX_LIMIT`).
pub const PID_MAX_LIMIT: u32 = 1 << 22;

/// Bits of a number that one tree level decides.
const BITS: u32 = 6;
/// Height of the root; leaves are at height 0. 64^4 numbers cover `PID_MAX_LIMIT`.
const TOP: usize = 3;
const NONE: u32 = u32::MAX;

/// Which numbers a search is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Taken,
    Free,
}

/// The nodes from the root (at `TOP`) down to the leaf (at 0) above a number.
type Path = [u32; TOP + 1];

/// Which child of a node at `height` a number is under.
#[inline]
fn digit(number: u32, height: usize) -> u32 {
    (number >> (BITS as usize * height)) & 63
}

/// Bits `from..64`.
#[inline]
fn from_bit(from: u32) -> u64 {
    u64::MAX << from
}

/// The lowest number of the next node at `height` after the one that `number` is under.
fn after_node(number: u32, height: usize) -> u32 {
    let shift = BITS as usize * (height + 1);
    ((number >> shift) + 1) << shift
}

/// The numbers of one namespace, each with a value: in a [`TaskSet`](crate::TaskSet) the slot of a pid object, by itself
/// whatever an embedder numbers.
///
/// ```
/// use pidns_core::{MapArena, PID_MAX_LIMIT, PidMap};
///
/// let (mut map, mut arena) = (PidMap::new(), MapArena::new());
/// assert_eq!(map.alloc(&mut arena, PID_MAX_LIMIT, 70), Ok(1));
/// assert_eq!(map.insert(&mut arena, 500, 71), Ok(()));
/// assert_eq!(map.next(&arena, 2), Some((500, 71)));
/// map.remove(&mut arena, 1);
/// assert_eq!(map.alloc(&mut arena, PID_MAX_LIMIT, 72), Ok(2));
/// ```
#[derive(Clone, Debug)]
pub struct PidMap {
    /// The node at `TOP`, or `NONE`.
    root: u32,
    /// Where the next search starts: last number + 1.
    cursor: u32,
    /// A number under the leaf that was emptied last and kept, or `NONE`.
    spare: u32,
    /// The leaf that was touched last: neighbours tend to follow.
    hot: Hot,
}

/// A shortcut to one leaf.
#[derive(Clone, Copy, Debug)]
struct Hot {
    /// The leaf's numbers without their last digit, or `NONE`.
    prefix: u32,
    path: Path,
}

impl Hot {
    const COLD: Hot = Hot { prefix: NONE, path: [0; TOP + 1] };
}

/// Up to 64 numbers in a row.
pub(crate) struct Run {
    /// The number of bit 0.
    base: u32,
    taken: u64,
    values: [u32; 64],
}

impl Run {
    /// Visits the taken numbers of the run.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        let clear_lowest = |&rest: &u64| Some(rest & rest.wrapping_sub(1));
        let bits = core::iter::successors(Some(self.taken), clear_lowest);
        bits.take_while(|&rest| rest != 0).map(|rest| {
            let bit = rest.trailing_zeros();
            (self.base + bit, self.values[bit as usize])
        })
    }

    /// The first number after the run.
    pub(crate) fn end(&self) -> u32 {
        self.base + 64
    }
}

impl Default for PidMap {
    fn default() -> Self {
        Self::new()
    }
}

impl PidMap {
    /// Makes an empty map.
    pub const fn new() -> Self {
        Self { root: NONE, cursor: 0, spare: NONE, hot: Hot::COLD }
    }

    /// Returns the last number that the cursor handed out, -1 before the first.
    pub fn last(&self) -> i32 {
        self.cursor as i32 - 1
    }

    /// Makes the next search start at `last + 1`. // SYS-01
    pub fn set_last(&mut self, last: u32) {
        self.cursor = last.saturating_add(1).min(PID_MAX_LIMIT + 1);
    }

    /// Makes the next search start at `number`, if that was the last.
    pub(crate) fn unwind(&mut self, number: u32) {
        if self.cursor == number + 1 {
            self.cursor = number;
        }
    }

    /// Forgets what the cursor handed out.
    pub(crate) fn rewind(&mut self) {
        self.cursor = 0;
    }

    /// Takes the first free number from the cursor on, below `pid_max`, and wraps once. // NUM-06 NUM-07 NUM-08
    ///
    /// # Errors
    /// `EAGAIN` if every number is taken // NUM-09, `ENOMEM`.
    pub fn alloc(&mut self, arena: &mut MapArena, pid_max: u32, value: u32) -> Result<u32> {
        // Once the cursor has passed the reserved range, that range is for set_tid only.
        let min = if self.cursor > RESERVED { RESERVED } else { 1 };
        let start = self.cursor.max(min);
        let free_from = |from| self.first(arena, from, Wanted::Free).filter(|&n| n < pid_max);
        let number = free_from(start).or_else(|| free_from(min)).ok_or(Errno::EAGAIN)?;
        self.set(arena, number, value)?;
        self.cursor = number + 1;
        Ok(number)
    }

    /// Takes this very number; the cursor stays. // TID-07
    ///
    /// # Errors
    /// `EEXIST` if it is taken // TID-03, `EINVAL` beyond [`PID_MAX_LIMIT`], `ENOMEM`.
    pub fn insert(&mut self, arena: &mut MapArena, number: u32, value: u32) -> Result<()> {
        if number >= PID_MAX_LIMIT {
            return Err(Errno::EINVAL);
        }
        if self.get(arena, number).is_some() {
            return Err(Errno::EEXIST);
        }
        self.set(arena, number, value)
    }

    /// Returns who has `number`.
    pub fn get(&self, arena: &MapArena, number: u32) -> Option<u32> {
        if number >= PID_MAX_LIMIT {
            return None;
        }
        let leaf = match self.hot_leaf(number) {
            Some(leaf) => leaf,
            None => self.path(arena, number)?[0],
        };
        let leaf = arena.leaves.at(leaf);
        let bit = digit(number, 0);
        (leaf.used >> bit & 1 == 1).then_some(leaf.values[bit as usize])
    }

    /// Returns the first taken number at or after `from` (the 2007 patch's `next_pidmap`).
    pub fn next(&self, arena: &MapArena, from: u32) -> Option<(u32, u32)> {
        let number = self.first(arena, from, Wanted::Taken)?;
        self.get(arena, number).map(|value| (number, value))
    }

    /// Returns the taken numbers that share a leaf with the first one at or after `from`: for walks over all.
    pub(crate) fn next_run(&self, arena: &MapArena, from: u32) -> Option<Run> {
        let first = self.first(arena, from, Wanted::Taken)?;
        let leaf = arena.leaves.at(self.path(arena, first)?[0]);
        let taken = leaf.used & from_bit(digit(first, 0));
        Some(Run { base: first & !63, taken, values: leaf.values })
    }

    #[inline]
    fn hot_leaf(&self, number: u32) -> Option<u32> {
        (self.hot.prefix == number >> BITS).then_some(self.hot.path[0])
    }

    /// Returns the first number at or after `from` that is taken or free.
    fn first(&self, arena: &MapArena, from: u32, wanted: Wanted) -> Option<u32> {
        if from >= PID_MAX_LIMIT {
            return None;
        }
        if let Some(leaf) = self.hot_leaf(from) {
            let used = arena.leaves.at(leaf).used;
            let fits = if wanted == Wanted::Free { !used } else { used } & from_bit(digit(from, 0));
            if fits != 0 {
                return Some((from & !63) + fits.trailing_zeros());
            }
        }
        self.search(arena, from, wanted)
    }

    /// As [`first`](Self::first), beyond the hot leaf.
    fn search(&self, arena: &MapArena, from: u32, wanted: Wanted) -> Option<u32> {
        if self.root == NONE {
            return (wanted == Wanted::Free).then_some(from);
        }
        // The leaf that was touched last is where most searches begin: climb from there instead of descending to it.
        let hot = self.hot.prefix == from >> BITS;
        let (mut path, mut height) =
            if hot { (self.hot.path, 0) } else { ([self.root; TOP + 1], TOP) };
        let mut number = from;
        loop {
            // Look in this node for the next child, or in this leaf for the next number.
            let fits = if height == 0 {
                let used = arena.leaves.at(path[0]).used;
                if wanted == Wanted::Free { !used } else { used }
            } else {
                let node = arena.nodes.at(path[height]);
                if wanted == Wanted::Free { !node.full } else { node.present }
            };
            let here = digit(number, height);
            let fits = fits & from_bit(here);
            if fits == 0 {
                // Nothing: go on after it, from above.
                number = after_node(number, height);
                height += 1;
                if height > TOP || number >= PID_MAX_LIMIT {
                    return None;
                }
                while digit(number, height) == 0 {
                    height += 1; // The node above is exhausted as well.
                    if height > TOP {
                        return None;
                    }
                }
                continue;
            }
            let child = fits.trailing_zeros();
            if child != here {
                let shift = BITS as usize * height;
                number = ((number >> shift & !63) | child) << shift;
            }
            if height == 0 {
                return Some(number);
            }
            let node = arena.nodes.at(path[height]);
            if node.present >> child & 1 == 0 {
                return Some(number); // Nothing there yet: all of it is free.
            }
            height -= 1;
            path[height] = node.children[child as usize];
        }
    }

    /// Returns the path to the leaf of `number`, if that exists.
    #[inline]
    fn path(&self, arena: &MapArena, number: u32) -> Option<Path> {
        if self.root == NONE {
            return None;
        }
        let mut path: Path = [self.root; TOP + 1];
        for height in (1..=TOP).rev() {
            let node = arena.nodes.at(path[height]);
            let child = digit(number, height);
            if node.present >> child & 1 == 0 {
                return None;
            }
            path[height - 1] = node.children[child as usize];
        }
        Some(path)
    }

    /// Marks a free number. Nothing has changed if it fails.
    fn set(&mut self, arena: &mut MapArena, number: u32, value: u32) -> Result<()> {
        if self.hot.prefix != number >> BITS {
            let path = match self.path(arena, number) {
                Some(path) => path,
                None => self.grow(arena, number)?,
            };
            self.hot = Hot { prefix: number >> BITS, path };
        }
        let entry = arena.leaves.at_mut(self.hot.path[0]);
        let bit = digit(number, 0);
        entry.used |= 1 << bit;
        entry.values[bit as usize] = value;
        if entry.used == u64::MAX {
            self.mark_full(arena, number);
        }
        Ok(())
    }

    /// The hot leaf, that of `number`, has become full; so may the nodes above it.
    fn mark_full(&self, arena: &mut MapArena, number: u32) {
        for height in 1..=TOP {
            let node = arena.nodes.at_mut(self.hot.path[height]);
            node.full |= 1 << digit(number, height);
            if node.full != u64::MAX {
                return;
            }
        }
    }

    /// The hot leaf, that of `number`, was full and is not any more.
    fn unmark_full(&self, arena: &mut MapArena, number: u32) {
        for height in 1..=TOP {
            arena.nodes.at_mut(self.hot.path[height]).full &= !(1 << digit(number, height));
        }
    }

    /// Makes the nodes that are missing above `number`, all or none.
    fn grow(&mut self, arena: &mut MapArena, number: u32) -> Result<Path> {
        arena.nodes.prepare(TOP)?;
        arena.leaves.prepare(1)?;
        if self.root == NONE {
            self.root = arena.nodes.take();
        }
        let mut path: Path = [self.root; TOP + 1];
        for height in (1..=TOP).rev() {
            let child = digit(number, height);
            if arena.nodes.at(path[height]).present >> child & 1 == 0 {
                let fresh = if height == 1 { arena.leaves.take() } else { arena.nodes.take() };
                let node = arena.nodes.at_mut(path[height]);
                node.present |= 1 << child;
                node.children[child as usize] = fresh;
            }
            path[height - 1] = arena.nodes.at(path[height]).children[child as usize];
        }
        Ok(path)
    }

    /// Frees a taken number.
    pub fn remove(&mut self, arena: &mut MapArena, number: u32) {
        if self.hot.prefix != number >> BITS {
            let Some(path) = self.path(arena, number) else {
                return;
            };
            self.hot = Hot { prefix: number >> BITS, path };
        }
        let entry = arena.leaves.at_mut(self.hot.path[0]);
        let was_full = entry.used == u64::MAX;
        entry.used &= !(1 << digit(number, 0));
        let empty = entry.used == 0;
        if was_full {
            self.unmark_full(arena, number);
        }
        if empty && self.spare >> BITS != number >> BITS {
            let old = core::mem::replace(&mut self.spare, number);
            self.prune(arena, old);
        }
    }

    /// Gives back the leaf above `number` if it is empty, and what was only there for its sake.
    fn prune(&mut self, arena: &mut MapArena, number: u32) {
        if number == NONE {
            return;
        }
        let Some(path) = self.path(arena, number) else {
            return;
        };
        if arena.leaves.at(path[0]).used != 0 {
            return;
        }
        if self.hot.path[0] == path[0] {
            self.hot = Hot::COLD;
        }
        arena.leaves.give(path[0]);
        for (height, &at) in path.iter().enumerate().skip(1) {
            let node = arena.nodes.at_mut(at);
            node.present &= !(1 << digit(number, height));
            if node.present != 0 {
                return;
            }
            arena.nodes.give(at);
        }
        self.root = NONE;
    }

    /// Gives back what an empty map still holds.
    pub fn clear(&mut self, arena: &mut MapArena) {
        let spare = core::mem::replace(&mut self.spare, NONE);
        self.prune(arena, spare);
        debug_assert_eq!(self.root, NONE, "only an empty map is cleared");
    }
}

#[cfg(test)]
#[path = "pidmap_tests.rs"]
mod tests;
