//! Project tasks: `cargo xtask TASK`.
#![forbid(unsafe_code)]

mod bench;
mod chart;
mod ci;
mod conformance;
mod dist;
mod layers;
mod man;
mod sh;
mod survivors;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask TASK
  ci             all that has to pass: format, clippy, docs, layers, conformance
  layers         check which crate may know which, and where unsafe may be
  conformance .. play the cases of conformance/ in several worlds and compare
  bench NAME [--svg DIR]
                 launch, core or ptrace: measure beside what is installed here
  charts FILE DIR
                 draw the charts of a bench that has printed into FILE
  survivors [WORD]
                 print the table of who survives what with which tool (docs/survivors.md)
  chaos [--minutes N] [--seed N] [--workers N] [--engines A,B] [--pid-max N]
                 run random jobs and kill random processes; fail if anything is wrong
  dist [DIR]     write a tarball and a Debian package of static programs (to target/dist)
  man [DIR]      write the man pages (to target/man)";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["ci"] => ci::run(),
        ["layers"] => layers::check(),
        ["conformance", rest @ ..] => conformance::run(rest),
        ["bench", name, rest @ ..] => bench::run(name, rest),
        ["charts", file, directory] => chart::draw_file(file.as_ref(), directory.as_ref()),
        ["survivors", rest @ ..] => survivors::run(&[&["table"], rest].concat()),
        ["chaos", rest @ ..] => survivors::run(&[&["chaos"], rest].concat()),
        ["dist"] => dist::write("target/dist".as_ref()),
        ["dist", directory] => dist::write(directory.as_ref()),
        ["man"] => man::write("target/man".as_ref()),
        ["man", directory] => man::write(directory.as_ref()),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
