//! Who the calling thread is, and what it may do.

use rustix::thread::CapabilitySet;

use crate::Result;

/// The effective user id. See geteuid(2).
pub fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The effective group id. See getegid(2).
pub fn effective_gid() -> u32 {
    rustix::process::getegid().as_raw()
}

/// Says whether the calling thread has `CAP_SYS_ADMIN` in its user namespace. See capabilities(7).
///
/// # Errors
/// Those of capget(2).
pub fn has_sys_admin() -> Result<bool> {
    let sets = rustix::thread::capabilities(None)?;
    Ok(sets.effective.contains(CapabilitySet::SYS_ADMIN))
}
