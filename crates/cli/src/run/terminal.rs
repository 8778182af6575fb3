//! The terminal whose foreground we are in.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use pidns_sys::tty;

/// A terminal that had our group in its foreground when we were started.
pub(super) struct Terminal(OwnedFd);

impl Terminal {
    pub(super) fn in_foreground() -> Option<Self> {
        let stdio =
            [io::stdin().as_fd().try_clone_to_owned(), io::stderr().as_fd().try_clone_to_owned()];
        let mut terminals = stdio.into_iter().flatten();
        terminals.find(|fd| tty::foreground(fd) == Ok(tty::own_group())).map(Self)
    }

    /// Makes our group the foreground again if the command has put another one there, which has gone with the
    /// namespace: whoever reads from the terminal next would be stopped. Where the foreground is somebody else's, as a
    /// shell's that has moved us to the background, it is left alone.
    pub(super) fn take_back(&self) {
        let Ok(foreground) = tty::foreground(&self.0) else { return };
        if foreground != tty::own_group() && tty::is_empty(foreground) {
            // SIGTTOU is blocked. A terminal that is gone needs no foreground.
            let _ = tty::set_foreground(&self.0, tty::own_group());
        }
    }
}
