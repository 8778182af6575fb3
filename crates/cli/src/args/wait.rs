//! `pidns wait`.

use std::time::Duration;

use clap::Args;

use crate::text;

const AFTER: &str = "\
Exit status: that of the command, as `pidns run` ends with it, where it can be known: of a job that has a name, always; \
of others that of number 1, which Linux tells since 6.15, and 0 where it does not. 124 if --timeout was too short, 125 \
if pidns failed.

TARGET is the name of a job of this user, or the number of any process inside.

Examples:
  pidns wait nightly-build && echo it was good
  pidns wait --timeout 10m 4711";

/// Wait until a namespace is gone with all that is in it.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub struct Wait {
    /// Do not wait longer than this; nothing is ended.
    #[arg(long, value_name = "DUR", value_parser = text::duration)]
    pub timeout: Option<Duration>,

    /// The namespace.
    pub target: String,
}
