//! What a stub looks at: a path, or an action for a signal. Where it is in doubt, it goes to [`PLAIN`].
//!
//! Each returns what in it may fault because a pointer does not lead anywhere.

use pidns_sys::abi;

use super::super::path as paths;
use super::code::{Code, JE, JMP_SHORT, JNE};
use super::stub::PLAIN;

/// Whether a call's first argument may be a directory to start from.
pub(super) fn takes_directory(call: i64) -> bool {
    paths::argument(call, abi::AT_FDCWD).0 == 1
}

/// A path from the root or the working directory, that has no "proc" in it and does not open the root.
pub(super) fn path(code: &mut Code, call: i64) -> [usize; 2] {
    if takes_directory(call) {
        code.add(&[0x83, 0xff, abi::AT_FDCWD as u8]); // cmp edi, ..
        code.branch(JNE, PLAIN);
        code.add(&[0x48, 0x89, 0xf1]); // mov rcx, rsi
    } else {
        code.add(&[0x48, 0x89, 0xf9]); // mov rcx, rdi
    }
    code.check_address(PLAIN);
    code.add(&[0x45, 0x31, 0xdb]); // xor r11d, r11d: the last four bytes of the path
    let next = code.at;
    code.add(&[0x41, 0xc1, 0xe3, 8]); // shl r11d, 8
    let load = code.at;
    code.add(&[0x44, 0x8a, 0x19]); // mov r11b, [rcx]
    code.add(&[0x48, 0xff, 0xc1]); // inc rcx
    code.add(&[0x45, 0x84, 0xdb]); // test r11b, r11b
    let (jump_to_end, cmp, jumps) = (2, 7, 2 + 2);
    code.branch(JE, code.at + jump_to_end + cmp + jumps);
    code.add(&[0x41, 0x81, 0xfb]); // cmp r11d, ..
    code.add(&u32::from_be_bytes(*b"proc").to_le_bytes());
    code.branch(JNE, next);
    code.branch(JMP_SHORT, PLAIN);
    if paths::opens(call) {
        // '.' and '/' differ in the lowest bit.
        code.add(&[0x41, 0xc1, 0xeb, 8 + 1]); // shr r11d, ..
        code.add(&[0x41, 0x80, 0xfb, b'.' >> 1]); // cmp r11b, ..
        code.branch(JE, PLAIN);
    }
    [load, load]
}

/// An action for SIGCHLD, of rt_sigaction(2), by which the process does not leave the collecting of children to the kernel.
pub(super) fn action(code: &mut Code) -> [usize; 2] {
    code.add(&[0x83, 0xff, abi::SIGCHLD as u8]); // cmp edi, ..
    code.branch(JNE, PLAIN);
    code.add(&[0x48, 0x89, 0xf1]); // mov rcx, rsi
    code.check_address(PLAIN);
    let handler = code.at;
    code.add(&[0x48, 0x83, 0x39, abi::SIG_IGN as u8]); // cmp qword [rcx], ..
    code.branch(JE, PLAIN);
    let flags = code.at;
    code.add(&[0xf6, 0x41, 8, abi::SA_NOCLDWAIT as u8]); // test byte [rcx + 8], ..
    code.branch(JNE, PLAIN);
    [handler, flags]
}
