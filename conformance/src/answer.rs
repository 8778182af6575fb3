//! How results are written in a transcript: the same for every world.

use crate::script::call::show_signals;
use crate::script::words;

/// Writes an error as its name.
#[must_use]
pub fn error(errno: i32) -> String {
    match words::name(words::ERRNOS, errno.into()) {
        Some(name) => name.to_owned(),
        None => format!("errno {errno}"),
    }
}

/// Writes a number or an error.
#[must_use]
pub fn number(result: Result<i64, i32>) -> String {
    result.map_or_else(error, |value| value.to_string())
}

/// Writes the result of wait4(2): number and status word, or 0 for nothing to report.
#[must_use]
pub fn waited(result: Result<(i32, i32), i32>) -> String {
    match result {
        Err(errno) => error(errno),
        Ok((0, _)) => "0".to_owned(),
        Ok((pid, status)) => format!("{pid} {}", wait_status(status)),
    }
}

/// Writes a status word as wait4(2) stores it.
#[must_use]
pub fn wait_status(status: i32) -> String {
    let low = status & 0x7f;
    let high = status >> 8 & 0xff;
    match (status & 0xffff, low) {
        (0xffff, _) => "continued".to_owned(),
        (_, 0) => format!("exited {high}"),
        (_, 0x7f) => format!("stopped {}", signal(high)),
        _ if status & 0x80 != 0 => format!("killed {} core", signal(low)),
        _ => format!("killed {}", signal(low)),
    }
}

/// Writes the result of waitid(2), given as code, number and status.
#[must_use]
pub fn waited_id(result: Result<Option<(i32, i32, i32)>, i32>) -> String {
    match result {
        Err(errno) => error(errno),
        Ok(None) => "0".to_owned(),
        Ok(Some((code, pid, status))) => {
            let code = words::name_or_digits(words::CLD, code.into());
            let status = if code == "CLD_EXITED" { status.to_string() } else { signal(status) };
            format!("{code} pid={pid} status={status}")
        }
    }
}

/// Writes what a handler or sigwaitinfo(2) saw.
#[must_use]
pub fn caught(number: i32, code: i32, pid: i32) -> String {
    let table = if number == 17 && code > 0 { words::CLD } else { words::SI };
    format!("{} {} pid={pid}", signal(number), words::name_or_digits(table, code.into()))
}

/// Writes several of them.
#[must_use]
pub fn all_caught(list: &[String]) -> String {
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

/// Writes a set of signals.
#[must_use]
pub fn signals(result: Result<u64, i32>) -> String {
    match result {
        Err(errno) => error(errno),
        Ok(0) => "none".to_owned(),
        Ok(bits) => show_signals(bits),
    }
}

/// Writes the events of poll(2).
#[must_use]
pub fn polled(result: Result<i16, i32>) -> String {
    const POLLIN: i16 = 1;
    const POLLHUP: i16 = 0x10;
    const POLLNVAL: i16 = 0x20;
    match result {
        Err(errno) => error(errno),
        Ok(0) => "none".to_owned(),
        Ok(POLLIN) => "in".to_owned(),
        Ok(POLLNVAL) => "EBADF".to_owned(),
        Ok(events) if events == POLLIN | POLLHUP => "in hup".to_owned(),
        Ok(events) => format!("events {events:#x}"),
    }
}

/// What `PIDFD_GET_INFO` says of numbers and of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// Thread, process and parent number, if told.
    pub numbers: Option<(u32, u32, u32)>,
    /// Status word, if told.
    pub exit: Option<i32>,
}

/// Writes the result of `PIDFD_GET_INFO`.
#[must_use]
pub fn info(result: Result<Info, i32>) -> String {
    let info = match result {
        Err(errno) => return error(errno),
        Ok(info) => info,
    };
    let mut parts = Vec::new();
    if let Some((pid, tgid, ppid)) = info.numbers {
        parts.push(format!("pid={pid} tgid={tgid} ppid={ppid}"));
    }
    if let Some(status) = info.exit {
        parts.push(wait_status(status));
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(" ") }
}

/// Writes whether two things are one.
#[must_use]
pub fn same(result: Result<bool, i32>) -> String {
    match result {
        Err(errno) => error(errno),
        Ok(true) => "same".to_owned(),
        Ok(false) => "different".to_owned(),
    }
}

fn signal(number: i32) -> String {
    words::name_or_digits(words::SIGNALS, number.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_words_are_read_as_wait4_stores_them() {
        assert_eq!(wait_status(0x0700), "exited 7");
        assert_eq!(wait_status(9), "killed KILL");
        assert_eq!(wait_status(0x8b), "killed SEGV core");
        assert_eq!(wait_status(0x137f), "stopped STOP");
        assert_eq!(wait_status(0xffff), "continued");
    }
}
