//! `pidns ps`.

use std::time::Duration;

use clap::Args;

use crate::text;

const AFTER: &str = "\
Without TARGET: all PID namespaces below this one that have processes, whoever made them, each with its number 1's \
process, level (how many namespaces it is inside of), engine, name, user, age, number of processes, and command. With \
TARGET, the processes in it, as a tree, each with its number here and its number inside.

TARGET is the name of a job of this user, or the number of any process inside.

Examples:
  pidns ps
  pidns ps --watch nightly-build
  pidns ps --json | jq '.[] | select(.processes > 100)'";

/// List PID namespaces, or the processes in one.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub struct Ps {
    /// Print JSON; with --watch one line each time.
    #[arg(long)]
    pub json: bool,

    /// Go on, and show what changes.
    #[arg(short, long)]
    pub watch: bool,

    /// How long --watch waits between two looks.
    #[arg(long, value_name = "DUR", default_value = "1", value_parser = text::duration)]
    pub interval: Duration,

    /// The namespace to look into.
    pub target: Option<String>,
}
