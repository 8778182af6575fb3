//! Words on the command line: durations and signals; and durations in messages.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::time::Duration;

use pidns::Signal;

use crate::exit::Failure;

/// Reads a duration as timeout(1) does: a decimal number with `s`, `m`, `h`, `d` or nothing for seconds; `ms` too.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return Err(HOW.into()),
    };
    let number: f64 = number.parse().map_err(|_| HOW)?;
    Duration::try_from_secs_f64(number * unit).map_err(|_| "too long".into())
}

const HOW: &str = "use a number of seconds, or one with ms, s, m, h or d, such as 1.5s or 10m";

/// Reads a signal: a name with or without SIG, or a number.
pub(crate) fn signal(text: &str) -> Result<Signal, pidns::UnknownSignal> {
    text.parse()
}

/// Reads the name of a job.
pub(crate) fn name(text: &str) -> Result<String, pidns::BadName> {
    pidns::check_name(text).map(|()| text.to_owned())
}

/// Writes a duration for a person: three significant digits or whole seconds.
pub(crate) fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.as_millis() == 0 => format!("{} us", duration.as_micros()),
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Writes a word so that a shell would read it back, as far as it is text.
pub(crate) fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "_-./:=,@%+~^[]".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    // Nothing in a process's command line may reach the terminal as a control character.
    let visible: String = text
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect();
    format!("'{}'", visible.replace('\'', "'\\''"))
}

/// Writes a command line so that a shell would read it back.
pub(crate) fn words(command: &[OsString]) -> String {
    let words: Vec<_> = command.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

/// The words of a command line as JSON has them: what is no text is marked.
pub(crate) fn lossy(command: &[OsString]) -> Vec<String> {
    command.iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

/// The text of an error, without the "(os error N)" that std adds.
pub(crate) fn without_number(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Writes `value` as JSON for people, with a newline.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    let mut json = serde_json::to_string_pretty(value).expect("it has string keys only");
    json.push('\n');
    json
}

/// Whoever reads what we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Listens,
    /// The other end of the pipe is closed.
    HasGone,
}

/// Writes `answer` to standard output. A reader that has had enough is no failure.
pub(crate) fn print(answer: &str) -> Result<Reader, Failure> {
    match io::stdout().write_all(answer.as_bytes()) {
        Ok(()) => Ok(Reader::Listens),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::HasGone),
        Err(error) => Err(Failure::new("cannot write to standard output", without_number(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_only_if_it_has_to_be_and_cannot_steer_a_terminal() {
        let quoted = |word: &str| super::quoted(word.as_ref());
        assert_eq!(quoted("a-b_c=1"), "a-b_c=1");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("\x1b[2J"), r"'\u{1b}[2J'");
    }

    #[test]
    fn durations_are_read_as_timeout_reads_them() {
        let read = |text: &str| duration(text).ok();
        assert_eq!(read("10"), Some(Duration::from_secs(10)));
        assert_eq!(read("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(read("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(read("2h"), Some(Duration::from_secs(7200)));
        assert_eq!(read("0"), Some(Duration::ZERO));
        for nonsense in
            ["", "s", "-1", "1 s", "1x", ".", "1e9", "nan", "inf", "99999999999999999999999d"]
        {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
