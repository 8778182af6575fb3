//! The `pidns` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    pidns_cli::main(std::env::args_os())
}
