//! `pidns exec`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pidns::Signal;

use crate::text;

const AFTER: &str = "\
COMMAND gets what number 1 of the namespace has: its PID, mount, user, network, IPC, UTS and cgroup namespaces and its root \
directory, so that /proc shows what is inside. It keeps who you are, except in a user namespace in which you are nobody: \
there it is who number 1 is. It is not bound by what else may bind number 1: cgroups, seccomp filters, dropped \
capabilities. Its standard descriptors, terminal and process group are those of `pidns exec`, and it starts in the same \
directory if there is one of that path inside, else in /.

When `pidns exec` ends, in whatever way, COMMAND is killed. What COMMAND has started then belongs to the namespace and \
ends with it. In a job of the engine subreaper, which has no inside, it ends with COMMAND; COMMAND ends with the job. \
In a job of the engine \
ptrace, it is in that job's session, and a shell has no job control there; one that was started with --as-init cannot \
be entered.

TARGET is the name of a job of this user, or the number of any process inside.

Exit status: as that of `pidns run`: COMMAND's own; 128+N if signal N killed it; 124 if it ran out of time; 125 if pidns \
failed; 126 if COMMAND cannot be executed; 127 if it is not found.

Examples:
  pidns exec nightly-build -- ps -ef
  pidns exec -w / 4711 -- sh";

/// Run COMMAND in a namespace that is there already, of pidns or of others.
#[derive(Debug, Args)]
#[command(after_help = AFTER, override_usage = "pidns exec [OPTIONS] TARGET [--] COMMAND [ARG]...")]
pub struct Exec {
    /// Start COMMAND in this directory, by its path inside.
    #[arg(short = 'w', long, value_name = "DIR")]
    pub directory: Option<PathBuf>,

    /// End COMMAND after this time (such as 90, 1.5s, 10m, 2h).
    #[arg(long, value_name = "DUR", value_parser = text::duration)]
    pub timeout: Option<Duration>,

    /// What a COMMAND that is out of time gets before SIGKILL, if there is --grace.
    #[arg(long, value_name = "SIG", default_value = "TERM", value_parser = text::signal)]
    pub signal: Signal,

    /// How long --signal may take to work; 0 kills at once, without --signal.
    #[arg(long, value_name = "DUR", default_value = "0", value_parser = text::duration)]
    pub grace: Duration,

    /// The namespace.
    pub target: String,

    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}
