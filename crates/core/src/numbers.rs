//! Storage for the numbers that a pid object has in the ancestors of its namespace: one pool per level, so that a
//! task at level *n* costs exactly *n* words here, and one at level 0 none.

use alloc::vec::Vec;

use crate::errno::{Errno, Result};

const CHUNK: usize = 128;
const NONE: u32 = u32::MAX;

/// One pool per level, made when the level is first used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    pools: Vec<Pool>,
    denied: bool,
}

/// Rows of `stride` words; a free row's first word names the next free row.
#[derive(Clone, Debug)]
struct Pool {
    stride: usize,
    chunks: Vec<Vec<u32>>,
    free: u32,
    top: u32,
}

impl Numbers {
    /// Takes a row of `level` words.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn claim(&mut self, level: usize) -> Result<u32> {
        if level == 0 {
            return Ok(NONE);
        }
        if self.denied {
            return Err(Errno::ENOMEM);
        }
        while self.pools.len() < level {
            self.pools.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            let stride = self.pools.len() + 1;
            self.pools.push(Pool { stride, chunks: Vec::new(), free: NONE, top: 0 });
        }
        self.pools[level - 1].claim()
    }

    /// Gives a row back.
    pub(crate) fn release(&mut self, level: usize, row: u32) {
        if level > 0 {
            let pool = &mut self.pools[level - 1];
            let free = pool.free;
            pool.row(row)[0] = free;
            pool.free = row;
        }
    }

    /// Returns the number at `at`, a level below `level`.
    pub(crate) fn get(&self, level: usize, row: u32, at: usize) -> u32 {
        let pool = &self.pools[level - 1];
        pool.chunks[row as usize / CHUNK][row as usize % CHUNK * pool.stride + at]
    }

    /// Stores the number at `at`, a level below `level`.
    pub(crate) fn set(&mut self, level: usize, row: u32, at: usize, number: u32) {
        self.pools[level - 1].row(row)[at] = number;
    }

    /// Makes every further claim fail, or succeed again.
    #[cfg(any(test, feature = "check"))]
    pub(crate) fn deny(&mut self, denied: bool) {
        self.denied = denied;
    }
}

impl Pool {
    fn claim(&mut self) -> Result<u32> {
        if self.free != NONE {
            let row = self.free;
            self.free = self.row(row)[0];
            return Ok(row);
        }
        if (self.top as usize).is_multiple_of(CHUNK) {
            let mut chunk = Vec::new();
            chunk.try_reserve_exact(CHUNK * self.stride).map_err(|_| Errno::ENOMEM)?;
            chunk.resize(CHUNK * self.stride, 0);
            self.chunks.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            self.chunks.push(chunk);
        }
        self.top += 1;
        Ok(self.top - 1)
    }

    fn row(&mut self, row: u32) -> &mut [u32] {
        let at = row as usize % CHUNK * self.stride;
        &mut self.chunks[row as usize / CHUNK][at..at + self.stride]
    }
}
