//! The command line: [`HELP`] says it all.

mod options;

use crate::cases;
use crate::differences;
use crate::fuzz;
use crate::generate;
use crate::host::{self, HostWorld, actor, place};
use crate::play;
use crate::rules;
use crate::table::{self, Table, Verdict};
use options::Options;
use std::process::ExitCode;

/// What there is.
pub const HELP: &str = "\
pidns-conformance run [--world WORLD,..] [--pidns FILE] [--row ROW] [--case TEXT] [--file FILE] [--prefix COMMAND]
    Plays the cases and prints a line for each row of the behaviour table: what each case states has to be seen in
    every world, or to be known to differ there. The worlds are
        host             the kernel
        core             the model
        ptrace           the ptrace engine of the program FILE
        ptrace-off       the same where the kernel's PID namespaces are switched off, without privilege
        ptrace-filtered  the same behind the filter of a default container, without privilege
        ptrace-container the same, for a run inside a container
    A world of another name is real processes that run under COMMAND (split at blanks). Without --world: host and core,
    and with --pidns ptrace-off and ptrace-filtered.
pidns-conformance generate [--count N] [--seed S]
    Plays generated scripts on the host and on the model, and prints those that part them, cut down.
pidns-conformance script [--count N] [--seed S]
    Prints generated scripts without playing them on the host.
pidns-conformance record [--row ROW] [--case TEXT] [--file FILE]
    Plays cases on the host and prints them with what was seen, as a case file.
pidns-conformance differences
    Prints the rows that the ptrace engine does not pass, with the reasons (docs/divergences.md).
pidns-conformance rules
    Prints which file of the model has the rule of a row, and which case and test show it (docs/linux-rules.md).
";

type Done = Result<ExitCode, String>;

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let program = arguments.first().map_or("", String::as_str);
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    command(program, &words).unwrap_or_else(|message| {
        eprintln!("pidns-conformance: {message}");
        ExitCode::from(2)
    })
}

fn command(program: &str, words: &[&str]) -> Done {
    let (command, rest) = words.split_first().ok_or(HELP)?;
    match (*command, rest) {
        ("actor", [slot, channels]) => {
            actor::continue_after_exec(program, number(slot), numbers(channels))
        }
        ("holder", [control, channels]) => {
            actor::holder::run(program, number(control), numbers(channels))
        }
        ("without-reboot", rest) => Err(host::run_without_reboot(rest)),
        ("filtered", rest) => Err(place::run_filtered(rest)),
        ("run", rest) => run(&Options::parse(rest)?),
        ("generate", rest) => play_generated(&Options::parse(rest)?),
        ("script", rest) => print_scripts(&Options::parse(rest)?),
        ("record", rest) => record(&Options::parse(rest)?),
        ("rules", []) => print_rules(),
        ("differences", []) => print_differences(),
        ("help" | "--help" | "-h", _) => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(format!("unknown command\n{HELP}")),
    }
}

fn number<T: std::str::FromStr + Default>(text: &str) -> T {
    text.parse().unwrap_or_default()
}

fn numbers(text: &str) -> Vec<i32> {
    text.split(',').map(number).collect()
}

fn run(options: &Options) -> Done {
    let mut worlds = options.worlds()?;
    let mut table = Table::default();
    let mut failed = false;
    for case in options.cases()? {
        let result = table::play_case(&mut worlds, &case);
        for verdict in &result.verdicts {
            match verdict {
                Verdict::Pass | Verdict::Differs(_) => {}
                Verdict::Skipped(why) => println!("skipped: {}: {why}", case.name),
                Verdict::Fail(text) => {
                    failed = true;
                    print!("{text}");
                }
            }
        }
        table.add(&result);
    }
    let names: Vec<String> = worlds.iter().map(|world| world.name().to_owned()).collect();
    print!("{}", table.show(&names));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn record(options: &Options) -> Done {
    let mut world = HostWorld::new("host", Vec::new());
    for mut case in options.cases()? {
        let transcript =
            play::play(&mut world, &case).map_err(|error| format!("{}: {error}", case.name))?;
        for (step, lines) in case.steps.iter_mut().zip(transcript) {
            step.expected = Some(lines);
        }
        println!("{case}");
    }
    Ok(ExitCode::SUCCESS)
}

fn play_generated(options: &Options) -> Done {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let summary =
        fuzz::run(options.seed, options.count, threads, None).map_err(|error| error.to_string())?;
    print!("{summary}");
    Ok(if summary.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_scripts(options: &Options) -> Done {
    for seed in options.seed..options.seed + options.count {
        println!("{}", generate::script(seed).map_err(|error| error.to_string())?);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_differences() -> Done {
    let cases = cases::all().map_err(|error| error.to_string())?;
    print!("{}", differences::page(place::FILTERED, &cases));
    Ok(ExitCode::SUCCESS)
}

fn print_rules() -> Done {
    let rules = rules::collect().map_err(|error| error.to_string())?;
    print!("{}", rules::page(&rules));
    Ok(ExitCode::SUCCESS)
}
