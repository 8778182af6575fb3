//! Hears what the supervisor asks for.

use super::host::Descriptors;
use super::report::Gone;
use super::sys::{self, Errno};
use crate::protocol::{CONTROL_FD, GUEST_DESCRIPTORS, Request, RequestKind};

/// What the supervisor asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Signal(i32),
    Go,
    End,
    /// Take a guest in.
    Guest(Descriptors),
}

/// The next request, `None` if there is none at the moment. Records that mean nothing are passed over.
pub(crate) fn next() -> Result<Option<Asked>, Gone> {
    loop {
        match sys::receive_with_fds::<Request, GUEST_DESCRIPTORS>(CONTROL_FD) {
            Ok(Some((request, descriptors))) => {
                if let Some(asked) = understand(request, descriptors) {
                    return Ok(Some(asked));
                }
            }
            Err(Errno::EAGAIN) => return Ok(None),
            Err(Errno::EINTR | Errno::EINVAL) => {}
            Ok(None) | Err(_) => return Err(Gone),
        }
    }
}

fn understand(request: Request, descriptors: Option<Descriptors>) -> Option<Asked> {
    const GUEST: u32 = RequestKind::Guest as u32;
    const SIGNAL: u32 = RequestKind::Signal as u32;
    const GO: u32 = RequestKind::Go as u32;
    const END: u32 = RequestKind::End as u32;
    match request.kind {
        SIGNAL => i32::try_from(request.value).ok().map(Asked::Signal),
        GO => Some(Asked::Go),
        END => Some(Asked::End),
        GUEST => descriptors.map(Asked::Guest),
        _ => {
            descriptors.into_iter().flatten().for_each(sys::close);
            None
        }
    }
}
