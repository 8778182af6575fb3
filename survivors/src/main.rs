//! Who survives what. `cargo xtask survivors` prints a table of ways to leave processes behind and tools that are to
//! prevent it; `cargo xtask chaos` runs random jobs, kills random processes, and counts what should not be.
//!
//! * [`tools`] are the columns, [`ways`] the rows, [`matrix`] puts them together.
//! * [`chaos`] is the other one.
//! * [`mark`] finds processes wherever they are, by a mark in their environment.
#![forbid(unsafe_code)]

mod chaos;
mod group;
mod leak;
mod mark;
mod matrix;
mod tools;
mod ways;

use std::env;
use std::process::ExitCode;

use anyhow::Result;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("survivors: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<ExitCode> {
    match words {
        ["table"] => matrix::print(""),
        ["table", word] => matrix::print(word),
        ["chaos", rest @ ..] => chaos::run(rest),
        ["group", command @ ..] => group::run(command),
        _ => anyhow::bail!("usage: pidns-survivors table [WORD] | chaos [OPTIONS]"),
    }
}
