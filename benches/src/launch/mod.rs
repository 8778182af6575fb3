//! `bench launch`: what it costs to start a command in a PID namespace, and to end one.

mod caller;
mod memory;
mod teardown;

use anyhow::{Result, bail};

use crate::measure::{self, Contestant};
use crate::tools::{self, Programs};

/// Measures all of it, the start alone, or what is a part of it in a process of its own.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    match args {
        [] => all(),
        ["start"] => launch(&Programs::compile()?),
        ["caller", megabytes] => caller::measure(megabytes.parse()?),
        ["leave", number, pause] => teardown::leave(number.parse()?, pause),
        _ => bail!("usage: pidns-benches launch [start]"),
    }
}

fn all() -> Result<()> {
    let programs = Programs::compile()?;
    launch(&programs)?;
    caller::compare()?;
    memory::compare(&programs)?;
    teardown::compare(&programs)
}

const ROUNDS: usize = 400;

/// From the start of a launcher to its end, with a command that does nothing. Two series, each with the limit among those
/// who take turns: what most people run beside the peers, and what else there is of `pidns`.
fn launch(programs: &Programs) -> Result<()> {
    series(programs, LIMIT, plain().into_iter().chain(peers()).collect())?;
    series(programs, "limit_again", variants())
}

/// Lets `launchers` and the limit take turns, each twice in a row, where the second time counts. What comes before the
/// command is told by name.
fn series(programs: &Programs, limit: &str, launchers: Vec<Launcher>) -> Result<()> {
    let nothing = programs.path("nothing");
    let bare = [("no_launcher".to_owned(), vec![]), (limit.to_owned(), vec![programs.path(LIMIT)])];
    let bare = bare.into_iter().skip(usize::from(limit != LIMIT));
    let lines: Vec<Launcher> = bare
        .chain(launchers)
        .map(|(name, mut line)| {
            line.push(nothing.clone());
            (name, line)
        })
        .filter(|(name, line)| tools::works(name, line))
        .collect();
    let contestants = lines
        .iter()
        .map(|(name, line)| Contestant::warm(name.clone(), || tools::run(line)))
        .collect();
    let medians = measure::in_turns(contestants, ROUNDS)?;
    let Some(&(_, base)) = medians.iter().find(|(name, _)| name == limit) else {
        bail!("PID namespaces cannot be had here, so there is no limit to compare with");
    };
    for (name, median) in &medians {
        measure::tell_us(&format!("launch.{name}"), *median);
        measure::tell_ratio(&format!("launch.{name}"), *median, base);
    }
    Ok(())
}

const LIMIT: &str = "limit";

/// A name, and a command line to which the command is added.
type Launcher = (String, Vec<String>);

fn launcher(name: impl Into<String>, program: &str, options: &str) -> Launcher {
    let words = options.split_ascii_whitespace().map(str::to_owned);
    (name.into(), std::iter::once(program.to_owned()).chain(words).collect())
}

/// `pidns run` with and without a /proc of its own.
fn plain() -> Vec<Launcher> {
    let of = |(name, program): (&str, String)| {
        [
            launcher(format!("{name}_no_proc"), &program, "run --engine kernel --no-proc --"),
            launcher(name, &program, "run --engine kernel --"),
        ]
    };
    tools::pidns().into_iter().flat_map(of).collect()
}

/// The other ways of `pidns run`.
fn variants() -> Vec<Launcher> {
    let of = |(name, program): (&str, String)| {
        let ways = [
            ("kernel", "run --engine kernel --"),
            ("auto", "run --engine auto --"),
            ("as_init", "run --engine kernel --as-init --"),
            ("subreaper", "run --engine subreaper --"),
            ("ptrace", "run --engine ptrace --"),
        ];
        ways.map(|(way, options)| launcher(format!("{name}_{way}"), &program, options))
    };
    tools::pidns().into_iter().flat_map(of).collect()
}

/// Other launchers, as far as they are installed.
fn peers() -> Vec<Launcher> {
    let peers = [
        ("unshare", "unshare", "--pid --fork --kill-child"),
        ("unshare_proc", "unshare", "--pid --fork --kill-child --mount-proc"),
        (
            "bwrap",
            "bwrap",
            "--bind / / --unshare-pid --die-with-parent --proc /proc --dev-bind /dev /dev --",
        ),
        ("tini", "tini", "-s --"),
        ("catatonit", "catatonit", "--"),
        ("dumb_init", "dumb-init", "--"),
        ("setsid", "setsid", "-w"),
    ];
    let found = |(name, program, options)| {
        tools::installed(program).map(|program| launcher(name, &program, options))
    };
    peers.into_iter().filter_map(found).collect()
}
