//! The command line.

use crate::cases;
use crate::fuzz;
use crate::generate;
use crate::host::{HostWorld, actor};
use crate::play;
use crate::script::case::Case;
use crate::script::parse;
use crate::sim::SimWorld;
use crate::table::{self, Table, Verdict};
use crate::world::World;
use std::ffi::OsString;
use std::process::ExitCode;

const HELP: &str = "\
pidns-conformance run [--world host,sim] [--row ROW] [--case TEXT] [--file FILE] [--prefix WORD]...
    Plays the cases and prints a line for each row of the behaviour table.
pidns-conformance generate [--count N] [--seed S]
    Plays generated scripts on the host and on the model, and prints those that part them, cut down.
pidns-conformance script [--count N] [--seed S]
    Prints generated scripts without playing them on the host.
pidns-conformance record [--row ROW] [--case TEXT] [--file FILE]
    Plays cases on the host and prints them with what was seen, as a case file.
";

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let result = match words.as_slice() {
        ["actor", slot, channels] => {
            actor::continue_after_exec(&arguments[0], number(slot), numbers(channels))
        }
        ["holder", control, channels] => {
            actor::holder::run(&arguments[0], number(control), numbers(channels))
        }
        ["run", rest @ ..] => Options::parse(rest).and_then(|options| run(&options)),
        ["generate", rest @ ..] => {
            Options::parse(rest).and_then(|options| play_generated(&options))
        }
        ["script", rest @ ..] => Options::parse(rest).and_then(|options| script(&options)),
        ["record", rest @ ..] => Options::parse(rest).and_then(|options| record(&options)),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(HELP.to_owned()),
    };
    result.unwrap_or_else(|message| {
        eprintln!("pidns-conformance: {message}");
        ExitCode::from(2)
    })
}

fn number<T: std::str::FromStr + Default>(text: &str) -> T {
    text.parse().unwrap_or_default()
}

fn numbers(text: &str) -> Vec<i32> {
    text.split(',').map(number).collect()
}

#[derive(Debug, Default)]
struct Options {
    worlds: Vec<String>,
    row: Option<String>,
    case: Option<String>,
    file: Option<String>,
    prefix: Vec<OsString>,
    count: u64,
    seed: u64,
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self {
            worlds: vec!["host".to_owned(), "sim".to_owned()],
            count: 300,
            seed: 1,
            ..Self::default()
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                words.next().map(|value| (*value).to_owned()).ok_or(format!("{word} wants a value"))
            };
            match *word {
                "--world" => options.worlds = value()?.split(',').map(str::to_owned).collect(),
                "--row" => options.row = Some(value()?),
                "--case" => options.case = Some(value()?),
                "--file" => options.file = Some(value()?),
                "--count" => options.count = number(&value()?),
                "--seed" => options.seed = number(&value()?),
                "--prefix" => options.prefix.push(value()?.into()),
                other => return Err(format!("unknown option {other}\n{HELP}")),
            }
        }
        Ok(options)
    }

    fn cases(&self) -> Result<Vec<Case>, String> {
        let mut cases = match &self.file {
            None => cases::all(),
            Some(file) => {
                let text =
                    std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
                parse::cases(file, &text)
            }
        }
        .map_err(|error| error.to_string())?;
        cases.retain(|case| self.row.as_ref().is_none_or(|row| case.rows.contains(row)));
        cases.retain(|case| self.case.as_ref().is_none_or(|text| case.name.contains(text)));
        if cases.is_empty() { Err("no such case".to_owned()) } else { Ok(cases) }
    }

    fn world(&self, name: &str) -> Result<Box<dyn World>, String> {
        match name {
            "host" => Ok(Box::new(HostWorld::new("host", self.prefix.clone()))),
            "sim" | "core" => Ok(Box::new(SimWorld::new())),
            other => Err(format!("unknown world {other}")),
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, String> {
    let mut worlds =
        options.worlds.iter().map(|name| options.world(name)).collect::<Result<Vec<_>, _>>()?;
    let mut table = Table::default();
    let mut failed = false;
    for case in options.cases()? {
        let result = table::play_case(&mut worlds, &case);
        for verdict in &result.verdicts {
            match verdict {
                Verdict::Pass => {}
                Verdict::Skipped(why) => println!("skipped: {}: {why}", case.name),
                Verdict::Fail(text) => {
                    failed = true;
                    print!("{text}");
                }
            }
        }
        table.add(&result);
    }
    print!("{}", table.show(&options.worlds));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn record(options: &Options) -> Result<ExitCode, String> {
    let mut world = HostWorld::new("host", options.prefix.clone());
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

fn play_generated(options: &Options) -> Result<ExitCode, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let started = std::time::Instant::now();
    let summary =
        fuzz::run(options.seed, options.count, threads).map_err(|error| error.to_string())?;
    for report in summary.undetermined.iter().map(|report| format!("not determined: {report}")) {
        print!("{report}");
    }
    for report in &summary.disagreements {
        print!("disagreement: {report}");
    }
    for report in &summary.broken {
        print!("broken: {report}");
    }
    println!(
        "{} scripts, {} calls, {} disagreements, {} not determined, {} broken, {:.1} s",
        summary.played,
        summary.steps,
        summary.disagreements.len(),
        summary.undetermined.len(),
        summary.broken.len(),
        started.elapsed().as_secs_f64()
    );
    let clean = summary.disagreements.is_empty() && summary.broken.is_empty();
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn script(options: &Options) -> Result<ExitCode, String> {
    for seed in options.seed..options.seed + options.count {
        println!("{}", generate::script(seed).map_err(|error| error.to_string())?);
    }
    Ok(ExitCode::SUCCESS)
}
