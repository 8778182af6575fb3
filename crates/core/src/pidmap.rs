//! The map from numbers to pid objects of one namespace: a 64-ary tree with a bitmap per node.
//!
//! Allocation is cyclic from a cursor and wraps to [`RESERVED`]; allocate, free, look up and *next* cost one step per
//! tree level ([`DEPTH`]), never a scan: each inner node knows which children hold something and which are full.
//! Nodes are made on demand and live in a [`MapArena`] that all namespaces of a task set share.
//! Neighbours: `pids.rs` allocates a number per level, `zap.rs` walks with [`PidMap::next`].

use crate::errno::{Errno, Result};
use crate::id::{LeafIx, NodeIx, PidIx};
use crate::slab::Slab;

/// After a wrap, numbers below this are not handed out again (kernel: `RESERVED_PIDS`). // NUM-08
pub(crate) const RESERVED: u32 = 300;
/// Upper end, exclusive, of every `pid_max` (kernel: `PID_MAX_LIMIT`).
pub const PID_MAX_LIMIT: u32 = 1 << 22;

/// Bits of a number that one tree level decides.
const BITS: u32 = 6;
/// Inner levels above the leaves: 64^4 numbers cover `PID_MAX_LIMIT`.
const DEPTH: u32 = 3;

/// Nodes of all maps.
#[derive(Clone, Debug)]
pub(crate) struct MapArena {
    pub(crate) nodes: Slab<NodeIx, Node>,
    pub(crate) leaves: Slab<LeafIx, Leaf>,
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Children that hold at least one number.
    present: u64,
    /// Children without a free number.
    full: u64,
    /// A node or, just above the leaves, a leaf; meaningful where `present` is set.
    children: [u32; 64],
}

#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    used: u64,
    pids: [Option<PidIx>; 64],
}

/// What the levels of a path share: which child a number is under.
fn digit(number: u32, height: u32) -> u32 {
    (number >> (BITS * height)) & 63
}

/// Bits `from..64`; none for 64.
fn from_bit(from: u32) -> u64 {
    u64::MAX.checked_shl(from).unwrap_or(0)
}

fn lowest(bits: u64) -> Option<u32> {
    (bits != 0).then(|| bits.trailing_zeros())
}

impl MapArena {
    pub(crate) const fn new() -> Self {
        Self { nodes: Slab::new(), leaves: Slab::new() }
    }

    fn new_node(&mut self) -> Result<NodeIx> {
        self.nodes.insert(Node { present: 0, full: 0, children: [0; 64] })
    }
}

/// The numbers of one namespace.
#[derive(Clone, Debug)]
pub(crate) struct PidMap {
    root: Option<NodeIx>,
    /// Where the next search starts: last number + 1.
    cursor: u32,
}

impl PidMap {
    pub(crate) const fn new() -> Self {
        Self { root: None, cursor: 0 }
    }

    /// Returns the last number that the cursor handed out, -1 before the first.
    pub(crate) fn last(&self) -> i32 {
        self.cursor as i32 - 1
    }

    /// Makes the next search start at `last + 1`. // SYS-01
    pub(crate) fn set_last(&mut self, last: u32) {
        self.cursor = last + 1;
    }

    /// Forgets what the cursor handed out.
    pub(crate) fn rewind(&mut self) {
        self.cursor = 0;
    }

    /// Takes the first free number from the cursor on, below `pid_max`, and wraps once. // NUM-06 NUM-07 NUM-08
    ///
    /// # Errors
    /// `EAGAIN` if every number is taken // NUM-09, `ENOMEM`.
    pub(crate) fn alloc(&mut self, arena: &mut MapArena, pid_max: u32, pid: PidIx) -> Result<u32> {
        // Once the cursor has passed the reserved range, that range is for set_tid only.
        let min = if self.cursor > RESERVED { RESERVED } else { 1 };
        let start = self.cursor.max(min);
        let number = match self.free_from(arena, start).filter(|&n| n < pid_max) {
            Some(number) => number,
            None => self.free_from(arena, min).filter(|&n| n < pid_max).ok_or(Errno::EAGAIN)?,
        };
        self.set(arena, number, pid)?;
        self.cursor = number + 1;
        Ok(number)
    }

    /// Takes this very number; the cursor stays. // TID-07
    ///
    /// # Errors
    /// `EEXIST` if it is taken // TID-03, `ENOMEM`.
    pub(crate) fn insert(&mut self, arena: &mut MapArena, number: u32, pid: PidIx) -> Result<()> {
        if self.get(arena, number).is_some() {
            return Err(Errno::EEXIST);
        }
        self.set(arena, number, pid)
    }

    /// Returns who has `number`.
    pub(crate) fn get(&self, arena: &MapArena, number: u32) -> Option<PidIx> {
        if number >= PID_MAX_LIMIT {
            return None;
        }
        let mut node = &arena.nodes[self.root?];
        for height in (1..=DEPTH).rev() {
            let child = digit(number, height);
            if node.present >> child & 1 == 0 {
                return None;
            }
            let below = node.children[child as usize];
            if height == 1 {
                return arena.leaves[leaf(below)].pids[digit(number, 0) as usize];
            }
            node = &arena.nodes[inner(below)];
        }
        None
    }

    /// Returns the first taken number at or after `from` (the 2007 patch's `next_pidmap`).
    pub(crate) fn next(&self, arena: &MapArena, from: u32) -> Option<(u32, PidIx)> {
        if from >= PID_MAX_LIMIT {
            return None;
        }
        next_under(arena, self.root?, DEPTH, from)
    }

    /// Returns the first free number at or after `from`, below `PID_MAX_LIMIT`.
    fn free_from(&self, arena: &MapArena, from: u32) -> Option<u32> {
        if from >= PID_MAX_LIMIT {
            return None;
        }
        match self.root {
            Some(root) => free_under(arena, root, DEPTH, from).filter(|&n| n < PID_MAX_LIMIT),
            None => Some(from),
        }
    }

    /// Marks a free number. Nothing has changed if it fails.
    fn set(&mut self, arena: &mut MapArena, number: u32, pid: PidIx) -> Result<()> {
        let root = match self.root {
            Some(root) => root,
            None => arena.new_node()?,
        };
        let result = set_under(arena, root, DEPTH, number, pid);
        if arena.nodes[root].present == 0 {
            arena.nodes.remove(root);
            self.root = None;
        } else {
            self.root = Some(root);
        }
        result.map(|_| ())
    }

    /// Frees a taken number; nodes that held nothing else go.
    pub(crate) fn remove(&mut self, arena: &mut MapArena, number: u32) {
        let Some(root) = self.root else { return };
        if clear_under(arena, root, DEPTH, number) {
            arena.nodes.remove(root);
            self.root = None;
        }
    }
}

fn inner(raw: u32) -> NodeIx {
    crate::id::Index::from_slot(raw)
}

fn leaf(raw: u32) -> LeafIx {
    crate::id::Index::from_slot(raw)
}

fn raw(ix: impl crate::id::Index) -> u32 {
    ix.slot()
}

/// The lowest number of child `child` of a node at `height` on the path of `number`.
fn child_base(number: u32, height: u32, child: u32) -> u32 {
    let above = BITS * (height + 1);
    (number >> above << above) | child << (BITS * height)
}

/// First taken number at or after `from` in the subtree of `node`, whose path is `from`'s.
fn next_under(arena: &MapArena, node: NodeIx, height: u32, from: u32) -> Option<(u32, PidIx)> {
    let here = &arena.nodes[node];
    let mut from = from;
    let mut child = lowest(here.present & from_bit(digit(from, height)))?;
    loop {
        let base = child_base(from, height, child);
        from = from.max(base);
        let below = here.children[child as usize];
        let found = if height == 1 {
            let leaf = &arena.leaves[leaf(below)];
            lowest(leaf.used & from_bit(digit(from, 0)))
                .and_then(|bit| leaf.pids[bit as usize].map(|pid| (base | bit, pid)))
        } else {
            next_under(arena, inner(below), height - 1, from)
        };
        if found.is_some() {
            return found;
        }
        // Only the child on the path can have nothing after `from`: this loops at most twice.
        child = lowest(here.present & from_bit(child + 1))?;
    }
}

/// First free number at or after `from` in the subtree of `node`.
fn free_under(arena: &MapArena, node: NodeIx, height: u32, from: u32) -> Option<u32> {
    let here = &arena.nodes[node];
    let mut from = from;
    let mut child = lowest(!here.full & from_bit(digit(from, height)))?;
    loop {
        let base = child_base(from, height, child);
        from = from.max(base);
        if here.present >> child & 1 == 0 {
            return Some(from);
        }
        let below = here.children[child as usize];
        let found = if height == 1 {
            lowest(!arena.leaves[leaf(below)].used & from_bit(digit(from, 0))).map(|bit| base | bit)
        } else {
            free_under(arena, inner(below), height - 1, from)
        };
        if found.is_some() {
            return found;
        }
        child = lowest(!here.full & from_bit(child + 1))?;
    }
}

/// Marks `number` in the subtree; says whether the subtree is full now.
fn set_under(
    arena: &mut MapArena,
    node: NodeIx,
    height: u32,
    number: u32,
    pid: PidIx,
) -> Result<bool> {
    let child = digit(number, height);
    let existing = arena.nodes[node].present >> child & 1 == 1;
    let below = arena.nodes[node].children[child as usize];
    let (below, full) = if height == 1 {
        let below = if existing {
            leaf(below)
        } else {
            arena.leaves.insert(Leaf { used: 0, pids: [None; 64] })?
        };
        let entry = &mut arena.leaves[below];
        let bit = digit(number, 0);
        entry.used |= 1 << bit;
        entry.pids[bit as usize] = Some(pid);
        (raw(below), entry.used == u64::MAX)
    } else {
        let child_node = if existing { inner(below) } else { arena.new_node()? };
        let full = set_under(arena, child_node, height - 1, number, pid);
        if full.is_err() && !existing {
            arena.nodes.remove(child_node);
        }
        (raw(child_node), full?)
    };
    let here = &mut arena.nodes[node];
    here.children[child as usize] = below;
    here.present |= 1 << child;
    here.full |= u64::from(full) << child;
    Ok(here.full == u64::MAX)
}

/// Clears `number` in the subtree; says whether the subtree holds nothing now.
fn clear_under(arena: &mut MapArena, node: NodeIx, height: u32, number: u32) -> bool {
    let child = digit(number, height);
    if arena.nodes[node].present >> child & 1 == 0 {
        return false;
    }
    let below = arena.nodes[node].children[child as usize];
    let empty = if height == 1 {
        let entry = &mut arena.leaves[leaf(below)];
        let bit = digit(number, 0);
        entry.used &= !(1 << bit);
        entry.pids[bit as usize] = None;
        entry.used == 0
    } else {
        clear_under(arena, inner(below), height - 1, number)
    };
    if empty && height == 1 {
        arena.leaves.remove(leaf(below));
    } else if empty {
        arena.nodes.remove(inner(below));
    }
    let here = &mut arena.nodes[node];
    here.full &= !(1 << child);
    here.present &= !(u64::from(empty) << child);
    here.present == 0
}

#[cfg(test)]
#[path = "pidmap_tests.rs"]
mod tests;
