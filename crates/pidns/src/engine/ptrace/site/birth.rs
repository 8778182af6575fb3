//! A stub that makes a child for which nobody stops but the child: for vfork(2) and posix_spawn(3), where the maker does not
//! run before its child is out of its memory.
//!
//! The child is made to be traced (`CLONE_PTRACE`), with the key in a register, by a call that the filter lets pass. At its
//! first stop the host tells who has made it, and its number is stored in the stub, which its maker returns
//! ([`birth`](super::super::birth)). The stub is off from then on: the child is in the same memory, and may make children
//! itself.
//!
//! A function that makes the call has nothing in the registers that a caller has to save. Since the child returns to the same
//! stack, nothing can be kept there.

use pidns_sys::abi;
use pidns_sys::ptrace::regs::Registers;

use super::code::{Code, JE, JLE, JMP_SHORT, JNE, NOP, RCX_IS_ZERO};
use super::stub::{AFTER, PLAIN};
use super::switch::{self, WORD, Word};

/// What the host is asked for.
pub(in super::super) const FLAGS: u32 = WISHED | abi::CLONE_PTRACE.cast_unsigned();
/// What is asked for where it takes flags.
const WISHED: u32 = MEMORY | abi::SIGCHLD.cast_unsigned();
const MEMORY: u32 = (abi::CLONE_VM | abi::CLONE_VFORK).cast_unsigned();

/// The length of the oldest `struct clone_args` that has all that C libraries use, and where that has what.
const CLONE_ARGS: u8 = 88;
const EXIT_SIGNAL: u8 = 32;
const STACK: u8 = 40;
const STACK_SIZE: u8 = 48;
const SET_TID: u8 = 64;
const SET_TID_SIZE: u8 = 72;

/// Where the number is.
const NUMBER: usize = WORD + 3;

fn word(first: [u8; 2], number: i32) -> Word {
    let ([a, b], [c, d, e, f]) = (first, number.to_le_bytes());
    // test eax, number
    [a, b, 0xa9, c, d, e, f, NOP]
}

pub(super) fn on() -> Word {
    word(switch::NOP, 0)
}

pub(super) fn off() -> Word {
    told(0)
}

/// Off, and the last child has this number.
pub(super) fn told(number: i32) -> Word {
    word([JMP_SHORT, (PLAIN - (WORD + 2)) as u8], number)
}

/// Says whether a function that makes a call is one that a stub can be for: given its code after the `syscall`.
pub(super) fn is_function(call: i64, code: [u8; 8]) -> bool {
    const PUSH_RDI: u8 = 0x57;
    const JL: u8 = 0x7c;
    const RET: u8 = 0xc3;
    match (call, code) {
        // The return address was in rdi, and nothing else is anywhere.
        (abi::SYS_vfork, [PUSH_RDI, ..]) => true,
        // test rax, rax; jl ..; jz ..; ret
        (abi::SYS_clone | abi::SYS_clone3, [0x48, 0x85, 0xc0, JL, _, JE, _, RET]) => true,
        _ => false,
    }
}

/// The rest of the stub.
pub(super) fn ask(code: &mut Code, call: i64, key: u64) {
    code.add(&off());
    match call {
        abi::SYS_vfork => {
            code.add(&[0x48, 0x89, 0xfa]); // mov rdx, rdi
            code.add(&[0x31, 0xf6]); // xor esi, esi: the same stack
        }
        abi::SYS_clone => {
            code.add(&[0x81, 0xff]); // cmp edi, ..
            code.add(&WISHED.to_le_bytes());
            code.branch(JNE, PLAIN);
        }
        _ => look_at_struct(code),
    }
    code.add(&[0xbf]); // mov edi, ..
    code.add(&FLAGS.to_le_bytes());
    code.set_call(abi::SYS_clone as i32);
    code.enter_with(key);
    code.add(&[0x45, 0x31, 0xc9]); // xor r9d, r9d
    match call {
        abi::SYS_vfork => code.add(&[0x48, 0x89, 0xd7]), // mov rdi, rdx
        abi::SYS_clone => {
            code.add(&[0xbf]); // mov edi, ..
            code.add(&WISHED.to_le_bytes());
        }
        _ => {
            code.add(&[0x4c, 0x89, 0xd7]); // mov rdi, r10
            code.add(&[0xbe, CLONE_ARGS, 0, 0, 0]); // mov esi, ..
        }
    }
    code.add(&[0x85, 0xc0]); // test eax, eax: the child, or nobody
    code.branch(JLE, AFTER);
    code.add(&[0x8b, 0x0d]); // mov ecx, [rip + ..]
    let distance = NUMBER as i32 - (code.at as i32 + 4);
    code.add(&distance.to_le_bytes());
    // Killed before its first stop: another one is to be made.
    code.branch(RCX_IS_ZERO, PLAIN);
    code.add(&[0x48, 0x63, 0xc1]); // movsxd rax, ecx
    code.branch(JMP_SHORT, AFTER);
}

/// Does with the registers what the stub does after its call.
pub(super) fn restore(registers: &mut Registers, call: i64) {
    registers.set_argument(super::KEY_ARGUMENT, 0);
    match call {
        abi::SYS_vfork => registers.set_argument(0, registers.argument(2)),
        abi::SYS_clone => registers.set_argument(0, u64::from(WISHED)),
        _ => {
            registers.set_argument(0, registers.argument(3));
            registers.set_argument(1, u64::from(CLONE_ARGS));
        }
    }
}

/// The number in such a word.
pub(super) fn number(word: &Word) -> i32 {
    let [_, _, _, a, b, c, d, _] = *word;
    i32::from_le_bytes([a, b, c, d])
}

/// clone3(2) with nothing but what posix_spawn(3) asks for. Where the struct ends is looked at before a register is lost.
fn look_at_struct(code: &mut Code) {
    code.add(&[0x83, 0xfe, CLONE_ARGS]); // cmp esi, ..
    code.branch(JNE, PLAIN);
    code.may_fault();
    code.add(&[0x48, 0x81, 0x3f]); // cmp qword [rdi], ..
    code.add(&MEMORY.to_le_bytes());
    code.branch(JNE, PLAIN);
    code.may_fault();
    code.add(&[0x48, 0x83, 0x7f, EXIT_SIGNAL, abi::SIGCHLD as u8]); // cmp qword [rdi + ..], ..
    code.branch(JNE, PLAIN);
    code.may_fault();
    code.add(&[0x48, 0x8b, 0x47, SET_TID]); // mov rax, [rdi + ..]
    code.may_fault();
    code.add(&[0x48, 0x0b, 0x47, SET_TID_SIZE]); // or rax, [rdi + ..]
    code.branch(JNE, PLAIN);
    code.add(&[0x48, 0x8b, 0x77, STACK]); // mov rsi, [rdi + ..]
    code.add(&[0x48, 0x03, 0x77, STACK_SIZE]); // add rsi, [rdi + ..]
    code.add(&[0x49, 0x89, 0xfa]); // mov r10, rdi
}
