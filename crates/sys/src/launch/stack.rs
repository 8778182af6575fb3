//! The child's stack: a few pages with a guard below.

use std::ffi::c_void;
use std::ptr;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

use crate::Result;

const GUARD: usize = 4096;
const SIZE: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Stack {
    mapping: *mut c_void,
}

impl Stack {
    pub(super) fn new() -> Result<Self> {
        // SAFETY: a new private mapping at an address that the kernel chooses overlaps nothing.
        let mapping = unsafe {
            rustix::mm::mmap_anonymous(
                ptr::null_mut(),
                GUARD + SIZE,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::STACK | MapFlags::NORESERVE,
            )?
        };
        let stack = Self { mapping };
        // SAFETY: the first page of our own mapping, which nothing uses yet.
        unsafe { rustix::mm::mprotect(mapping, GUARD, MprotectFlags::empty())? };
        Ok(stack)
    }

    /// The lowest usable address, as clone3(2) wants it.
    pub(super) fn base(&self) -> *mut c_void {
        self.mapping.wrapping_byte_add(GUARD)
    }

    pub(super) const fn size(&self) -> usize {
        SIZE
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our own mapping; the child that used it has executed or exited. A failure would leak 68 kB.
        let _ = unsafe { rustix::mm::munmap(self.mapping, GUARD + SIZE) };
    }
}
