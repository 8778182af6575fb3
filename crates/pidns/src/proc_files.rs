//! Files of /proc, as text. See proc(5).

use std::fs;

/// The value of the line `name:` in the text of a proc_pid_status(5).
pub(crate) fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim())
}

/// The numbers of a process, from procfs' own namespace inward: the `NSpid` line of the text of a proc_pid_status(5).
pub(crate) fn numbers(status: &str) -> Option<Vec<u32>> {
    field(status, "NSpid")?.split_ascii_whitespace().map(|word| word.parse().ok()).collect()
}

/// The number that is all of the file `path`.
pub(crate) fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
