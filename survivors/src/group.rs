//! What a program does that uses the crate `process-wrap` with a process group: runs a command as the leader of a group
//! of its own, and kills the group when the command has ended.

use std::process::ExitCode;

use anyhow::{Result, bail};
use process_wrap::std::{CommandWrap, ProcessGroup};

pub(crate) fn run(command: &[&str]) -> Result<ExitCode> {
    let [program, args @ ..] = command else { bail!("usage: group COMMAND [ARG]...") };
    let mut child = CommandWrap::with_new(program, |command| {
        command.args(args);
    })
    .wrap(ProcessGroup::leader())
    .spawn()?;
    // The command's end only; that of the group is what a wait of the wrapper waits for.
    let status = child.inner_mut().wait()?;
    // Nobody is left if this fails.
    let _ = child.start_kill();
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
