//! `pidns doctor`.

use clap::Args;

const AFTER: &str = "\
Each engine is really tried, with a command that does not exist. What fails is shown with the kernel's error, what is \
in the way, and what would remove it: the setting, profile or option.

Exit status: 0 if some engine works, 125 if none does.

The keys of the JSON stay as they are: version, auto, engines (engine, state: works, limited or refused, stage, errno, \
error, cause, why, remedies: what, how) and facts.";

/// Say which engines work here, and what is in the way of the others.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub struct Doctor {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
