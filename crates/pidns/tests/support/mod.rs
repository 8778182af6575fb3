//! What the tests of the library share.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::collections::BTreeSet;

use pidns::{Child, Command, Engine, Stdio};
use pidns_testkit::proc::Seen;
use pidns_testkit::{Lines, Mark};

/// Who is number 1 in a PID namespace of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `pidns-init`; the command is number 2.
    Init,
    /// The command.
    AsInit,
}

/// Does `test` in both modes.
pub(crate) fn both(mut test: impl FnMut(Mode)) {
    for mode in [Mode::Init, Mode::AsInit] {
        eprintln!("{mode:?}");
        test(mode);
    }
}

impl Mode {
    pub(crate) fn command(self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.engine(Engine::Kernel);
        if self == Self::AsInit {
            command.as_init();
        }
        command
    }

    pub(crate) fn shell(self, script: &str) -> Command {
        let mut command = self.command("sh");
        command.args(["-c", script]);
        command
    }
}

/// A command that has said `ready` and ends when [`Running::end`] tells it to.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) mark: Mark,
    pub(crate) lines: Lines,
}

impl Running {
    /// Does `script` up to its end, and leaves the shell waiting.
    #[track_caller]
    pub(crate) fn start(mode: Mode, script: &str) -> Self {
        Self::start_command(mode.shell(&format!("{script}\necho ready\nread end")))
    }

    #[track_caller]
    pub(crate) fn start_command(mut command: Command) -> Self {
        let mark = Mark::new();
        let (key, value) = mark.env();
        command.env(key, value).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = Lines::new(child.stdout.take().unwrap());
        lines.until("ready");
        Self { child, mark, lines }
    }

    /// Everybody who can be found, once `count` processes have the mark: number 1 or the guard, the command, and those
    /// it has started.
    #[track_caller]
    pub(crate) fn everybody(&self, count: usize) -> BTreeSet<Seen> {
        let mut all: BTreeSet<Seen> = self.mark.wait_for(count).into_iter().collect();
        // Zombies have no mark any more.
        let listed = self.child.namespace().unwrap().processes().unwrap();
        all.extend(listed.iter().filter_map(|process| Seen::new(process.pid)));
        all
    }

    /// Lets the command end.
    pub(crate) fn end(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Fails if anybody of `all`, or with the mark, is there at this moment.
    #[track_caller]
    pub(crate) fn assert_gone(&self, all: &BTreeSet<Seen>) {
        let left: Vec<_> = all.iter().filter(|seen| seen.is_there()).collect();
        assert!(left.is_empty(), "still there: {left:?}");
        self.mark.assert_gone();
    }
}
