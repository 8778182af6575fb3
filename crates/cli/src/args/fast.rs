//! Reads plain command lines of `run` without clap.
//!
//! A launch is to cost little more than the kernel asks for it, and setting up clap's description of the command line
//! costs as much as a sixth of it. What is read here is read as [`super::parse`] would; whatever else there is, help
//! and mistakes among it, is left to clap. A test holds the two together.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::ValueEnum;
use pidns::Signal;

use super::{Engine, Fds, Leaks, Map, Run};
use crate::text;

/// The options and the command of `pidns run`, if they are plain.
pub(super) fn run(args: &[OsString]) -> Option<Run> {
    let set = |name: &str| std::env::var_os(name).is_some();
    match args {
        [_, action, rest @ ..]
            if action == "run" && !set("PIDNS_ENGINE") && !set("PIDNS_LEAKS") =>
        {
            read(rest)
        }
        _ => None,
    }
}

fn read(args: &[OsString]) -> Option<Run> {
    let mut run = Run {
        engine: Engine::Auto,
        as_init: false,
        name: None,
        proc: false,
        no_proc: false,
        fds: Fds::Standard,
        map: Map::Same,
        timeout: None,
        signal: Signal::TERM,
        grace: Duration::ZERO,
        leaks: Leaks::Ignore,
        report: None,
        verbose: 0,
        quiet: false,
        command: Vec::new(),
    };
    let mut rest = args.iter();
    let mut seen: Vec<&OsStr> = Vec::new();
    let command = loop {
        let option = rest.next()?;
        if option == "--" {
            break rest.as_slice();
        }
        if !option.as_encoded_bytes().starts_with(b"-") {
            break &args[args.len() - rest.len() - 1..];
        }
        // What clap says of a repetition is for clap to say.
        if seen.contains(&option.as_os_str()) {
            return None;
        }
        seen.push(option);
        let mut value =
            || rest.next().filter(|value| !value.as_encoded_bytes().starts_with(b"-"))?.to_str();
        match option.to_str()? {
            "--engine" => run.engine = Engine::from_str(value()?, false).ok()?,
            "--name" => run.name = Some(text::name(value()?).ok()?),
            "--as-init" => run.as_init = true,
            "--no-proc" => run.no_proc = true,
            "--fds" => run.fds = Fds::from_str(value()?, false).ok()?,
            "--map" => run.map = Map::from_str(value()?, false).ok()?,
            "--timeout" => run.timeout = Some(text::duration(value()?).ok()?),
            "--signal" => run.signal = text::signal(value()?).ok()?,
            "--grace" => run.grace = text::duration(value()?).ok()?,
            "--leaks" => run.leaks = Leaks::from_str(value()?, false).ok()?,
            _ => return None,
        }
    };
    run.command = command.to_vec();
    (!command.is_empty()).then_some(run)
}

#[cfg(test)]
mod tests {
    use super::super::{Action, slow};
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    /// Both ways of reading, as text.
    fn both(line: &str) -> (Option<String>, Option<String>) {
        let slow = match slow(words(line)) {
            Ok(Action::Run(run)) => Some(format!("{run:?}")),
            _ => None,
        };
        (run(&words(line)).map(|run| format!("{run:?}")), slow)
    }

    #[test]
    fn plain_lines_are_read_as_clap_reads_them() {
        for line in [
            "pidns run true",
            "pidns run -- true",
            "pidns run make -j2 test",
            "pidns run sh -c x -- -y --engine kernel",
            "pidns run -- -- x",
            "pidns run --as-init -- -odd",
            "pidns run --no-proc --engine kernel true",
            "pidns run --map root --timeout 1.5m --signal int --grace 200ms --leaks fail -- a b",
            "pidns run --name job.7 --no-proc true",
            "pidns run --signal 9 --leaks report a",
            "pidns run --fds all a",
        ] {
            let (fast, slow) = both(line);
            assert!(fast.is_some(), "{line} is left to clap");
            assert_eq!(fast, slow, "{line}");
        }
    }

    #[test]
    fn whatever_is_read_is_read_as_clap_reads_it() {
        let pieces = [
            "--engine",
            "kernel",
            "--",
            "-v",
            "-q",
            "--leaks",
            "fail",
            "--grace",
            "5",
            "--name",
            "x",
            "-",
            "--no-proc",
            "true",
            "--map=root",
        ];
        for a in pieces {
            for b in pieces {
                for c in pieces {
                    let line = format!("pidns run {a} {b} {c}");
                    if let (Some(fast), slow) = both(&line) {
                        assert_eq!(Some(fast), slow, "{line}");
                    }
                }
            }
        }
    }
}
