//! The `pidns` command.
#![forbid(unsafe_code)]

use std::io::Write;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() {
    let code = pidns_cli::main(std::env::args_os());
    // Who cannot be written to does not change how the command has ended.
    let _ = std::io::stdout().flush();
    pidns_sys::program::exit(code);
}
