//! The ways in which processes are left behind.

use crate::tools::Role;

/// What happens to a tool and its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The command ends by itself.
    End,
    /// The command stays, and somebody is killed with SIGKILL.
    Kill(Role),
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    /// What the program `leak` does.
    pub(crate) leak: &'static str,
    pub(crate) event: Event,
}

const fn end(name: &'static str, leak: &'static str) -> Way {
    Way { name, leak, event: Event::End }
}

/// A daemon, a stopped process and one that ignores all signals; the command is a fourth.
const SOME: &str = "daemon,stopped,deaf";

const fn kill(name: &'static str, role: Role) -> Way {
    Way { name, leak: SOME, event: Event::Kill(role) }
}

/// All rows.
pub(crate) const ALL: [Way; 16] = [
    end("a child", "plain"),
    end("double fork", "double-fork"),
    end("setsid", "setsid"),
    end("daemon: setsid, double fork", "daemon"),
    end("stopped", "stopped"),
    end("ignores all signals, setsid", "deaf"),
    end("tracer and tracee", "traced"),
    end("waits in vfork", "vfork"),
    end("subreaper with orphans", "subreaper"),
    end("forks again when its child is killed", "respawn"),
    end("fork storm: 20 chains, 2 ms a process", "storm:2000"),
    end("10,000 sleepers", "many:10000"),
    kill("SIGKILL of the supervisor", Role::Supervisor),
    kill("SIGKILL of number 1", Role::Init),
    kill("SIGKILL of the 1st other process of the tool", Role::Guard(0)),
    kill("SIGKILL of the 2nd other process of the tool", Role::Guard(1)),
];
