//! What can be said on the command line: [`Run`] and its neighbours, which clap reads, and [`fast`], which reads the
//! plain part of it sooner.

mod doctor;
mod exec;
mod fast;
mod kill;
mod ps;
mod wait;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use pidns::Signal;

use crate::text;

pub use doctor::Doctor;
pub use exec::Exec;
pub use kill::Kill;
pub use ps::Ps;
pub use wait::Wait;

/// Run commands so that no process outlives them.
#[derive(Debug, Parser)]
#[command(name = "pidns", version, arg_required_else_help = true, after_help = AFTER)]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

const AFTER: &str = "Try: pidns run -- make test";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Run COMMAND in a PID namespace of its own, and kill all that is left when it ends.
    Run(Run),
    /// List PID namespaces, or the processes in one.
    Ps(Ps),
    /// Run COMMAND in a namespace that is there already.
    Exec(Exec),
    /// Destroy a namespace with all that is in it, or send its command a signal.
    Kill(Kill),
    /// Wait until a namespace is gone with all that is in it.
    Wait(Wait),
    /// Say which engines work here, and what is in the way of the others.
    Doctor(Doctor),
    /// Print completions for a shell.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

const RUN_AFTER: &str = "\
When COMMAND ends, or `pidns run` itself is killed, in whatever way, every
process that COMMAND has started, directly or not, is killed and reaped before
`pidns run` returns. Signals sent to `pidns run` are passed on to COMMAND.

Exit status: that of COMMAND; 128+N if signal N killed it; 123 if processes
were left behind (--leaks fail); 124 if it ran out of time; 125 if pidns
failed; 126 if COMMAND cannot be executed; 127 if it is not found.

Examples:
  pidns run -- make test
  pidns run --timeout 10m --grace 5s --leaks fail -- ./integration-tests
  pidns run --report report.json -- sh -c 'server & client'";

/// Run COMMAND in a PID namespace of its own, and kill all that is left when it ends.
#[derive(Debug, Args)]
#[command(after_help = RUN_AFTER, override_usage = "pidns run [OPTIONS] [--] COMMAND [ARG]...")]
pub struct Run {
    /// How to get the namespace.
    #[arg(long, value_enum, default_value_t = Engine::Auto, env = "PIDNS_ENGINE", hide_env_values = true)]
    pub engine: Engine,

    /// Make COMMAND number 1 itself, with no pidns-init above it.
    #[arg(long)]
    pub as_init: bool,

    /// Register the job under this name, for `pidns ps`, `exec`, `kill` and `wait` to find it by.
    ///
    /// A name is one word, and no number. It is taken while the job runs, and free again when `pidns run` has ended,
    /// however that came.
    #[arg(long, value_parser = text::name)]
    pub name: Option<String>,

    /// Insist on a fresh /proc (the default is to have one where possible).
    #[arg(long, overrides_with = "no_proc")]
    pub proc: bool,

    /// Leave /proc as it is.
    #[arg(long)]
    pub no_proc: bool,

    /// Which of the caller's descriptors reach COMMAND.
    #[arg(long, value_enum, default_value_t = Fds::Standard)]
    pub fds: Fds,

    /// Whom to be where a user namespace is needed.
    #[arg(long, value_enum, default_value_t = Map::Same, value_name = "USER")]
    pub map: Map,

    /// End COMMAND after this time (such as 90, 1.5s, 10m, 2h).
    #[arg(long, value_name = "DUR", value_parser = text::duration)]
    pub timeout: Option<Duration>,

    /// What leftovers and a COMMAND that is out of time get before SIGKILL, if there is --grace.
    #[arg(long, value_name = "SIG", default_value = "TERM", value_parser = text::signal)]
    pub signal: Signal,

    /// How long --signal may take to work; 0 kills at once, without --signal.
    #[arg(long, value_name = "DUR", default_value = "0", value_parser = text::duration)]
    pub grace: Duration,

    /// What to do about processes that are still there when COMMAND ends; killed they are in any case.
    #[arg(long, value_enum, default_value_t = Leaks::Ignore, env = "PIDNS_LEAKS", hide_env_values = true)]
    pub leaks: Leaks,

    /// Write what happened to FILE as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Say more on standard error.
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,

    /// Say nothing on standard error but why pidns failed.
    #[arg(short, long)]
    pub quiet: bool,

    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// How to get a PID namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// The first of the others that works here.
    Auto,
    /// The kernel's PID namespaces.
    Kernel,
    /// Our own, by ptrace and seccomp, without any privilege.
    Ptrace,
    /// No namespace, but nothing survives.
    Subreaper,
}

/// Which descriptors reach the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fds {
    /// Standard input, output and error.
    Standard,
    /// All that are not close-on-exec, as make's job server and <(...) need.
    All,
}

/// Whom to be in a user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Map {
    /// The same user as outside.
    Same,
    /// Root, over the new namespaces only.
    Root,
}

/// What to do about processes that are left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Leaks {
    /// Nothing.
    Ignore,
    /// List them on standard error.
    Report,
    /// List them, and exit with 123 if COMMAND succeeded.
    Fail,
}

/// Reads the command line. The error is an answer to print: help, the version, or what is wrong.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Action, clap::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    match fast::run(&args) {
        Some(run) => Ok(Action::Run(run)),
        None => slow(args),
    }
}

fn slow(args: Vec<OsString>) -> Result<Action, clap::Error> {
    Cli::try_parse_from(args).map(|cli| cli.action)
}

/// The command line's description, for completions and man pages.
pub fn command() -> clap::Command {
    Cli::command()
}
