//! Reading what a process says, line by line, and not for ever.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use crate::PATIENCE;

/// The lines of a pipe.
#[derive(Debug)]
pub struct Lines(Receiver<String>);

impl Lines {
    /// Reads from `pipe` from now on.
    pub fn new(pipe: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(pipe).split(b'\n');
            while let Some(Ok(line)) = lines.next() {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
        Self(receiver)
    }

    /// The next line, `None` at the end.
    ///
    /// # Panics
    /// If nothing comes.
    #[track_caller]
    #[expect(
        clippy::should_implement_trait,
        reason = "a test is to see where it has waited in vain"
    )]
    pub fn next(&mut self) -> Option<String> {
        match self.0.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("never: another line"),
        }
    }

    /// Reads up to a line that contains `text`.
    ///
    /// # Panics
    /// If it does not come.
    #[track_caller]
    pub fn until(&mut self, text: &str) -> String {
        let mut before = Vec::new();
        loop {
            match self.next() {
                Some(line) if line.contains(text) => return line,
                Some(line) => before.push(line),
                None => panic!("no {text:?} but {before:?}"),
            }
        }
    }

    /// All lines up to the end.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }
}
