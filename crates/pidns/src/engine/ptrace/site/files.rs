//! What /proc has of a program's memory: to open these files takes longer than most of what is done with them.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};

use pidns_sys::memory_map::FileId;
use pidns_sys::ptrace::Tid;

/// The files of one program.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) tid: Tid,
    pub(super) maps: File,
    /// Opened when it is needed.
    memory: Option<File>,
    /// The file whose code has been seen to already.
    pub(super) done: Option<FileId>,
}

impl Files {
    pub(super) fn of(tid: Tid) -> Option<Self> {
        let maps = File::open(format!("/proc/{tid}/maps")).ok()?;
        Some(Self { tid, maps, memory: None, done: None })
    }

    pub(super) fn memory(&mut self) -> Option<&File> {
        if self.memory.is_none() {
            let path = format!("/proc/{}/mem", self.tid);
            self.memory = OpenOptions::new().write(true).open(path).ok();
        }
        self.memory.as_ref()
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
