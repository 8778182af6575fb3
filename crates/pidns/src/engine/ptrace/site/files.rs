//! What /proc has of a process's memory. To open these files takes longer than most of what is done with them, there and at
//! the process's end: so they are opened when they are needed, and little is written by words instead.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

use pidns_sys::memory_map::FileId;
use pidns_sys::ptrace::{self, Tid};

use super::super::memory;

/// A process's memory, to be changed.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) tid: Tid,
    maps: Option<File>,
    memory: Option<File>,
    /// The process is stopped for us, and so little is written that it is done by words.
    by_words: bool,
    /// Where its program has begun, if that is known.
    pub(super) start: Option<u64>,
    /// The file whose code has been seen to already.
    pub(super) done: Option<FileId>,
}

impl Files {
    pub(super) fn of(tid: Tid) -> Self {
        Self { tid, maps: None, memory: None, by_words: false, start: None, done: None }
    }

    /// Those of a program that begins at `start`, in a process that is stopped for us.
    pub(super) fn begun(tid: Tid, start: u64, by_words: bool) -> Self {
        Self { start: Some(start), by_words, ..Self::of(tid) }
    }

    pub(super) fn maps(&mut self) -> Option<&File> {
        if self.maps.is_none() {
            self.maps = File::open(format!("/proc/{}/maps", self.tid)).ok();
        }
        self.maps.as_ref()
    }

    /// The memory is of whom it is opened for: the number is still the process's if `waits` says so afterwards.
    pub(super) fn open(&mut self, waits: impl Fn() -> bool) -> Option<()> {
        if !self.by_words && self.memory.is_none() {
            let path = format!("/proc/{}/mem", self.tid);
            self.memory = OpenOptions::new().write(true).open(path).ok();
        }
        ((self.by_words || self.memory.is_some()) && waits()).then_some(())
    }

    /// Writes code, of which the process has its own copy then.
    pub(super) fn write(&self, at: u64, bytes: &[u8]) -> Option<()> {
        match &self.memory {
            Some(memory) => memory.write_all_at(bytes, at).ok(),
            None => self.write_words(at, bytes),
        }
    }

    fn write_words(&self, at: u64, bytes: &[u8]) -> Option<()> {
        const WORD: usize = 8;
        for (at, part) in (at..).step_by(WORD).zip(bytes.chunks(WORD)) {
            let mut word = [0; WORD];
            if part.len() < WORD {
                word = memory::read(self.tid, at).ok()?;
            }
            word[..part.len()].copy_from_slice(part);
            ptrace::write_word(self.tid, at, u64::from_le_bytes(word)).ok()?;
        }
        Some(())
    }
}

/// Programs that have begun and not loaded their libraries yet: the last few.
#[derive(Debug, Default)]
pub(in super::super) struct Begun(VecDeque<Files>);

impl Begun {
    const MOST: usize = 8;

    pub(super) fn keep(&mut self, files: Files) {
        self.0.truncate(Self::MOST - 1);
        self.0.push_front(files);
    }

    pub(super) fn take(&mut self, tid: Tid) -> Option<Files> {
        let index = self.0.iter().position(|files| files.tid == tid)?;
        self.0.remove(index)
    }
}
