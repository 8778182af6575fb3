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
    has(CapabilitySet::SYS_ADMIN)
}

/// Says whether the calling thread has `CAP_SETFCAP`, without which user 0 cannot be mapped into a new user namespace.
/// See user_namespaces(7).
///
/// # Errors
/// Those of capget(2).
pub fn has_setfcap() -> Result<bool> {
    has(CapabilitySet::SETFCAP)
}

/// Says whether the calling thread has `CAP_SYS_PTRACE`, with which it may look into processes that do not want it
/// (`PR_SET_DUMPABLE`). See ptrace(2), "access mode checking".
///
/// # Errors
/// Those of capget(2).
pub fn has_sys_ptrace() -> Result<bool> {
    has(CapabilitySet::SYS_PTRACE)
}

fn has(capability: CapabilitySet) -> Result<bool> {
    Ok(rustix::thread::capabilities(None)?.effective.contains(capability))
}
