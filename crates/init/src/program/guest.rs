//! Runs a command beside others, in a namespace whose number 1 has taken this process in.
//!
//! It is a child of number 1, which knows no more of it, and so is in the namespace, whoever has made that and how. Like a
//! [`visitor`] it has a supervisor of its own, who is outside, and ends with it; unlike one it gets its command from a
//! [`parcel`](super::parcel), since number 1 has started it with no arguments.

use super::parcel::Parcel;
use super::report;
use super::supervise::{self, FAILED};
use super::sys::{self, SignalSet};
use super::visitor;
use crate::protocol::{CONTROL_FD, Config, EntryStep, EventKind, PARCEL_FD};

/// Runs the command to its end.
pub(crate) fn run(config: &Config) -> ! {
    // What comes from the terminal is for the command.
    sys::set_mask(SignalSet::ALL);
    sys::exit(introduce().and_then(|()| start(config)).unwrap_or_else(|failed| failed))
}

/// Lets the supervisor, which has not made this process, hold it.
fn introduce() -> Result<(), i32> {
    let own = sys::pidfd_open(sys::pid()).map_err(|_| FAILED)?;
    let event = report::event(EventKind::Keeper, sys::pid(), 0);
    let sent = sys::send_with_fd(CONTROL_FD, &event, own);
    sys::close(own);
    sent.map_err(|_| FAILED)
}

fn start(config: &Config) -> Result<i32, i32> {
    let refused = |step: EntryStep, errno: sys::Errno| {
        let _ = report::send(&report::event(EventKind::EnterFailed, step as i32, errno.0));
        FAILED
    };
    let parcel = Parcel::unpack(PARCEL_FD).map_err(|e| refused(EntryStep::Namespaces, e))?;
    supervise::close_strangers([]);
    if let Some(directory) = parcel.directory() {
        let changed = sys::change_directory(directory.to_bytes_with_nul());
        changed.map_err(|e| refused(EntryStep::Directory, e))?;
    }
    visitor::visit(config, parcel.command(), parcel.environment())
}
