//! Hears what the supervisor asks for.

use super::report::Gone;
use super::sys::{self, Errno};
use crate::protocol::{CONTROL_FD, Request, RequestKind};

/// What the supervisor asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Signal(i32),
    Go,
    End,
}

/// The next request, `None` if there is none at the moment. Records that mean nothing are passed over.
pub(crate) fn next() -> Result<Option<Asked>, Gone> {
    loop {
        match sys::receive::<Request>(CONTROL_FD) {
            Ok(Some(request)) => {
                if let Some(asked) = understand(request) {
                    return Ok(Some(asked));
                }
            }
            Err(Errno::EAGAIN) => return Ok(None),
            Err(Errno::EINTR | Errno::EINVAL) => {}
            Ok(None) | Err(_) => return Err(Gone),
        }
    }
}

fn understand(request: Request) -> Option<Asked> {
    const SIGNAL: u32 = RequestKind::Signal as u32;
    const GO: u32 = RequestKind::Go as u32;
    const END: u32 = RequestKind::End as u32;
    match request.kind {
        SIGNAL => i32::try_from(request.value).ok().map(Asked::Signal),
        GO => Some(Asked::Go),
        END => Some(Asked::End),
        _ => None,
    }
}
