//! Signal names: `TERM`, `SIGTERM`, `15`, `RTMIN+1`, `RTMAX-2`. See signal(7), kill(1).

use std::fmt;
use std::str::FromStr;

use super::Signal;

/// The names of signals 1 to 31, in order.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

const ALIASES: [(&str, i32); 3] = [("IOT", 6), ("CLD", 17), ("POLL", 29)];

/// The first real-time signal that programs may use: the C library keeps 32 and 33 for itself.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// The text names no signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSignal;

impl fmt::Display for UnknownSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such signal; use a name such as TERM or RTMIN+1, or a number from 1 to 64")
    }
}

impl std::error::Error for UnknownSignal {}

impl FromStr for Signal {
    type Err = UnknownSignal;

    fn from_str(text: &str) -> Result<Self, UnknownSignal> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        number(name).and_then(Self::new).ok_or(UnknownSignal)
    }
}

fn number(name: &str) -> Option<i32> {
    if name.bytes().all(|b| b.is_ascii_digit()) {
        return name.parse().ok();
    }
    if let Some(index) = NAMES.iter().position(|known| *known == name) {
        return i32::try_from(index + 1).ok();
    }
    if let Some((_, number)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return Some(*number);
    }
    real_time(name)
}

fn real_time(name: &str) -> Option<i32> {
    let (base, offset) = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(offset), _) => (RTMIN, offset),
        (_, Some(offset)) => (RTMAX, offset),
        _ => return None,
    };
    let offset = if offset.is_empty() { 0 } else { offset.parse::<i32>().ok()? };
    base.checked_add(offset).filter(|number| (RTMIN..=RTMAX).contains(number))
}

impl fmt::Display for Signal {
    /// Writes `SIGTERM`, `SIGRTMIN+1`, or the bare number for 32 and 33.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = usize::try_from(self.number() - 1).ok().and_then(|index| NAMES.get(index));
        match (named, self.number()) {
            (Some(name), _) => write!(f, "SIG{name}"),
            (None, RTMIN) => f.write_str("SIGRTMIN"),
            (None, number @ RTMIN..) => write!(f, "SIGRTMIN+{}", number - RTMIN),
            (None, number) => write!(f, "signal {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_but_the_c_librarys_is_found_by_the_name_it_prints() {
        for signal in (1..=64).filter_map(Signal::new) {
            let name = signal.to_string();
            let found = name.parse::<Signal>();
            match signal.number() {
                32 | 33 => assert_eq!(found, Err(UnknownSignal)),
                _ => assert_eq!(found, Ok(signal), "{name}"),
            }
        }
    }

    #[test]
    fn names_are_read_as_kill_reads_them() {
        let read = |text: &str| text.parse::<Signal>().ok().map(Signal::number);
        assert_eq!(read("term"), Some(15));
        assert_eq!(read("SigKill"), Some(9));
        assert_eq!(read("64"), Some(64));
        assert_eq!(read("RTMAX-1"), Some(63));
        assert_eq!(read("rtmin"), Some(34));
        for nonsense in
            ["", "0", "65", "-1", "TERMX", "RTMIN-1", "RTMAX+1", "RTMIN+99999999999", "SIG", "９"]
        {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
