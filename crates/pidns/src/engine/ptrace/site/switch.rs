//! The parts of stubs that are exchanged while a process lives: *switches*, a word each.
//!
//! A stub that has one is off, and then makes its call as ever, or on. Which stubs are on depends on who runs in the memory:
//!
//! * A [number](super::number) is right as long as one process with one thread does.
//! * A [birth](super::birth) has one thread too, and is off while a child is in the memory.
//! * A [peek](super::peek) asks the host, and is off where core may know of children that the host does not.
//!
//! A child that has a copy of the memory has the same switches, as they are; so has one in the same memory.

use pidns_sys::abi;
use pidns_sys::ptrace::{self, Tid};

use super::super::memory;
use super::{birth, number, peek};

/// Where in its stub the word is: behind what all stubs begin with.
pub(super) const WORD: usize = 10;
/// How long it is.
const LENGTH: usize = 8;
/// Where it ends.
pub(super) const END: usize = WORD + LENGTH;

pub(super) type Word = [u8; LENGTH];

/// `nop`, as long as a short jump, or a `syscall`.
pub(super) const NOP: [u8; 2] = [0x66, 0x90];

/// What a stub with a switch does when that is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It knows the process's number.
    Number,
    /// It makes a child, for which nobody stops but the child.
    Birth,
    /// It looks whether there is a child to be waited for.
    Peek,
}

impl Kind {
    /// That of a call's stub, if it has a switch.
    pub(super) fn of(call: i64) -> Option<Self> {
        match call {
            abi::SYS_getpid => Some(Self::Number),
            abi::SYS_vfork | abi::SYS_clone | abi::SYS_clone3 => Some(Self::Birth),
            abi::SYS_wait4 => Some(Self::Peek),
            _ => None,
        }
    }

    /// The word when it is off.
    pub(super) fn off(self) -> Word {
        match self {
            Self::Number => number::off(),
            Self::Birth => birth::off(),
            Self::Peek => peek::off(),
        }
    }

    /// The word when it is on; `number` is the process's.
    pub(super) fn on(self, number: i32) -> Word {
        match self {
            Self::Number => number::on(number),
            Self::Birth => birth::on(),
            Self::Peek => peek::on(),
        }
    }
}

#[derive(Clone, Debug)]
struct Switch {
    /// The address of the word.
    at: u64,
    kind: Kind,
    /// What is there.
    word: Word,
}

/// The switches in a process's memory, as far as they are known.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Switches {
    all: Vec<Switch>,
    /// Some are off that may be on.
    wanted: bool,
}

impl Switches {
    /// Notes the switch of a stub at `stub`, which is on or off.
    pub(super) fn add(&mut self, stub: u64, kind: Kind, on: bool) {
        let word = if on { kind.on(0) } else { kind.off() };
        self.all.push(Switch { at: stub + WORD as u64, kind, word });
        self.wanted |= !on;
    }

    /// Says whether that of the stub at `stub` is known.
    pub(super) fn have(&self, stub: u64) -> bool {
        self.all.iter().any(|switch| switch.at == stub + WORD as u64)
    }

    /// Says whether none is known.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Says whether some are off for no other reason than that they had to be.
    pub(in super::super) fn are_wanted(&self) -> bool {
        self.wanted
    }

    /// Exchanges the words of some, in the memory of the stopped task `tid`. Where something else is there by now, that stays.
    fn exchange(&mut self, tid: Tid, new: impl Fn(&Switch) -> Option<Word>) {
        self.all.retain_mut(|switch| match new(switch) {
            Some(word) if word != switch.word => {
                let old = std::mem::replace(&mut switch.word, word);
                let there = memory::read(tid, switch.at);
                there == Ok(word)
                    || there == Ok(old)
                        && ptrace::write_word(tid, switch.at, u64::from_le_bytes(word)).is_ok()
            }
            _ => true,
        });
    }

    /// Turns all on that can be, in a process with this number, which is alone in its memory.
    pub(in super::super) fn turn_on(&mut self, tid: Tid, number: i32, peeks: bool) {
        self.wanted = false;
        self.exchange(tid, |switch| {
            (peeks || switch.kind != Kind::Peek).then(|| switch.kind.on(number))
        });
    }

    fn turn_off(&mut self, tid: Tid, which: impl Fn(Kind) -> bool) {
        self.wanted |= self.all.iter().any(|switch| which(switch.kind));
        self.exchange(tid, |switch| which(switch.kind).then(|| switch.kind.off()));
    }

    /// The process gets another thread, or somebody else into its memory who runs beside it.
    pub(in super::super) fn crowd(&mut self, tid: Tid) {
        self.turn_off(tid, |kind| kind != Kind::Peek);
    }

    /// Somebody else gets into the memory, and the process does not run meanwhile.
    pub(in super::super) fn lend(&mut self, tid: Tid) {
        self.turn_off(tid, |kind| kind == Kind::Number);
    }

    /// The process is not to peek any more.
    pub(in super::super) fn end_peeks(&mut self, tid: Tid) {
        self.turn_off(tid, |kind| kind == Kind::Peek);
    }

    /// A process that has just got a copy of another's memory has this number.
    pub(in super::super) fn rename(&mut self, tid: Tid, number: i32) {
        self.exchange(tid, |switch| {
            let knows = switch.kind == Kind::Number && switch.word != number::off();
            knows.then(|| number::on(number))
        });
    }

    /// What the maker of a child was told in the stub at `stub`.
    pub(super) fn told(&self, stub: u64) -> Option<i32> {
        let at = stub + WORD as u64;
        let switch =
            self.all.iter().find(|switch| switch.at == at && switch.kind == Kind::Birth)?;
        Some(birth::number(&switch.word)).filter(|number| *number != 0)
    }

    /// A child was made by the stub at `stub`: tells its maker's number for it, or negated errno, and turns that off.
    pub(super) fn tell(&mut self, tid: Tid, stub: u64, result: i32) {
        let at = stub + WORD as u64;
        self.exchange(tid, |switch| (switch.at == at).then(|| birth::told(result)));
        self.wanted = true;
    }
}
