//! The command line of the entrypoint: tini's options, in getopt(3)'s ways.

use core::ffi::CStr;

use super::signals;
use super::strings::{Command, Strings};

/// Printed by `-h`, and where there is no PROGRAM.
pub(crate) const USAGE: &[u8] = include_bytes!("usage.txt");

/// Printed by `--version`.
pub(crate) const VERSION: &[u8] =
    concat!("pidns-init ", env!("CARGO_PKG_VERSION"), "\n").as_bytes();

/// Printed by `-l`.
pub(crate) const LICENSE: &[u8] =
    b"pidns-init is free software: MIT OR Apache-2.0, at your choice.\n";

/// What the program is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Run the command that begins at the argument `program`.
    Run { options: Options, program: usize },
    /// Print one of the texts above.
    Print(&'static [u8]),
}

/// How to run the command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `-s`: adopt orphans though not number 1.
    pub(crate) subreaper: bool,
    /// `-w`: warn of each orphan that is reaped.
    pub(crate) warn_on_reap: bool,
    /// `-g`: signals go to the command's group.
    pub(crate) to_group: bool,
    /// `-p`: the signal to get when the parent ends.
    pub(crate) parent_death_signal: Option<i32>,
    /// `-e`: exit codes that become 0.
    pub(crate) forgiven: Codes,
    /// `-v`, and 1 to begin with.
    pub(crate) verbosity: i32,
}

/// A set of exit codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Codes([u64; 4]);

impl Codes {
    fn insert(&mut self, code: u8) {
        if let Some(word) = self.0.get_mut(usize::from(code / 64)) {
            *word |= 1 << (code % 64);
        }
    }

    pub(crate) fn contains(&self, code: i32) -> bool {
        let Ok(code) = u8::try_from(code) else { return false };
        self.0.get(usize::from(code / 64)).is_some_and(|word| word >> (code % 64) & 1 != 0)
    }
}

/// What is wrong with the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    UnknownOption(u8),
    NoArgument(u8),
    NotASignal(&'static CStr),
    NotAnExitCode(&'static CStr),
    NoProgram,
}

/// Takes the command line apart.
pub(crate) fn parse(arguments: Strings) -> Result<Asked, Wrong> {
    let mut options = Options { verbosity: 1, ..Options::default() };
    let mut index = 1;
    while let Some(argument) = arguments.get(index) {
        match argument.to_bytes() {
            b"--" => {
                index += 1;
                break;
            }
            b"--version" if index == 1 => return Ok(Asked::Print(VERSION)),
            [b'-', _, ..] => {}
            _ => break,
        }
        let mut cluster = Cluster { arguments, index, letter: 1 };
        while let Some(letter) = cluster.next_letter() {
            if let Some(text) = options.apply(letter, &mut cluster)? {
                return Ok(Asked::Print(text));
            }
        }
        index = cluster.index + 1;
    }
    if index >= arguments.len() {
        Err(Wrong::NoProgram)
    } else {
        Ok(Asked::Run { options, program: index })
    }
}

/// The command that begins at the argument `program`. As with tini, a `--` may stand behind PROGRAM instead of before
/// it: `PROGRAM -- ARG...`.
pub(crate) fn command(arguments: Strings, program: usize) -> Option<Command> {
    let is_separator =
        |index| arguments.get(index).is_some_and(|argument| argument.to_bytes() == b"--");
    let command = arguments.command(program)?;
    let behind = !is_separator(program.wrapping_sub(1)) && is_separator(program.wrapping_add(1));
    Some(if behind { command.without_next() } else { command })
}

impl Options {
    /// Does what one option says; a text to be printed instead of all else is handed back.
    fn apply(&mut self, letter: u8, cluster: &mut Cluster) -> Result<Option<&'static [u8]>, Wrong> {
        match letter {
            b's' => self.subreaper = true,
            b'w' => self.warn_on_reap = true,
            b'g' => self.to_group = true,
            b'v' => self.verbosity = self.verbosity.saturating_add(1),
            b'p' => {
                let value = cluster.value().ok_or(Wrong::NoArgument(letter))?;
                let signal = signals::by_name(value.to_bytes()).ok_or(Wrong::NotASignal(value))?;
                self.parent_death_signal = Some(signal);
            }
            b'e' => {
                let value = cluster.value().ok_or(Wrong::NoArgument(letter))?;
                self.forgiven
                    .insert(exit_code(value.to_bytes()).ok_or(Wrong::NotAnExitCode(value))?);
            }
            b'h' => return Ok(Some(USAGE)),
            b'l' => return Ok(Some(LICENSE)),
            _ => return Err(Wrong::UnknownOption(letter)),
        }
        Ok(None)
    }

    /// What the environment says, as tini's: the first two count if they are there, whatever their value.
    pub(crate) fn apply_environment(&mut self, environment: Strings) {
        self.subreaper |= environment.variable(b"TINI_SUBREAPER").is_some();
        self.to_group |= environment.variable(b"TINI_KILL_PROCESS_GROUP").is_some();
        if let Some(verbosity) = environment.variable(b"TINI_VERBOSITY") {
            self.verbosity = leading_number(verbosity);
        }
    }
}

/// An argument of several option letters, `-sgv`, of which the last may have a value: `-e5` or `-e 5`.
struct Cluster {
    arguments: Strings,
    index: usize,
    letter: usize,
}

impl Cluster {
    fn next_letter(&mut self) -> Option<u8> {
        let letter = *self.arguments.get(self.index)?.to_bytes().get(self.letter)?;
        self.letter += 1;
        Some(letter)
    }

    /// The rest of this argument, or the next.
    fn value(&mut self) -> Option<&'static CStr> {
        let argument = self.arguments.get(self.index)?;
        let rest = argument.to_bytes_with_nul().get(self.letter..)?;
        self.letter = usize::MAX;
        match CStr::from_bytes_until_nul(rest) {
            Ok(rest) if !rest.is_empty() => Some(rest),
            _ => {
                self.index += 1;
                self.arguments.get(self.index)
            }
        }
    }
}

/// A number from 0 to 255, in the notation that strtol(3) takes.
fn exit_code(text: &[u8]) -> Option<u8> {
    let text = text.trim_ascii_start();
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    let mut code = None;
    for byte in digits {
        let digit = byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0'))?;
        code = Some(code.unwrap_or(0_u8).checked_mul(10)?.checked_add(digit)?);
    }
    code
}

/// The number that `text` begins with, 0 if there is none: atoi(3).
fn leading_number(text: &[u8]) -> i32 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0_i32, |number, byte| {
        number.saturating_mul(10).saturating_add(i32::from(byte.wrapping_sub(b'0')))
    });
    if negative { number.saturating_neg() } else { number }
}

#[cfg(test)]
mod tests;
