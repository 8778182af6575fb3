//! How `pidns` ends: exit codes, and messages about failures.

use std::fmt::Display;

/// `--leaks fail`: processes were left behind by a command that succeeded.
pub(crate) const LEAKS: u8 = 123;
/// The command ran out of time.
pub(crate) const TIMEOUT: u8 = 124;
/// pidns itself failed.
pub(crate) const FAILED: u8 = 125;
/// The command cannot be executed.
pub(crate) const CANNOT_EXECUTE: u8 = 126;
/// The command is not found.
pub(crate) const NOT_FOUND: u8 = 127;

/// A failure of pidns: `pidns: what: why`, perhaps a hint, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// A failure with exit code 125.
    pub(crate) fn new(what: impl Display, why: impl Display) -> Self {
        Self::of(format_args!("{what}: {why}"))
    }

    /// A failure that says itself what and why, with exit code 125.
    pub(crate) fn of(error: impl Display) -> Self {
        Self { message: error.to_string(), hint: None, code: FAILED }
    }

    pub(crate) fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    pub(crate) fn with_hint(self, hint: Option<impl Into<String>>) -> Self {
        Self { hint: hint.map(Into::into), ..self }
    }

    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    fn print(&self) {
        say(&self.message);
        if let Some(hint) = &self.hint {
            say(format_args!("hint: {hint}"));
        }
    }
}

/// Writes `pidns: line` to standard error. A closed or full one is no reason to fail.
pub(crate) fn say(line: impl Display) {
    use std::io::Write;
    // One write, so that lines of several processes do not mix.
    let _ = std::io::stderr().write_all(format!("pidns: {line}\n").as_bytes());
}

/// Ends with a result of a command.
pub(crate) fn report(result: Result<u8, Failure>) -> u8 {
    result.unwrap_or_else(|failure| {
        failure.print();
        failure.code
    })
}

/// Prints help or the version, or says what is wrong with the command line.
pub(crate) fn usage(answer: &clap::Error) -> u8 {
    use clap::error::ErrorKind;
    match answer.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed standard output has nobody to tell.
            let _ = answer.print();
            0
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = answer.print();
            FAILED
        }
        _ => {
            let text = answer.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            say(text.trim_end());
            FAILED
        }
    }
}
