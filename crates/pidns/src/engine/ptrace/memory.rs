//! Guests' memory.

use pidns_sys::ptrace::{self, Tid};
use pidns_sys::{Errno, Result};

/// What the kernel keeps its hands off below the stack's end, and we too.
const RED_ZONE: u64 = 128;

const PAGE: u64 = 4096;

/// Reads `N` bytes.
pub(super) fn read<const N: usize>(tid: Tid, at: u64) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    match ptrace::read_memory(tid, at, &mut bytes)? {
        n if n == N => Ok(bytes),
        _ => Err(Errno::FAULT),
    }
}

pub(super) fn read_i32(tid: Tid, at: u64) -> Result<i32> {
    read(tid, at).map(i32::from_ne_bytes)
}

pub(super) fn read_u64(tid: Tid, at: u64) -> Result<u64> {
    read(tid, at).map(u64::from_ne_bytes)
}

/// Reads up to `length` bytes.
pub(super) fn read_up_to(tid: Tid, at: u64, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let read = ptrace::read_memory(tid, at, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

pub(super) fn write(tid: Tid, at: u64, bytes: &[u8]) -> Result<()> {
    ptrace::write_memory(tid, at, bytes)
}

pub(super) fn write_i32(tid: Tid, at: u64, value: i32) -> Result<()> {
    write(tid, at, &value.to_ne_bytes())
}

/// A path in a guest's memory, without its final zero. Its first bytes tell most paths apart: `buffer` is used again
/// and again, and the rest is read only where it is needed.
#[derive(Debug, Default)]
pub(super) struct PathBuffer {
    bytes: Vec<u8>,
}

impl PathBuffer {
    const FIRST: u64 = 256;
    const MOST: usize = 4096;

    /// Reads a path of up to 4095 bytes.
    ///
    /// # Errors
    /// `EFAULT`; `ENAMETOOLONG`.
    pub(super) fn read(&mut self, tid: Tid, at: u64) -> Result<&[u8]> {
        let mut length = 0;
        loop {
            // Not beyond the page: what follows may not be there.
            let from = at.wrapping_add(length as u64);
            let more = (PAGE - from % PAGE).min(Self::FIRST) as usize;
            if self.bytes.len() < length + more {
                self.bytes.resize(length + more, 0);
            }
            let read = ptrace::read_memory(tid, from, &mut self.bytes[length..length + more])?;
            if let Some(end) = self.bytes[length..length + read].iter().position(|byte| *byte == 0)
            {
                return Ok(&self.bytes[..length + end]);
            }
            length += read;
            if read < more {
                return Err(Errno::FAULT);
            }
            if length >= Self::MOST {
                return Err(Errno::NAMETOOLONG);
            }
        }
    }
}

/// Room for `length` bytes below the stack that ends at `stack`, where nothing is kept across a call.
pub(super) const fn scratch(stack: u64, length: usize) -> u64 {
    (stack - RED_ZONE - length as u64) & !15
}
