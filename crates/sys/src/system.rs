//! The machine's name for itself. See uname(2).

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
