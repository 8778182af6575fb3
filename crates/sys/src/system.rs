//! The machine's name for itself, and numbers that nobody can guess. See uname(2), getrandom(2).

use rustix::rand::{GetRandomFlags, getrandom};

use crate::Result;

/// What uname(2) tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The kernel's release, such as `6.18.1`.
    pub release: String,
    /// The architecture, such as `x86_64`.
    pub machine: String,
}

/// Asks the kernel for its name.
pub fn name() -> Name {
    let name = rustix::system::uname();
    let text = |text: &core::ffi::CStr| text.to_string_lossy().into_owned();
    Name { release: text(name.release()), machine: text(name.machine()) }
}

/// A number that nobody can guess.
///
/// # Errors
/// `ENOSYS` where a filter hides the call.
pub fn random() -> Result<u64> {
    let mut bytes = [0; 8];
    getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(u64::from_ne_bytes(bytes))
}
