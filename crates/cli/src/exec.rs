//! `pidns exec`.

use pidns::Command;

use crate::args::Exec;
use crate::exit::{self, Failure};
use crate::run::supervise::Signals;
use crate::{start, target};

/// Runs the command in the namespace and returns the exit code.
pub(crate) fn exec(args: &Exec) -> Result<u8, Failure> {
    let namespace = target::open(&args.target)?;
    let signals = Signals::take()?;
    let mut child = namespace
        .spawn(&mut command(args, &signals))
        .map_err(|error| start::failed(&args.command, error))?;
    let status = signals
        .supervise(&mut child)
        .map_err(|error| Failure::new("cannot wait for the command", error))?;
    Ok(if child.report().timed_out { exit::TIMEOUT } else { status.shell_code() })
}

fn command(args: &Exec, signals: &Signals) -> Command {
    let mut command = Command::new(&args.command[0]);
    command
        .args(&args.command[1..])
        .signal(args.signal)
        .grace(args.grace)
        .signal_mask(signals.mask_before());
    if let Some(directory) = &args.directory {
        command.current_dir(directory);
    }
    if let Some(timeout) = args.timeout {
        command.timeout(timeout);
    }
    command
}
