//! The strings that the kernel lays on a new program's stack: arguments and environment.

use core::ffi::{CStr, c_char};

/// Strings that live as long as the program, in an array of pointers that a null pointer ends.
#[derive(Clone, Copy)]
pub(crate) struct Strings {
    first: *mut *const c_char,
    length: usize,
}

impl Strings {
    /// Takes the array that begins at `first`.
    ///
    /// # Safety
    /// It must be such an array, writable, and nobody else may change it or its strings from now on.
    pub(crate) unsafe fn new(first: *mut *const c_char) -> Self {
        let mut length = 0;
        // SAFETY: the array goes on up to its null pointer.
        while !unsafe { first.add(length).read() }.is_null() {
            length += 1;
        }
        Self { first, length }
    }

    pub(crate) fn len(self) -> usize {
        self.length
    }

    pub(crate) fn get(self, index: usize) -> Option<&'static CStr> {
        // SAFETY: within the array, whose strings live as long as the program.
        (index < self.length).then(|| unsafe { CStr::from_ptr(self.first.add(index).read()) })
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = &'static CStr> {
        (0..self.length).filter_map(move |index| self.get(index))
    }

    pub(crate) fn as_ptr(self) -> *const *const c_char {
        self.first
    }

    /// The program to run and its arguments: these strings from the one at `index` on, if there is one.
    pub(crate) fn command(self, index: usize) -> Option<Command> {
        let within = 0 < index && index < self.length;
        // SAFETY: within the array.
        within.then(|| unsafe { Command { argv: self.first.add(index) } })
    }

    /// The value of the variable `name` of this environment.
    pub(crate) fn variable(self, name: &[u8]) -> Option<&'static [u8]> {
        self.iter().find_map(|entry| entry.to_bytes().strip_prefix(name)?.strip_prefix(b"="))
    }
}

/// The arguments of a program to run, its name first. Never empty, and behind at least one string that is not needed
/// any more: room for what [`as_script`](Self::as_script) puts before.
#[derive(Clone, Copy)]
pub(crate) struct Command {
    argv: *mut *const c_char,
}

impl Command {
    pub(crate) fn name(self) -> &'static CStr {
        // SAFETY: never empty, and its strings live as long as the program.
        unsafe { CStr::from_ptr(self.argv.read()) }
    }

    pub(crate) fn argv(self) -> *const *const c_char {
        self.argv
    }

    /// The same command without the argument after the name, which must be there: the name takes its place.
    pub(crate) fn without_next(self) -> Self {
        // SAFETY: the caller knows of that argument, so it is within the array.
        unsafe {
            let next = self.argv.add(1);
            next.write(self.argv.read());
            Self { argv: next }
        }
    }

    /// The same command for an interpreter: `interpreter path ARG...`. No memory is needed for the longer array, since
    /// the string before the name makes way.
    ///
    /// # Safety
    /// `path` must live until the array is used, and nobody may use this array after that as what it was.
    pub(crate) unsafe fn as_script(
        self,
        interpreter: &'static CStr,
        path: &CStr,
    ) -> *const *const c_char {
        // SAFETY: there is a string before the name.
        unsafe {
            self.argv.write(path.as_ptr());
            let before = self.argv.sub(1);
            before.write(interpreter.as_ptr());
            before
        }
    }
}
