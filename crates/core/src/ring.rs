//! Intrusive doubly linked rings over a slab: the lists of the process table, without memory of their own.
//!
//! A list is an `Option<I>` that names its first node; the first node's `prev` is the last. Which list a link
//! belongs to is a marker type `L`, so one node can be on several.

use crate::id::Index;
use crate::slab::Slab;

/// The two links of a node; both `None` while it is on no ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links<I> {
    next: Option<I>,
    prev: Option<I>,
}

impl<I> Links<I> {
    pub(crate) const UNLINKED: Self = Self { next: None, prev: None };
}

/// Tells where a node keeps its links of ring `L`.
pub(crate) trait Linked<I, L> {
    fn links(&self) -> &Links<I>;
    fn links_mut(&mut self) -> &mut Links<I>;
}

/// Appends `node`.
pub(crate) fn push_back<I: Index, T: Linked<I, L>, L>(
    slab: &mut Slab<I, T>,
    head: &mut Option<I>,
    node: I,
) {
    let Some(first) = *head else {
        *slab[node].links_mut() = Links { next: Some(node), prev: Some(node) };
        *head = Some(node);
        return;
    };
    let last = slab[first].links().prev;
    *slab[node].links_mut() = Links { next: Some(first), prev: last };
    slab[first].links_mut().prev = Some(node);
    if let Some(last) = last {
        slab[last].links_mut().next = Some(node);
    }
}

/// Puts `node` before all others.
pub(crate) fn push_front<I: Index, T: Linked<I, L>, L>(
    slab: &mut Slab<I, T>,
    head: &mut Option<I>,
    node: I,
) {
    push_back(slab, head, node);
    *head = Some(node);
}

/// Takes `node` out of the ring that `head` names.
pub(crate) fn remove<I: Index, T: Linked<I, L>, L>(
    slab: &mut Slab<I, T>,
    head: &mut Option<I>,
    node: I,
) {
    let links = core::mem::replace(slab[node].links_mut(), Links::UNLINKED);
    let (Some(next), Some(prev)) = (links.next, links.prev) else {
        return;
    };
    if next == node {
        *head = None;
        return;
    }
    slab[prev].links_mut().next = Some(next);
    slab[next].links_mut().prev = Some(prev);
    if *head == Some(node) {
        *head = Some(next);
    }
}

/// Returns the node after `node`, `None` after the last.
pub(crate) fn after<I: Index, T: Linked<I, L>, L>(
    slab: &Slab<I, T>,
    head: Option<I>,
    node: I,
) -> Option<I> {
    slab[node].links().next.filter(|&next| Some(next) != head)
}

/// Visits the ring from its first node.
pub(crate) fn iter<I: Index, T: Linked<I, L>, L>(
    slab: &Slab<I, T>,
    head: Option<I>,
) -> impl Iterator<Item = I> {
    core::iter::successors(head, move |&node| after(slab, head, node))
}
