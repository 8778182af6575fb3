//! The raw arguments of wait4(2) and waitid(2): which are refused, and what the others mean.

use crate::errno::{Errno, Result};
use crate::id::{Pid, PidId};
use crate::wait::{WaitOptions, WaitTarget};

const P_ALL: u32 = 0;
const P_PID: u32 = 1;
const P_PGID: u32 = 2;

/// Reads the `pid` and `options` of wait4(2).
///
/// # Errors
/// `EINVAL` for an unknown option, `ESRCH` for `INT_MIN`. // WAI-02
pub fn wait4(pid: i32, options: u32) -> Result<(WaitTarget, WaitOptions)> {
    let options = WaitOptions::from_bits_retain(options);
    let known = WaitOptions::NOHANG
        | WaitOptions::STOPPED
        | WaitOptions::CONTINUED
        | WaitOptions::NOTHREAD
        | WaitOptions::CLONE
        | WaitOptions::ALL;
    if !known.contains(options) {
        return Err(Errno::EINVAL);
    }
    let target = match pid {
        i32::MIN => return Err(Errno::ESRCH),
        -1 => WaitTarget::Any,
        0 => WaitTarget::OwnGroup,
        _ => match Pid::from_raw(pid) {
            Some(pid) => WaitTarget::Process(pid),
            None => WaitTarget::Group(Pid::from_raw(-pid).ok_or(Errno::ESRCH)?),
        },
    };
    Ok((target, options | WaitOptions::EXITED))
}

/// Reads the `idtype`, `id` and `options` of waitid(2), `P_PIDFD` excepted: see [`waitid_pidfd`].
///
/// # Errors
/// `EINVAL`. // WAI-04
pub fn waitid(idtype: u32, id: i32, options: u32) -> Result<(WaitTarget, WaitOptions)> {
    let options = waitid_options(options)?;
    let target = match (idtype, id) {
        (P_ALL, _) => WaitTarget::Any,
        (P_PGID, 0) => WaitTarget::OwnGroup,
        (P_PID, id) => WaitTarget::Process(Pid::from_raw(id).ok_or(Errno::EINVAL)?),
        (P_PGID, id) => WaitTarget::Group(Pid::from_raw(id).ok_or(Errno::EINVAL)?),
        _ => return Err(Errno::EINVAL),
    };
    Ok((target, options))
}

/// Reads the `options` of waitid(2) with `P_PIDFD`, whose descriptor the embedder has looked up. With a non-blocking
/// descriptor the embedder adds `NOHANG` and turns "nothing" into EAGAIN. // PFD-07
///
/// # Errors
/// `EINVAL`. // WAI-04
pub fn waitid_pidfd(pid: PidId, options: u32) -> Result<(WaitTarget, WaitOptions)> {
    Ok((WaitTarget::Pidfd(pid), waitid_options(options)?))
}

fn waitid_options(options: u32) -> Result<WaitOptions> {
    let options = WaitOptions::from_bits_retain(options);
    let events = WaitOptions::EXITED | WaitOptions::STOPPED | WaitOptions::CONTINUED;
    let known = events
        | WaitOptions::NOHANG
        | WaitOptions::NOWAIT
        | WaitOptions::NOTHREAD
        | WaitOptions::CLONE
        | WaitOptions::ALL;
    if known.contains(options) && options.intersects(events) {
        Ok(options)
    } else {
        Err(Errno::EINVAL)
    }
}
