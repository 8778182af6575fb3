//! A person at a terminal.

use std::io::{Read, Write};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::Pty;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::tcgetpgrp;

pub use pty_process::blocking::Command;

use crate::PATIENCE;

/// A terminal with a program in its foreground. Dropping it hangs up.
#[expect(missing_debug_implementations, reason = "a pty has none")]
pub struct Terminal {
    /// Keyboard and screen, until it hangs up.
    side: Option<Pty>,
    /// What has been shown and not been looked for yet.
    shown: String,
    /// What has been shown before that.
    before: String,
    program: Child,
}

impl Terminal {
    /// Starts `program` as the leader of a session of its own, on a terminal with 24 lines of 80 columns.
    pub fn new(program: Command) -> Self {
        let (side, theirs) = pty_process::blocking::open().expect("there are terminals");
        side.resize(Size::new(24, 80)).expect("a terminal has a size");
        let program = program.spawn(theirs).expect("the program can be started");
        Self { side: Some(side), shown: String::new(), before: String::new(), program }
    }

    /// A shell with job control, that shows `ready$ ` when it waits for a command.
    pub fn shell() -> Option<Self> {
        let bash = crate::find("bash")?;
        let shell = Command::new(bash).args(["--norc", "--noprofile", "-i"]);
        let mut terminal = Self::new(shell.env("PS1", "ready$ ").env("TERM", "dumb"));
        terminal.expect("ready$ ");
        // What is typed is not to be taken for what is shown.
        terminal.enter("bind 'set enable-bracketed-paste off'; stty -echo");
        terminal.expect("ready$ ");
        Some(terminal)
    }

    /// Types `keys`; `\x03` is ^C.
    pub fn press(&mut self, keys: &str) {
        self.side().write_all(keys.as_bytes()).expect("the terminal is there");
    }

    /// Types a line.
    pub fn enter(&mut self, line: &str) {
        self.press(&format!("{line}\n"));
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        self.side().resize(Size::new(rows, columns)).expect("a terminal has a size");
    }

    /// Waits until `text` is shown, and returns what was shown before it.
    ///
    /// # Panics
    /// If it does not come.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            if let Some(at) = self.shown.find(text) {
                let before = self.shown[..at].to_owned();
                self.before.extend(self.shown.drain(..at + text.len()));
                return before;
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            match self.look(left) {
                Some(shown) => self.shown.push_str(&shown),
                None => {
                    panic!("never shown: {text:?}, but {:?} after {:?}", self.shown, self.before)
                }
            }
        }
    }

    /// What is shown next, if anything is before `left` is over.
    fn look(&mut self, left: Duration) -> Option<String> {
        let side = self.side();
        let left = Timespec::try_from(left).ok()?;
        let mut fds = [PollFd::new(side, PollFlags::IN)];
        if poll(&mut fds, Some(&left)).ok()? == 0 {
            return None;
        }
        let mut buffer = [0; 4096];
        // EIO: everybody has closed the other side.
        let length = side.read(&mut buffer).ok().filter(|length| *length > 0)?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// Waits until all children of the shell are in such a state: `S` for those who have nothing to do but to wait, `Z` for
    /// those who have ended. What a shell continues does not go on at one moment, nor does what has ended end.
    ///
    /// # Panics
    /// If that does not come.
    #[track_caller]
    pub fn await_jobs(&self, is_it: impl Fn(char) -> bool) {
        let shell = self.program.id();
        crate::eventually("the jobs are where they should be", || {
            let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
            let children = children.unwrap_or_default();
            let mut pids = children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok());
            // Whom the shell has collected meanwhile is in no state.
            pids.all(|pid| crate::proc::state(pid).is_none_or(&is_it))
        });
    }

    /// Waits until the leader of the group in the foreground runs a program of that name. A shell shows a job before it
    /// gives the terminal to it, and keys pressed between are the shell's.
    ///
    /// # Panics
    /// If that does not come.
    #[track_caller]
    pub fn await_in_front(&mut self, name: &str) {
        crate::eventually("the job is in the foreground", || {
            let leader = tcgetpgrp(self.side()).ok();
            leader.and_then(|pid| crate::proc::name(pid.as_raw_pid() as u32)).as_deref()
                == Some(name)
        });
    }

    /// Goes away, and waits for the end of the program, which has to care.
    pub fn hang_up(mut self) -> ExitStatus {
        drop(self.side.take());
        self.program.wait().expect("it is our child")
    }

    fn side(&mut self) -> &mut Pty {
        self.side.as_mut().expect("it has not hung up")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.side.take());
        // It may have ended.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
