//! Call sites that see to themselves.
//!
//! A question about a path costs far more than most calls that take one, and a compiler makes thousands, from a few places
//! in the C library. A place that asks again and again gets a [`stub`]: code that finds most paths to have nothing to do
//! with /proc, as [`path::may_be_in_proc`](super::path::may_be_in_proc) would, and then makes the call with a *key*, a
//! random number in an argument that the call has not. The filter lets that pass. Where the stub is in doubt, the call is made
//! without the key, and asked about as ever. The same is done for what every program does with SIGCHLD
//! ([`signal`](super::signal)). Some have a [`switch`]: getpid(2), vfork(2), posix_spawn(3), and a wait4(2) that does not wait.
//!
//! The `mov` before the site's `syscall` is exchanged for a jump, an instruction for one of the same length. The stub is in
//! the zeros behind the code of the same file, up to the end of the page. Both are the process's private copies; its children
//! have them, and the next program that it executes has not. Each page that is exchanged costs as much as a question, so a
//! program gets stubs for the places where the same program has asked before ([`known`]). Where its files' code is was looked
//! up for that one too; what is there is read before it is exchanged. Nothing is remembered about a process but what it runs,
//! and its switches.
//!
//! This is done only while the one thread that runs in the memory waits for its answer. A program that finds the key can
//! have its paths looked at by nobody, as it can have by a symbolic link; so it is done only where Landlock keeps the
//! processes outside out of its reach.

mod birth;
mod code;
mod count;
mod equip;
mod files;
mod known;
mod look;
mod number;
mod peek;
mod program;
mod room;
mod stub;
mod switch;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

use pidns_sys::memory_map::{Mapping, code_from};
use pidns_sys::ptrace::Tid;
use pidns_sys::ptrace::regs::Registers;

use super::locks::{lock, lock_soon};
use super::memory;
use equip::{Plan, site_of};
use files::Files;
use known::Known;
use program::Program;
use stub::Stub;

pub(super) use birth::FLAGS as BIRTH_FLAGS;
pub(super) use count::Counts;
pub(super) use equip::Wanted;
pub(super) use files::Begun;
pub(super) use peek::OPTIONS as PEEK_OPTIONS;
pub(super) use switch::Switches;

/// The argument with the key: none of the calls has six.
pub(super) const KEY_ARGUMENT: usize = 5;

/// So many stubs are written by words.
const FEW: usize = 5;

/// The call sites of a job that see to themselves.
#[derive(Debug)]
pub(super) struct Sites {
    key: u64,
    known: Mutex<Known>,
    /// What processes run.
    programs: Mutex<HashMap<Tid, Program>>,
    /// Processes in whose memory another may run.
    mates: Mutex<HashSet<Tid>>,
}

impl Sites {
    pub(super) fn new(key: u64) -> Self {
        Self { key, known: Mutex::default(), programs: Mutex::default(), mates: Mutex::default() }
    }

    /// Gives the place of a call, at the instruction that ends at `after`, a stub, if that can be, and all places of its file
    /// where the program asks: if not, it goes on asking. `waits` says whether who asks still does, and so has its number still.
    pub(super) fn learn(&self, tid: Tid, call: i64, after: u64, waits: impl Fn() -> bool) {
        let equipped = || {
            let site = site_of(tid, call, after)?;
            if lock_soon(&self.mates)?.contains(&tid) || !has_one_thread(tid) {
                return None;
            }
            let mut files = Files::of(tid);
            let code = code_from(files.maps()?, after).ok()?;
            let offset = after.checked_sub(code.range.start)? + code.offset;
            let program = self.program(tid);
            let mut known = lock_soon(&self.known)?;
            known.add(code.file, (offset, site), program);
            let places = known.places(code.file, Some(program));
            drop(known);
            let plan = Plan::of(tid, &code, &places, self.key)?;
            plan.carry_out(&mut files, Wanted::NONE, waits)
        };
        let _ = equipped();
    }

    /// What a process runs, as far as that is known.
    pub(super) fn program(&self, tid: Tid) -> Program {
        let programs = lock_soon(&self.programs);
        programs.and_then(|programs| programs.get(&tid).copied()).unwrap_or_default()
    }

    /// A process has a child that runs the same.
    pub(super) fn inherit(&self, parent: Tid, child: Tid) {
        let mut programs = lock(&self.programs);
        if let Some(program) = programs.get(&parent).copied() {
            programs.insert(child, program);
        }
    }

    /// A program begins: all known places in the code at the address `start`, its loader's, get stubs. The process is stopped,
    /// with its stack ending at `stack`, and has one thread.
    pub(super) fn begin(
        &self,
        begun: &mut Begun,
        switches: &mut Switches,
        tid: Tid,
        (start, stack): (u64, u64),
        wanted: Wanted,
    ) {
        begun.take(tid);
        self.part(tid);
        let program = Program::begun(tid, stack);
        lock(&self.programs).insert(tid, program);
        let known = lock(&self.known);
        if known.is_empty() {
            return;
        }
        let by_words = known.count(program).is_some_and(|count| count <= FEW);
        let expected = known.loader(program, start);
        drop(known);
        let mut files = Files::begun(tid, start, by_words);
        let mut fresh = Fresh { sites: self, files: &mut files, switches, wanted, program };
        let done = expected.filter(|code| fresh.change_expected(code, None)).or_else(|| {
            let code = code_from(fresh.files.maps()?, start).ok()?;
            fresh.change(&code, None);
            Some(code)
        });
        files.done = done.map(|code| code.file);
        begun.keep(files);
    }

    /// It has loaded its libraries: the same for the places where it asks.
    pub(super) fn have_loaded(
        &self,
        begun: &mut Begun,
        switches: &mut Switches,
        tid: Tid,
        wanted: Wanted,
    ) {
        if !self.is_alone(tid) {
            return;
        }
        let program = self.program(tid);
        let mut files = begun.take(tid).unwrap_or_else(|| Files::of(tid));
        let known = lock(&self.known);
        let mut left = known.files(program, files.done);
        let expected: Vec<Mapping> = files.start.map_or_else(Vec::new, |start| {
            left.iter().filter_map(|file| known.code(program, start, *file)).collect()
        });
        drop(known);
        let mut fresh = Fresh { sites: self, files: &mut files, switches, wanted, program };
        for code in expected {
            if fresh.change_expected(&code, Some(program)) {
                left.retain(|file| *file != code.file);
            }
        }
        let mut at = 0;
        while !left.is_empty()
            && let Some(maps) = fresh.files.maps()
            && let Ok(code) = code_from(maps, at)
        {
            if left.contains(&code.file) {
                fresh.change(&code, Some(program));
                left.retain(|file| *file != code.file);
            }
            at = code.range.end;
        }
    }

    /// Notes the switch of the stub in which the instruction is that ends at `after`; says whether there is one.
    pub(super) fn note_switch(&self, switches: &mut Switches, tid: Tid, after: u64) -> bool {
        let (at, offset) = stub::around(after);
        if switches.have(at) {
            return true;
        }
        let makes_calls = stub::CALLS.contains(&offset);
        let bytes = || memory::read(tid, at).ok().filter(|_| makes_calls);
        let kind = bytes().and_then(|bytes| stub::recognise(at, &bytes, self.key)?.kind);
        if let Some(kind) = kind {
            switches.add(at, kind, false);
        }
        kind.is_some()
    }

    /// A task that stops for the first time was made by the stub in which it is: `result` is what its maker is to return.
    pub(super) fn tell(
        &self,
        switches: &mut Switches,
        child: Tid,
        registers: &Registers,
        result: i32,
    ) {
        let (at, _) = stub::around(registers.instruction_pointer());
        switches.tell(child, at, result);
    }

    /// Where a task goes on that is interrupted where a switch matters, since that may change meanwhile: at the switch, if it is
    /// in that; with what it was [told](Self::tell), if it has not looked yet.
    pub(super) fn after_interrupt(
        &self,
        switches: &Switches,
        tid: Tid,
        before: &Registers,
    ) -> Option<Registers> {
        let (at, offset) = stub::around(before.instruction_pointer());
        if !switches.have(at) {
            return None;
        }
        if (switch::WORD..switch::END).contains(&offset) {
            let mut registers = *before;
            registers.jump(at + switch::WORD as u64);
            return Some(registers);
        }
        let number = switches.told(at)?;
        let bytes = memory::read(tid, at).ok()?;
        stub::recognise(at, &bytes, self.key)?.after_birth(offset, before, number)
    }

    /// Says whether a task that stops for the first time was made by a call with the key.
    pub(super) fn have_made(&self, registers: &Registers) -> bool {
        registers.argument(KEY_ARGUMENT) == self.key
    }

    /// Says whether nobody runs in a process's memory beside it.
    pub(super) fn is_alone(&self, tid: Tid) -> bool {
        !lock(&self.mates).contains(&tid)
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
        lock(&self.programs).remove(&tid);
    }

    /// Where a task goes on that has faulted in a stub, because the path cannot be read or the stack has ended: what stood
    /// at the site would not have faulted.
    pub(super) fn after_fault(&self, tid: Tid, before: &Registers) -> Option<Registers> {
        let (at, offset) = stub::around(before.instruction_pointer());
        let bytes = memory::read(tid, at).ok()?;
        let (to, stack) = stub::recognise(at, &bytes, self.key)?.after_fault(offset)?;
        let mut registers = *before;
        registers.jump(at + to as u64);
        registers.set_stack_pointer(before.stack_pointer() + stack);
        Some(registers)
    }
}

/// A process whose program has just begun, or loaded its libraries.
struct Fresh<'a> {
    sites: &'a Sites,
    files: &'a mut Files,
    switches: &'a mut Switches,
    wanted: Wanted,
    program: Program,
}

impl Fresh<'_> {
    /// Gives the places in a file's code stubs, of one program or all.
    fn change(&mut self, code: &Mapping, of: Option<Program>) {
        let Some(plan) = self.plan(code, of) else { return };
        if let Some(start) = self.files.start.filter(|_| plan.is_whole) {
            lock(&self.sites.known).note(self.program, start, code, &plan.page);
        }
        self.carry_out(plan);
    }

    /// The same, if the code is what it is expected to be, where it is.
    fn change_expected(&mut self, code: &Mapping, of: Option<Program>) -> bool {
        let is_code =
            |plan: &Plan| plan.is_whole && lock(&self.sites.known).is_page(code.file, &plan.page);
        let Some(plan) = self.plan(code, of).filter(is_code) else { return false };
        self.carry_out(plan);
        true
    }

    fn plan(&self, code: &Mapping, of: Option<Program>) -> Option<Plan> {
        let places = lock(&self.sites.known).places(code.file, of);
        Plan::of(self.files.tid, code, &places, self.sites.key)
    }

    fn carry_out(&mut self, plan: Plan) {
        let stubs: Vec<Stub> = plan.carry_out(self.files, self.wanted, || true).unwrap_or_default();
        for stub in &stubs {
            if let Some(kind) = stub.kind.filter(|kind| *kind != switch::Kind::Number) {
                self.switches.add(stub.at, kind, self.wanted.has(stub));
            }
        }
    }
}

fn has_one_thread(tid: Tid) -> bool {
    // The directory itself, its parent's name for it, and one for each thread.
    fs::metadata(format!("/proc/{tid}/task")).is_ok_and(|tasks| tasks.nlink() == 3)
}
