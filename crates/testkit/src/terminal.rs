//! A person at a terminal.

use std::io::{Read, Write};
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use pty_process::Size;
use pty_process::blocking::{Command, Pty};

use crate::PATIENCE;

/// A terminal with a program in its foreground. Dropping it hangs up.
#[expect(missing_debug_implementations, reason = "a pty has none")]
pub struct Terminal {
    keyboard: Pty,
    screen: Receiver<Vec<u8>>,
    /// What has been shown and not been looked for yet.
    shown: String,
    program: Child,
}

impl Terminal {
    /// Starts `program` as the leader of a session of its own, on a terminal with 24 lines of 80 columns.
    pub fn new(program: Command) -> Self {
        let (keyboard, theirs) = pty_process::blocking::open().expect("there are terminals");
        keyboard.resize(Size::new(24, 80)).expect("a terminal has a size");
        let program = program.spawn(theirs).expect("the program can be started");
        let mut output = std::fs::File::from(
            std::os::fd::AsFd::as_fd(&keyboard).try_clone_to_owned().expect("descriptors are left"),
        );
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // EIO: everybody has closed the other side.
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { keyboard, screen, shown: String::new(), program }
    }

    /// A shell with job control, that shows `$` when it waits for a command.
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
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal is there");
    }

    /// Types a line.
    pub fn enter(&mut self, line: &str) {
        self.press(&format!("{line}\n"));
    }

    /// Gives the terminal another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        self.keyboard.resize(Size::new(rows, columns)).expect("a terminal has a size");
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
                self.shown.drain(..at + text.len());
                return before;
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("never shown: {text:?}, but {:?}", self.shown),
            }
        }
    }

    /// The process number of the program.
    pub fn pid(&self) -> u32 {
        self.program.id()
    }

    /// Waits for the end of the program.
    pub fn wait(&mut self) -> ExitStatus {
        self.program.wait().expect("it is our child")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
