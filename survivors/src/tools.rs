//! The tools that are to let nobody survive.

use std::env;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::mark;

/// A tool, as a command line that takes a command at its end.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) line: Vec<String>,
    /// The names of its processes besides the one that is started, outermost first.
    guards: &'static [&'static str],
}

/// Who of a tool is to be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The process that was started: what a user, a terminal or a runner of tests kills.
    Supervisor,
    /// Number 1 of a PID namespace.
    Init,
    /// The n-th other process of the tool.
    Guard(usize),
}

impl Tool {
    /// All that are installed and work here.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let mut tools = Self::known()?;
        tools.retain(Self::works);
        Ok(tools)
    }

    fn known() -> Result<Vec<Self>> {
        let pidns = env::var("PIDNS").context("PIDNS has to name the program")?;
        let own = env::current_exe()?.to_str().context("our own path")?.to_owned();
        let lines: [(&'static str, &'static [&'static str], String); 10] = [
            ("pidns kernel", &["pidns-init"], format!("{pidns} run --engine kernel --")),
            ("pidns ptrace", &["pidns-init"], format!("{pidns} run --engine ptrace --")),
            (
                "pidns subreaper",
                &["pidns-warden", "pidns-keeper"],
                format!("{pidns} run --engine subreaper --"),
            ),
            ("unshare", &[], "unshare --pid --fork --kill-child --".into()),
            (
                "bwrap",
                &["bwrap"],
                "bwrap --bind / / --dev-bind /dev /dev --proc /proc --unshare-pid --die-with-parent --".into(),
            ),
            ("tini -s -g", &[], "tini -s -g --".into()),
            ("dumb-init", &[], "dumb-init --".into()),
            ("timeout -k", &[], "timeout -k 1 60".into()),
            ("setsid -w", &[], "setsid -w --".into()),
            ("process-wrap", &[], format!("{own} group")),
        ];
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        let tools = lines.map(|(name, guards, line)| Self { name, line: words(&line), guards });
        Ok(tools.into())
    }

    /// The engines of pidns that work here.
    pub(crate) fn engines() -> Result<Vec<Self>> {
        let mut tools = Self::known()?;
        tools.retain(|tool| tool.name.starts_with("pidns ") && tool.works());
        Ok(tools)
    }

    /// The engine's name, for those that are one.
    pub(crate) fn engine(&self) -> &'static str {
        self.name.trim_start_matches("pidns ")
    }

    /// Says whether processes may trace each other.
    pub(crate) fn may_trace(&self) -> bool {
        self.engine() != "ptrace"
    }

    /// The tool with `command`, about to be started.
    pub(crate) fn command(&self, command: &[&str]) -> Command {
        self.command_with(&[], command)
    }

    /// The same with `options` of its own, for tools whose line ends in `--`.
    pub(crate) fn command_with(&self, options: &[String], command: &[&str]) -> Command {
        let (program, rest) = self.line.split_first().expect("a line has a program");
        let before = rest.len() - usize::from(!options.is_empty());
        let mut line = Command::new(program);
        line.args(&rest[..before]).args(options).args(&rest[before..]).args(command);
        line.stdin(Stdio::null());
        line
    }

    /// Says whether it works here; says so if it does not.
    fn works(&self) -> bool {
        let why = match self.command(&["true"]).output() {
            Ok(output) if output.status.success() => return true,
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr).into_owned();
                text.lines().next().unwrap_or("it fails").to_owned()
            }
            Err(error) => error.to_string(),
        };
        eprintln!("skipped: {}: {why}", self.name);
        false
    }

    /// The process that plays `role` among `processes`, for a tool that was started as `supervisor`.
    pub(crate) fn find(&self, role: Role, supervisor: u32, processes: &[u32]) -> Option<u32> {
        match role {
            Role::Supervisor => Some(supervisor),
            Role::Init => processes
                .iter()
                .copied()
                .find(|pid| mark::number_inside(*pid) == Some(1))
                // The kernel knows nothing of the numbers of the ptrace engine.
                .or_else(|| {
                    self.guard(
                        self.guards.iter().position(|name| *name == "pidns-init")?,
                        supervisor,
                        processes,
                    )
                }),
            Role::Guard(index) => self.guard(index, supervisor, processes),
        }
    }

    fn guard(&self, index: usize, supervisor: u32, processes: &[u32]) -> Option<u32> {
        let name = self.guards.get(index)?;
        processes
            .iter()
            .copied()
            .find(|pid| *pid != supervisor && mark::name(*pid).is_some_and(|found| found == *name))
    }
}
