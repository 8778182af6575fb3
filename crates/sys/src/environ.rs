//! The environment of this process, entry by entry as `execve(2)` gave it.

use std::ffi::{CStr, CString, c_char};

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// Copies the environment, with entries that have no `=`, repeated names and bytes that are not UTF-8, which
/// [`std::env::vars_os`] drops or merges. See environ(7).
pub fn snapshot() -> Vec<CString> {
    let mut copy = Vec::new();
    // SAFETY: `environ` is a null-terminated array of C strings. Whoever changes it while other threads run has
    // promised, by `std::env::set_var`, that none of them reads it.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            copy.push(CStr::from_ptr(*entry).to_owned());
            entry = entry.add(1);
        }
    }
    copy
}
