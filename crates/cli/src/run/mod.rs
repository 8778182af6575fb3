//! `pidns run`.
//!
//! [`supervise`] passes signals and stops between the terminal's side and the command; [`json`] is the report.

mod json;
pub(crate) mod supervise;
mod terminal;

use pidns::{Child, Command, Descriptors, Leftovers, Proc, Report};

use crate::args::{self, Leaks, Run};
use crate::exit::{self, Failure};
use crate::{start, text};

/// Runs the command of `run` and returns the exit code.
pub(crate) fn run(run: &Run) -> Result<u8, Failure> {
    let mut file = run.report.as_deref().map(json::File::create).transpose()?;
    let signals = supervise::Signals::take()?;
    let launched =
        command(run, &signals).spawn().map_err(|error| start::failed(&run.command, error));
    let (code, report) = match launched {
        Ok(child) => {
            let child = supervise_to_end(run, child, &signals)?;
            (exit_code(run, child.report())?, Ok(child.report().clone()))
        }
        Err(failure) => (failure.code(), Err(failure)),
    };
    if let Some(file) = &mut file {
        file.write(run, report.as_ref(), code)?;
    }
    report.map(|_| code)
}

fn command(run: &Run, signals: &supervise::Signals) -> Command {
    let mut command = Command::new(&run.command[0]);
    command
        .args(&run.command[1..])
        .signal(run.signal)
        .grace(run.grace)
        // We have one thread.
        .bind_to_thread()
        .signal_mask(signals.mask_before());
    command.engine(match run.engine {
        args::Engine::Auto => pidns::Engine::Auto,
        args::Engine::Kernel => pidns::Engine::Kernel,
        args::Engine::Ptrace => pidns::Engine::Ptrace,
        args::Engine::Subreaper => pidns::Engine::Subreaper,
    });
    command.descriptors(match run.fds {
        args::Fds::Standard => Descriptors::Standard,
        args::Fds::All => Descriptors::All,
    });
    command.map(match run.map {
        args::Map::Same => pidns::Map::Same,
        args::Map::Root => pidns::Map::Root,
    });
    match (run.proc, run.no_proc) {
        (true, _) => command.proc(Proc::Fresh),
        (_, true) => command.proc(Proc::Never),
        _ => command.proc(Proc::IfPossible),
    };
    if let Some(name) = &run.name {
        command.name(name);
    }
    if run.as_init {
        command.as_init();
    }
    if let Some(timeout) = run.timeout {
        command.timeout(timeout);
    }
    if looks_at_leftovers(run) {
        command.leftovers(Leftovers::List);
    }
    command
}

/// With --as-init there is no moment to look at them: --leaks says so, --report has none.
fn looks_at_leftovers(run: &Run) -> bool {
    run.leaks != Leaks::Ignore || run.report.is_some() && !run.as_init
}

fn supervise_to_end(
    run: &Run,
    mut child: Child,
    signals: &supervise::Signals,
) -> Result<Child, Failure> {
    if run.verbose > 0 {
        let report = child.report();
        let (engine, init) = (report.engine.name(), report.init_pid);
        exit::say(format_args!(
            "engine {engine}, number 1 is process {init}, up in {}",
            text::human(report.times.launch)
        ));
        for passed in &report.passed_over {
            exit::say(format_args!("not engine {}: {}", passed.engine.name(), passed.error));
        }
    }
    let status = signals.supervise(&mut child).map_err(|error| {
        Failure::new("cannot wait for the command", text::without_number(&error))
    })?;
    if run.verbose > 0 {
        let times = child.report().times;
        let (run, zap) = (text::human(times.run), text::human(times.zap));
        exit::say(format_args!("{status} after {run}, all gone {zap} later"));
    }
    Ok(child)
}

fn exit_code(run: &Run, report: &Report) -> Result<u8, Failure> {
    let code = report.status.map_or(exit::FAILED, |status| status.shell_code());
    let leaks = match (run.leaks, &report.leaks) {
        (Leaks::Ignore, _) => &[],
        (_, Some(leaks)) => leaks.as_slice(),
        (_, None) => {
            let why = "number 1 was killed, or /proc does not show them";
            let failure = Failure::new("cannot list what was left behind", why);
            // Only a success would say that there was nothing.
            if code == 0 && !report.timed_out {
                return Err(failure);
            }
            if !run.quiet {
                exit::say(failure.message());
            }
            &[]
        }
    };
    if !leaks.is_empty() && !run.quiet {
        list(run, leaks);
    }
    Ok(match (report.timed_out, run.leaks, code) {
        (true, ..) => exit::TIMEOUT,
        (_, Leaks::Fail, 0) if !leaks.is_empty() => exit::LEAKS,
        _ => code,
    })
}

fn list(run: &Run, leaks: &[pidns::Process]) {
    let count = match leaks.len() {
        1 => "1 process was".to_owned(),
        n => format!("{n} processes were"),
    };
    exit::say(format_args!("{count} left behind by {}, and killed:", text::words(&run.command)));
    for process in leaks {
        let number = process.number.map_or_else(|| "?".to_owned(), |number| number.to_string());
        let (age, command) = (text::human(process.age), text::words(&process.command));
        exit::say(format_args!(
            "  number {number} (process {}), {age} old: {command}",
            process.pid
        ));
    }
}
