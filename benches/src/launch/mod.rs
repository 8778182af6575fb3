//! `bench launch`: what it costs to start a command in a PID namespace, and to end one.

mod caller;
mod memory;
mod teardown;

use anyhow::{Result, bail};

use crate::measure::{self, Contestant};
use crate::tools::{self, Programs};

/// Measures all of it, or one part in a process of its own.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    match args {
        [] => all(),
        ["caller", megabytes] => caller::measure(megabytes.parse()?),
        ["leave", number, pause] => teardown::leave(number.parse()?, pause),
        _ => bail!("usage: pidns-benches launch"),
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

/// From the start of a launcher to its end, with a command that does nothing.
fn launch(programs: &Programs) -> Result<()> {
    let nothing = programs.path("nothing");
    let limit = programs.path("limit");
    let lines: Vec<(String, Vec<String>)> = launchers(&limit)
        .into_iter()
        .map(|(name, mut line)| {
            line.push(nothing.clone());
            (name, line)
        })
        .filter(|(name, line)| tools::works(name, line))
        .collect();
    let contestants = lines
        .iter()
        .map(|(name, line)| Contestant::timed(name.clone(), || tools::run(line)))
        .collect();
    let medians = measure::in_turns(contestants, ROUNDS)?;
    let Some(&(_, base)) = medians.iter().find(|(name, _)| name == LIMIT) else {
        bail!("PID namespaces cannot be had here, so there is no limit to compare with");
    };
    for (name, median) in &medians {
        measure::tell_us(&format!("launch.{name}"), *median);
        measure::tell_ratio(&format!("launch.{name}"), *median, base);
    }
    Ok(())
}

const LIMIT: &str = "limit";

/// Names and command lines, to which the command is added.
fn launchers(limit: &str) -> Vec<(String, Vec<String>)> {
    let mut all =
        vec![("no_launcher".to_owned(), vec![]), (LIMIT.to_owned(), vec![limit.to_owned()])];
    let mut add = |name: String, program: &str, options: &str| {
        let words = options.split_ascii_whitespace().map(str::to_owned);
        all.push((name, std::iter::once(program.to_owned()).chain(words).collect()));
    };
    for (name, program) in tools::pidns() {
        add(format!("{name}_no_proc"), &program, "run --engine kernel --no-proc --");
        add(name.to_owned(), &program, "run --engine kernel --");
        add(format!("{name}_as_init"), &program, "run --engine kernel --as-init --");
        add(format!("{name}_auto"), &program, "run --engine auto --");
        add(format!("{name}_subreaper"), &program, "run --engine subreaper --");
        add(format!("{name}_ptrace"), &program, "run --engine ptrace --");
    }
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
    for (name, program, options) in peers {
        if let Some(program) = tools::installed(program) {
            add(name.to_owned(), &program, options);
        }
    }
    all
}
