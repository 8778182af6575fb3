//! A stub that knows its process's number: for getpid(2). It is a call as ever, or has the number in place of the call.

use pidns_sys::abi;

use super::code::{Code, JMP_SHORT, MOV_EAX, SYSCALL};
use super::stub::AFTER;
use super::switch::{NOP, Word};

fn word(number: i32, enter: [u8; 2]) -> Word {
    let [a, b, c, d] = number.to_le_bytes();
    let [e, f] = enter;
    [MOV_EAX, a, b, c, d, e, f, JMP_SHORT]
}

pub(super) fn on(number: i32) -> Word {
    word(number, NOP)
}

pub(super) fn off() -> Word {
    word(abi::SYS_getpid as i32, SYSCALL)
}

/// The rest of the stub.
pub(super) fn ask(code: &mut Code) {
    let [start @ .., jump] = off();
    code.add(&start);
    code.branch(jump, AFTER);
}
