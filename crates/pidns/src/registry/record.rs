//! What the file of a name holds.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{Engine, ExitStatus, Signal, namespace};

/// A job, as its supervisor describes it. Its numbers are those of the supervisor's PID namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) engine: Engine,
    /// The host pid of number 1.
    pub(crate) init: u32,
    /// When number 1 was started, in clock ticks after the boot: field 22 of proc_pid_stat(5). With the pid, this is one
    /// process and no other.
    pub(crate) start: Option<u64>,
    /// The PID namespace in which the numbers hold: the inode number of its file, as in namespaces(7).
    pub(crate) numbers_of: Option<u64>,
    /// The command's number inside.
    pub(crate) number: Option<u32>,
    /// Where its supervisor answers, if it does.
    pub(crate) door: Option<PathBuf>,
    pub(crate) command: Vec<String>,
    /// How the command has ended.
    pub(crate) status: Option<ExitStatus>,
}

impl Record {
    /// A job of this process that has just been started. What is no text in its command line is marked.
    pub(crate) fn new(
        engine: Engine,
        init: u32,
        number: Option<u32>,
        door: Option<&Path>,
        command: &[OsString],
    ) -> Self {
        Self {
            engine,
            init,
            start: namespace::start_of(init),
            numbers_of: namespace::own_id(),
            number,
            door: door.map(Path::to_owned),
            command: command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            status: None,
        }
    }

    /// The text of the file: one line of JSON.
    pub(super) fn to_text(&self) -> String {
        let json = json!({
            "pidns": env!("CARGO_PKG_VERSION"),
            "engine": self.engine.name(),
            "init_pid": self.init,
            "init_start": self.start,
            "numbers_of": self.numbers_of,
            "number": self.number,
            "door": self.door.as_ref().map(|door| door.to_string_lossy()),
            "command": self.command,
            "status": self.status.map(status_to_json),
        });
        format!("{json}\n")
    }

    /// Reads such a text; `None` if it is not there yet, not complete, or not understood.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let json: Value = serde_json::from_str(text.strip_suffix('\n')?).ok()?;
        let number = |key: &str| json[key].as_u64().and_then(|n| u32::try_from(n).ok());
        let words = json["command"].as_array()?.iter();
        Some(Self {
            engine: Engine::by_name(json["engine"].as_str()?)?,
            init: number("init_pid")?,
            start: json["init_start"].as_u64(),
            numbers_of: json["numbers_of"].as_u64(),
            number: number("number"),
            door: json["door"].as_str().map(PathBuf::from),
            command: words.filter_map(|word| word.as_str().map(str::to_owned)).collect(),
            status: status_from_json(&json["status"]),
        })
    }
}

fn status_to_json(status: ExitStatus) -> Value {
    match status.signal() {
        None => json!({ "code": status.code() }),
        Some(signal) => {
            json!({ "signal": signal.number(), "core_dumped": status.core_dumped() })
        }
    }
}

fn status_from_json(json: &Value) -> Option<ExitStatus> {
    let number = |key: &str| json[key].as_i64().and_then(|n| i32::try_from(n).ok());
    match number("signal") {
        Some(signal) => {
            let core_dumped = json["core_dumped"].as_bool().unwrap_or(false);
            Signal::new(signal).map(|signal| ExitStatus::killed(signal, core_dumped))
        }
        None => number("code").map(ExitStatus::exited),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(status: Option<ExitStatus>) -> Record {
        Record {
            engine: Engine::Subreaper,
            init: 4711,
            start: Some(123_456_789_012),
            numbers_of: Some(4_026_531_836),
            number: Some(2),
            door: Some("/run/pidns/.door-1-2".into()),
            command: vec!["sh".into(), "-c".into(), "echo \"x\"\n\u{1b}".into()],
            status,
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let killed = ExitStatus::killed(Signal::QUIT, true);
        for status in [None, Some(ExitStatus::exited(7)), Some(killed)] {
            let record = record(status);
            let text = record.to_text();
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            assert_eq!(Record::parse(&text), Some(record));
        }
    }

    #[test]
    fn half_a_record_is_none() {
        let text = record(None).to_text();
        for end in 0..text.len() {
            if text.is_char_boundary(end) {
                assert_eq!(Record::parse(&text[..end]), None, "{}", &text[..end]);
            }
        }
        assert_eq!(Record::parse("{}\n"), None);
    }
}
