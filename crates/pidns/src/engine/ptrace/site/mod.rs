//! Call sites that look at their arguments themselves.
//!
//! A question about a path costs far more than most calls that take one, and a compiler makes thousands, from a few places
//! in the C library. A place that asks again and again gets a [`stub`]: code that finds most paths to have nothing to do
//! with /proc, as [`path::may_be_in_proc`](super::path::may_be_in_proc) would, and then makes the call with a *key*, a
//! random number in an argument that the call has not. The filter lets that pass. Where the stub is in doubt, the call is made
//! without the key, and asked about as ever. The same is done for what every program does with SIGCHLD
//! ([`signal`](super::signal)); and one for getpid(2) [knows the number](number).
//!
//! The `mov` before the site's `syscall` is exchanged for a jump, an instruction for one of the same length. The stub is in
//! the zeros behind the code of the same file, up to the end of the page. Both are the process's private copies, made with
//! `/proc/PID/mem`; its children have them, and the next program that it executes has not. Nothing is remembered about a
//! process but its armed numbers: what is there is read.
//!
//! This is done only while the one thread that runs in the memory waits for its answer. A program that finds the key can
//! have its paths looked at by nobody, as it can have by a symbolic link; so it is done only where Landlock keeps the
//! processes outside out of its reach.

mod code;
mod files;
mod look;
mod number;
mod room;
mod stub;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Mutex;

use pidns_sys::memory_map::{FileId, Kind, Mapping, code_from};
use pidns_sys::ptrace::regs::Registers;
use pidns_sys::ptrace::{self, Tid};

use super::locks::{lock, lock_soon};
use super::memory;
use files::Files;
use room::{PAGE, Room};
use stub::{SITE, SIZE, Site, Stub};

pub(super) use files::Begun;
pub(super) use number::Armed;

/// How often a place asks before it gets a stub: the work costs as much as two questions.
const PATIENCE: u32 = 2;

/// A place that got none, because it cannot have one or its process has threads, is looked at this often.
const RARELY: u32 = 64;

/// The call sites of a job that look at paths themselves.
#[derive(Debug)]
pub(super) struct Sites {
    key: u64,
    /// The places that ask often, by the files that have them.
    known: Mutex<HashMap<FileId, Vec<Place>>>,
    /// Processes in whose memory another may run.
    mates: Mutex<HashSet<Tid>>,
}

/// A site, and where in its file it ends.
type Place = (u64, Site);

/// What places have asked how often, as far as it is remembered.
#[derive(Debug)]
pub(super) struct Counts {
    counts: Vec<Count>,
    hash: RandomState,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// The call, and where in its page the instruction is: that does not change from program to program.
    place: (i64, u64),
    asked: u32,
}

impl Counts {
    const REMEMBERED: usize = 1024;

    pub(super) fn new() -> Self {
        Self { counts: vec![Count::default(); Self::REMEMBERED], hash: RandomState::new() }
    }

    /// Notes a call at the instruction that ends there; says whether it is time for a stub.
    pub(super) fn add(&mut self, call: i64, after: u64) -> bool {
        let place = (call, after % PAGE as u64);
        let index = self.hash.hash_one(place) as usize % self.counts.len();
        let count = &mut self.counts[index];
        if count.place != place {
            *count = Count { place, asked: 0 };
        }
        count.asked = count.asked.saturating_add(1);
        count.asked >= PATIENCE
            && (count.asked.is_power_of_two() || count.asked.is_multiple_of(RARELY))
    }
}

impl Sites {
    pub(super) fn new(key: u64) -> Self {
        Self { key, known: Mutex::default(), mates: Mutex::default() }
    }

    /// Gives the place of a call, at the instruction that ends at `after`, a stub, if that can be, and all places of its file
    /// that are known: if not, it goes on asking. `waits` says whether who asks still does, and so has its number still.
    pub(super) fn learn(&self, tid: Tid, call: i64, after: u64, waits: impl Fn() -> bool) {
        let equipped = || {
            let site = Site::new(call, memory::read(tid, after.checked_sub(SITE as u64)?).ok()?)?;
            if lock_soon(&self.mates)?.contains(&tid) || !has_one_thread(tid) {
                return None;
            }
            let mut files = Files::of(tid)?;
            let code = code_from(&files.maps, after).ok()?;
            let offset = after.checked_sub(code.range.start)? + code.offset;
            let places = self.add(code.file, (offset, site))?;
            equip(&mut files, &code, &places, self.key, waits)
        };
        let _ = equipped();
    }

    /// Adds a place of a file, and returns all.
    fn add(&self, file: FileId, place: Place) -> Option<Vec<Place>> {
        let mut known = lock_soon(&self.known)?;
        let places = known.entry(file).or_default();
        if !places.contains(&place) {
            places.push(place);
        }
        Some(places.clone())
    }

    /// A program begins: gives all known places in the code at the address `start`, its loader's, stubs. The process is
    /// stopped, and has one thread.
    pub(super) fn begin(&self, begun: &mut Begun, tid: Tid, start: u64) {
        begun.take(tid);
        let Some(mut files) = self.files_to_change(tid, || Files::of(tid)) else { return };
        if let Ok(code) = code_from(&files.maps, start)
            && self.apply(&mut files, &code)
        {
            files.done = Some(code.file);
        }
        begun.keep(files);
    }

    /// It has loaded its libraries: the same for all of its files.
    pub(super) fn have_loaded(&self, begun: &mut Begun, tid: Tid) {
        let known = begun.take(tid);
        let Some(mut files) = self.files_to_change(tid, || known.or_else(|| Files::of(tid))) else {
            return;
        };
        let done = files.done;
        let mut left = lock(&self.known).len() - usize::from(done.is_some());
        let mut at = 0;
        while left > 0
            && let Ok(code) = code_from(&files.maps, at)
        {
            if done != Some(code.file) && self.apply(&mut files, &code) {
                left -= 1;
            }
            at = code.range.end;
        }
    }

    fn files_to_change(&self, tid: Tid, open: impl FnOnce() -> Option<Files>) -> Option<Files> {
        if lock(&self.known).is_empty() || lock(&self.mates).contains(&tid) {
            return None;
        }
        open()
    }

    /// Gives the known places in a file's code stubs; says whether there are any.
    fn apply(&self, files: &mut Files, code: &Mapping) -> bool {
        let places = lock(&self.known).get(&code.file).cloned();
        places.is_some_and(|places| {
            let _ = equip(files, code, &places, self.key, || true);
            true
        })
    }

    /// A process whose one thread runs in memory that nobody else does asks for its number, by the instruction that ends at
    /// `after`: if that is in a stub, it need not ask again.
    pub(super) fn arm(&self, armed: &mut Armed, tid: Tid, after: u64, number: i32) -> bool {
        let at = after.wrapping_sub(number::CALL_END as u64);
        let is_stub = at.is_multiple_of(SIZE as u64)
            && !lock(&self.mates).contains(&tid)
            && memory::read(tid, at).is_ok_and(|bytes| {
                stub::recognise(at, &bytes, self.key).is_some_and(|stub| stub.is_for_number())
            });
        if is_stub {
            armed.arm(tid, at + number::WORD as u64, number);
        }
        is_stub
    }

    /// A process has a child in its memory; `alone` says that nobody else runs there meanwhile.
    pub(super) fn share_memory(&self, parent: Tid, child: Tid, alone: bool) {
        let mut mates = lock(&self.mates);
        if !alone {
            mates.insert(parent);
        }
        if mates.contains(&parent) {
            mates.insert(child);
        }
    }

    /// A process has got memory of its own, or is gone.
    pub(super) fn part(&self, tid: Tid) {
        lock(&self.mates).remove(&tid);
    }

    /// Where a task goes on that has faulted in a stub, because the path cannot be read or the stack has ended: what stood
    /// at the site would not have faulted.
    pub(super) fn after_fault(&self, tid: Tid, before: &Registers) -> Option<Registers> {
        let offset = before.instruction_pointer() % SIZE as u64;
        let at = before.instruction_pointer() - offset;
        let bytes = memory::read(tid, at).ok()?;
        let (to, stack) = stub::recognise(at, &bytes, self.key)?.after_fault(offset as usize)?;
        let mut registers = *before;
        registers.jump(at + to as u64);
        registers.set_stack_pointer(before.stack_pointer() + stack);
        Some(registers)
    }
}

/// Gives places in a file's code stubs, as far as there is room.
fn equip(
    files: &mut Files,
    code: &Mapping,
    places: &[Place],
    key: u64,
    waits: impl Fn() -> bool,
) -> Option<()> {
    let tid = files.tid;
    if code.kind != Kind::READABLE | Kind::EXECUTABLE {
        return None;
    }
    let here: Vec<(u64, &Site)> = places
        .iter()
        .filter_map(|(offset, site)| {
            let after = (code.range.start + offset).checked_sub(code.offset)?;
            code.range.contains(&after).then_some((after, site))
        })
        .collect();
    let mut found = vec![[0; SITE]; here.len()];
    let (mut page, start) = ([0; PAGE], code.range.end.checked_sub(PAGE as u64)?);
    let sites = here.iter().map(|(after, _)| after - SITE as u64).zip(&mut found);
    let mut pieces: Vec<(u64, &mut [u8])> =
        sites.map(|(at, bytes)| (at, bytes.as_mut_slice())).collect();
    pieces.push((start, &mut page));
    ptrace::read_pieces(tid, &mut pieces).ok()?;
    // The others have theirs.
    let here = here.into_iter().zip(found).filter(|((_, site), found)| site.code() == *found);
    let room = Room::of(start, &page, key);
    let stubs =
        here.zip(room).map_while(|(((after, site), _), at)| stub::stub(at, after, site, key));
    let stubs: Vec<Stub> = stubs.collect();
    let lowest = stubs.last()?.at;
    let memory = files.memory()?;
    // The memory is of whom it was opened for.
    if !waits() {
        return None;
    }
    // Upwards, as one piece.
    let code: Vec<u8> = stubs.iter().rev().flat_map(|stub| stub.bytes).collect();
    memory.write_all_at(&code, lowest).ok()?;
    for stub in &stubs {
        memory.write_all_at(&stub.jump, stub.site).ok()?;
    }
    Some(())
}

fn has_one_thread(tid: Tid) -> bool {
    // The directory itself, its parent's name for it, and one for each thread.
    fs::metadata(format!("/proc/{tid}/task")).is_ok_and(|tasks| tasks.nlink() == 3)
}
