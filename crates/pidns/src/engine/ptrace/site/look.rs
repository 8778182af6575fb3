//! What a stub looks at: a path, or an action for a signal. Where it is in doubt, it goes to [`PLAIN`].

use pidns_sys::abi;

use super::super::path as paths;
use super::code::{Code, JB, JE, JMP_SHORT, JNE};
use super::stub::PLAIN;

/// Whether a call's first argument may be a directory to start from.
pub(super) fn takes_directory(call: i64) -> bool {
    paths::argument(call, abi::AT_FDCWD).0 == 1
}

/// A path from the root or the working directory, that has no "proc" in it and does not open the root; in doubt are short ones
/// that are opened.
pub(super) fn path(code: &mut Code, call: i64) {
    if takes_directory(call) {
        code.add(&[0x83, 0xff, abi::AT_FDCWD as u8]); // cmp edi, ..
        code.branch(JNE, PLAIN);
        code.add(&[0x48, 0x89, 0xf1]); // mov rcx, rsi
    } else {
        code.add(&[0x48, 0x89, 0xf9]); // mov rcx, rdi
    }
    code.check_address(PLAIN);
    code.add(&[0x4c, 0x8d, 0x59, 4]); // lea r11, [rcx + 4]: from here on there are four letters
    let check = code.at + 2;
    let look = check + 14;
    code.branch(JMP_SHORT, look);
    code.add(&[0x4c, 0x39, 0xd9]); // cmp rcx, r11
    code.branch(JB, look);
    code.add(&[0x81, 0x79, 0xfc]); // cmp dword [rcx - 4], ..
    code.add(b"proc");
    code.branch(JE, PLAIN);
    debug_assert_eq!(code.at, look);
    code.may_fault();
    code.add(&[0x0f, 0xb6, 0x01]); // movzx eax, byte [rcx]
    code.add(&[0x48, 0xff, 0xc1]); // inc rcx
    code.add(&[0x3c, b'c']); // cmp al, ..
    code.branch(JE, check);
    code.add(&[0x84, 0xc0]); // test al, al
    code.branch(JNE, look);
    if paths::opens(call) {
        code.add(&[0x4c, 0x39, 0xd9]); // cmp rcx, r11
        code.branch(JB, PLAIN);
        code.add(&[0x0f, 0xb6, 0x41, 0xfe]); // movzx eax, byte [rcx - 2]
        // '.' and '/' differ in the lowest bit.
        code.add(&[0xd1, 0xe8]); // shr eax, 1
        code.add(&[0x3c, b'.' >> 1]); // cmp al, ..
        code.branch(JE, PLAIN);
    }
}

/// An action for SIGCHLD, of rt_sigaction(2), by which the process does not leave the collecting of children to the kernel.
pub(super) fn action(code: &mut Code) {
    code.add(&[0x83, 0xff, abi::SIGCHLD as u8]); // cmp edi, ..
    code.branch(JNE, PLAIN);
    code.add(&[0x48, 0x89, 0xf1]); // mov rcx, rsi
    code.check_address(PLAIN);
    code.may_fault();
    code.add(&[0x48, 0x83, 0x39, abi::SIG_IGN as u8]); // cmp qword [rcx], ..
    code.branch(JE, PLAIN);
    code.may_fault();
    code.add(&[0xf6, 0x41, 8, abi::SA_NOCLDWAIT as u8]); // test byte [rcx + 8], ..
    code.branch(JNE, PLAIN);
}
