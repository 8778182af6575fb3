//! A domain that signals do not leave. See landlock(7).

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::Result;

/// `struct landlock_ruleset_attr` up to `scoped`, which Linux 6.12 has (ABI 6).
#[repr(C)]
struct RulesetAttributes {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

const SCOPE_SIGNAL: u64 = 1 << 1;

/// A set of rules, not yet in force.
#[derive(Debug)]
pub struct Ruleset(OwnedFd);

impl Ruleset {
    /// Makes one that forbids to send signals to processes outside of the domain, and nothing else. A domain also
    /// forbids to trace processes outside, and to read of them in /proc what only a tracer may read.
    ///
    /// # Errors
    /// `ENOSYS`, `EOPNOTSUPP` where there is no Landlock; `EINVAL`, `E2BIG` where it is older than that.
    pub fn signals_stay_inside() -> Result<Self> {
        let attributes =
            RulesetAttributes { handled_access_fs: 0, handled_access_net: 0, scoped: SCOPE_SIGNAL };
        // SAFETY: a live structure of the size given.
        let ret = unsafe {
            libc::syscall(
                libc::SYS_landlock_create_ruleset,
                &raw const attributes,
                size_of::<RulesetAttributes>(),
                0,
            )
        };
        let fd = i32::try_from(crate::signal::check(ret)?).expect("descriptors are ints");
        // SAFETY: the call has just returned it, so nobody else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Puts the calling thread, and all that it starts, into a new domain. Allocates nothing.
    ///
    /// # Errors
    /// `EPERM` without `no_new_privs` or `CAP_SYS_ADMIN`; `E2BIG` for the 17th nested domain.
    pub fn restrict(&self) -> Result<()> {
        // SAFETY: a descriptor and a number.
        let ret = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, self.0.as_raw_fd(), 0) };
        crate::signal::check(ret).map(drop)
    }
}
