//! The freestanding program: neither std nor libc, from the first instruction on its own.
//!
//! Not part of the library's source: `build.rs` compiles it, and the library carries the result as
//! [`IMAGE`](../pidns_init/constant.IMAGE.html).

#![no_std]
#![no_main]

mod program;
#[allow(dead_code, reason = "the supervisor's side uses the rest")]
mod protocol;

use core::arch::global_asm;

// Where the kernel enters, with the arguments on the stack: handed to `start` by address, on an aligned stack.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {start}",
    "ud2",
    start = sym start,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "b {start}",
    start = sym start,
);

extern "C" fn start(stack: *mut usize) -> ! {
    // SAFETY: `_start` passes what the stack pointer was, and runs once.
    unsafe { program::run(stack) }
}

/// Never linked: nothing here can panic. A test looks for this text in the image.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    program::panicked()
}
