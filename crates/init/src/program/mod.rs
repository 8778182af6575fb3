//! What number 1 does, from its first instruction on.
//!
//! No allocation, no lock, no panic: everything lives on the stack that the kernel gave, and what can fail is told by
//! a value. [`args`] says which of the two programs in one this is to be: [`entrypoint`] or, with a supervisor,
//! [`supervise`].

use core::ffi::c_char;

mod args;
mod entrypoint;
mod exec;
mod guard;
mod guest;
mod host;
mod init;
mod job;
mod keeper;
#[cfg(not(any(test, clippy)))]
mod mem;
mod message;
mod parcel;
mod report;
mod request;
mod signals;
mod spawn;
mod strings;
mod supervise;
mod sys;
mod term;
mod visitor;

use strings::Strings;

/// Runs the program on the stack that execve(2) made: the number of arguments, the arguments, the environment.
///
/// # Safety
/// `stack` must be what the stack pointer was at the program's first instruction, and this must be called once only.
pub(crate) unsafe fn run(stack: *mut usize) -> ! {
    // SAFETY: the kernel puts a count first and that many pointers after it, then a null pointer, then the environment.
    let (arguments, environment) = unsafe {
        let count = stack.read();
        let first = stack.add(1).cast::<*const c_char>();
        (Strings::new(first), Strings::new(first.add(count + 1)))
    };
    sys::set_name(c"pidns-init");
    if arguments.get(1).is_some_and(|first| first == crate::protocol::SUPERVISED) {
        supervise::run(arguments, environment)
    }
    entrypoint::run(arguments, environment)
}

/// What there is to say if the program had a way to panic.
#[cfg(not(any(test, clippy)))]
pub(crate) fn panicked() -> ! {
    message::say(&[message::Part::Text(b"panicked")]);
    sys::exit(supervise::FAILED)
}
