//! The child's stack: a piece of the heap.
//!
//! A mapping of its own, with a guard page, would cost a launch four system calls and a flush of the TLB. What runs on it
//! is `child.rs` alone, with no recursion, no handler and no library below it; a test sees to it that half is never used.

use std::ffi::c_void;
use std::mem::MaybeUninit;

const WORDS: usize = 1024;

pub(super) struct Stack(Box<[MaybeUninit<u128>]>);

impl Stack {
    pub(super) fn new() -> Self {
        Self(Box::new_uninit_slice(WORDS))
    }

    /// The lowest address, as clone3(2) wants it.
    pub(super) fn base(&mut self) -> *mut c_void {
        self.0.as_mut_ptr().cast::<c_void>()
    }

    /// In bytes: a multiple of 16, as the stack has to be aligned.
    pub(super) fn size(&self) -> usize {
        size_of_val(&*self.0)
    }

    /// Fills it with a pattern, to see later what was used.
    #[cfg(test)]
    pub(super) fn paint(&mut self) {
        self.0.fill(MaybeUninit::new(PATTERN));
    }

    /// How many bytes were used since [`paint`](Self::paint).
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        // SAFETY: `paint` has initialised every word.
        let untouched = self.0.iter().take_while(|word| unsafe { word.assume_init() } == PATTERN);
        self.size() - untouched.count() * size_of::<u128>()
    }
}

#[cfg(test)]
const PATTERN: u128 = 0x5ac3_5ac3_5ac3_5ac3_5ac3_5ac3_5ac3_5ac3;
