//! `pidns kill`.

use clap::Args;
use pidns::Signal;

use crate::text;

const AFTER: &str = "\
Without -s, number 1 is killed and with it every process in the namespace and in those nested in it; `pidns kill` \
returns when all are gone. With -s, the command gets that signal, and nobody is waited for: the command is what pidns \
runs there or, in a namespace that others have made, number 1, which takes from outside only signals that it has a \
handler for, KILL and STOP.

TARGET is the name of a job of this user, or the number of any process inside. A process that is in no PID namespace \
below this one is refused: nothing outside is ever signalled.

Exit status: 0 if it is done, 125 if not.

Examples:
  pidns kill nightly-build
  pidns kill -s HUP nightly-build
  pidns kill 4711";

/// Destroy a namespace with all that is in it, or send its command a signal.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub struct Kill {
    /// Send this signal to the command instead.
    #[arg(short, long, value_name = "SIG", value_parser = text::signal)]
    pub signal: Option<Signal>,

    /// The namespace.
    pub target: String,
}
