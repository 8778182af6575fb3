//! The calls about signals.

use crate::answer;
use crate::script::call::Request;
use pidns_sys::raw;
use pidns_sys::raw::errno::RawErrno;
use pidns_sys::raw::signal::{Caught, Disposition, Waiting};

const SI_QUEUE: i64 = -1;

/// rt_sigqueueinfo.
pub(super) fn queue(request: &Request) -> Result<i64, RawErrno> {
    let code = request.optional(2).unwrap_or(SI_QUEUE) as i32;
    raw::signal::sigqueue(request.int32(0), request.int32(1), code, request.int32(3))
}

/// sigaction.
pub(super) fn action(request: &Request) -> Result<i64, RawErrno> {
    let disposition = match request.int(1) {
        0 => Disposition::Default,
        1 => Disposition::Ignore,
        _ => Disposition::Note,
    };
    raw::signal::set_handler(request.int32(0), disposition, request.int32(2))
}

/// sigtimedwait, waiting or not.
pub(super) fn take(request: &Request, waiting: Waiting) -> String {
    match raw::signal::take(request.int(0) as u64, waiting) {
        Err(errno) => answer::error(errno.0),
        Ok(caught) => show(&caught),
    }
}

/// What the handlers have seen.
pub(super) fn caught() -> String {
    let all: Vec<String> = raw::signal::take_caught().iter().map(show).collect();
    answer::all_caught(&all)
}

fn show(caught: &Caught) -> String {
    answer::caught(caught.signal, caught.code, caught.pid)
}
