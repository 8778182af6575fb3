//! The `pidns` command: arguments in, calls of the library `pidns`, words and JSON out.
//!
//! [`args`] is what can be said, [`exit`] how it may end, and each command has a module of its own name.
#![forbid(unsafe_code)]

pub mod args;
mod completions;
mod doctor;
mod exec;
mod exit;
mod kill;
mod ps;
mod run;
mod start;
mod target;
mod text;
mod wait;

use std::ffi::OsString;

use args::Action;

/// Does what `args` say, the first of which is the program's name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> u8 {
    let action = match args::parse(args) {
        Ok(action) => action,
        Err(answer) => return exit::usage(&answer),
    };
    match action {
        Action::Run(run) => exit::report(run::run(&run)),
        Action::Ps(args) => exit::report(ps::ps(&args)),
        Action::Exec(args) => exit::report(exec::exec(&args)),
        Action::Kill(args) => exit::report(kill::kill(&args)),
        Action::Wait(args) => exit::report(wait::wait(&args)),
        Action::Doctor(args) => exit::report(doctor::doctor(&args)),
        Action::Completions { shell } => exit::report(completions::print(shell)),
    }
}
