//! A stub that looks whether there is a child to be waited for: for wait4(2), by whoever does not want to wait.
//!
//! It asks the host by waitid(2), which collects nobody and needs no number. Where there is nothing, that is the answer; else
//! the call is made as ever. The host is told of an end after core is, and so has nothing that core has not, unless the
//! process has children that are its own to core alone.

use pidns_sys::abi;
use pidns_sys::ptrace::siginfo::PID_OFFSET;

use super::code::{Code, JMP_SHORT, JNE, NOP, RED_ZONE};
use super::stub::{AFTER, PLAIN};
use super::switch::{self, WORD, Word};

/// What it asks for.
pub(in super::super) const OPTIONS: u32 =
    (abi::WEXITED | abi::WNOHANG | abi::WNOWAIT).cast_unsigned();

fn word(first: [u8; 2]) -> Word {
    let [a, b] = first;
    let otherwise = PLAIN - (WORD + 7);
    // cmp edi, -1; jne otherwise
    [a, b, 0x83, 0xff, 0xff, JNE, otherwise as u8, NOP]
}

pub(super) fn on() -> Word {
    word(switch::NOP)
}

pub(super) fn off() -> Word {
    word([JMP_SHORT, (PLAIN - (WORD + 2)) as u8])
}

/// The rest of the stub.
pub(super) fn ask(code: &mut Code, key: u64) {
    /// `r9`, `r8`, `r10`, `rdx`, `rsi`, `rdi`.
    const PUSH: [&[u8]; 6] =
        [&[0x41, 0x51], &[0x41, 0x50], &[0x41, 0x52], &[0x52], &[0x56], &[0x57]];
    /// The same, backwards.
    const POP: [&[u8]; 6] =
        [&[0x5f], &[0x5e], &[0x5a], &[0x41, 0x5a], &[0x41, 0x58], &[0x41, 0x59]];
    code.add(&off());
    code.add(&[0x83, 0xfa, abi::WNOHANG as u8]); // cmp edx, ..
    code.branch(JNE, PLAIN);
    code.add(&[0x48, 0x83, 0xc4, RED_ZONE]); // add rsp, -128
    for (index, push) in PUSH.iter().enumerate() {
        code.may_fault_after(RED_ZONE + 8 * index as u8);
        code.add(push);
    }
    code.add(&[0x48, 0x83, 0xc4, RED_ZONE]); // add rsp, -128: room for a siginfo_t
    code.add(&[0x31, 0xff]); // xor edi, edi: P_ALL
    code.add(&[0x31, 0xf6]); // xor esi, esi
    code.add(&[0x48, 0x89, 0xe2]); // mov rdx, rsp
    code.add(&[0x41, 0xba]); // mov r10d, ..
    code.add(&OPTIONS.to_le_bytes());
    code.add(&[0x45, 0x31, 0xc0]); // xor r8d, r8d
    code.set_call(abi::SYS_waitid as i32);
    code.enter_with(key);
    code.add(&[0x0b, 0x04, 0x24]); // or eax, [rsp]: failed, or has a signal's number
    code.add(&[0xc7, 0x44, 0x24, PID_OFFSET as u8, 0, 0, 0, 0]); // mov dword [rsp + ..], 0
    code.add(&LEAVE); // lea rsp, [rsp + 128]: the flags stay
    POP.iter().for_each(|pop| code.add(pop));
    code.add(&LEAVE);
    code.branch(JNE, PLAIN);
    code.branch(JMP_SHORT, AFTER);
}

const LEAVE: [u8; 8] = [0x48, 0x8d, 0xa4, 0x24, RED_ZONE, 0, 0, 0];
