//! `pidns completions`.

use std::io::Write;

use crate::args;
use crate::exit::Failure;

/// Prints the completions for `shell`.
pub(crate) fn print(shell: clap_complete::Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "pidns", &mut script);
    std::io::stdout()
        .write_all(&script)
        .map_err(|error| Failure::new("cannot write the completions", error))?;
    Ok(0)
}
