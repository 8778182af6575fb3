//! `pidns completions`.

use crate::args;
use crate::exit::Failure;
use crate::text;

/// Prints the completions for `shell`.
pub(crate) fn print(shell: clap_complete::Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "pidns", &mut script);
    text::print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
