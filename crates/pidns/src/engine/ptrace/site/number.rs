//! A stub that knows its process's number: for getpid(2).
//!
//! It is a call as ever, or *armed*: then it has the number in place of the call. That is right as long as one process with
//! one thread runs in the memory. So it is armed when it asks; a child that has a copy of the memory gets its own number
//! before it runs; and before anybody else gets into the memory it is disarmed. All of this is the exchange of one word, of a
//! task that is stopped.

use pidns_sys::abi;
use pidns_sys::ptrace::{self, Tid};

use super::super::memory;
use super::code::{Code, JMP_SHORT, MOV_EAX, SYSCALL};
use super::stub::AFTER;

/// A `nop` as long as a `syscall`.
const NOP: [u8; 2] = [0x66, 0x90];

/// Where in its stub the word is: behind what all stubs begin with.
pub(super) const WORD: usize = 10;
/// How long the word is, and the part of it up to the end of its call.
const LENGTH: usize = 8;
const CALL: usize = 7;

/// Where in its stub the call ends.
pub(super) const CALL_END: usize = WORD + CALL;

fn word(number: i32, enter: [u8; 2]) -> [u8; LENGTH] {
    let [a, b, c, d] = number.to_le_bytes();
    let [e, f] = enter;
    [MOV_EAX, a, b, c, d, e, f, JMP_SHORT]
}

fn armed(number: i32) -> [u8; LENGTH] {
    word(number, NOP)
}

fn disarmed() -> [u8; LENGTH] {
    word(abi::SYS_getpid as i32, SYSCALL)
}

/// The rest of the stub, disarmed.
pub(super) fn ask(code: &mut Code) {
    let [start @ .., jump] = disarmed();
    code.add(&start);
    code.branch(jump, AFTER);
}

/// A process's armed stubs.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Armed {
    /// The addresses of their words.
    at: Vec<u64>,
    /// The number that they have.
    number: i32,
}

impl Armed {
    pub(super) fn arm(&mut self, tid: Tid, at: u64, number: i32) {
        self.number = number;
        if exchange(tid, at, disarmed(), armed(number)) {
            self.at.push(at);
        }
    }

    /// The stubs of a process that has just got a copy of another's memory get its own number.
    pub(in super::super) fn rename(&mut self, tid: Tid, number: i32) {
        let old = std::mem::replace(&mut self.number, number);
        self.at.retain(|at| exchange(tid, *at, armed(old), armed(number)));
    }

    /// To be called before anybody else gets into the memory.
    pub(in super::super) fn disarm(&mut self, tid: Tid) {
        for at in std::mem::take(&mut self.at) {
            exchange(tid, at, armed(self.number), disarmed());
        }
    }
}

/// Something else may be there by now: that stays.
fn exchange(tid: Tid, at: u64, old: [u8; LENGTH], new: [u8; LENGTH]) -> bool {
    memory::read(tid, at) == Ok(old) && ptrace::write_word(tid, at, u64::from_le_bytes(new)).is_ok()
}
