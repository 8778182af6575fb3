//! The names of signals.

use super::sys::SIGRTMAX;

/// From number 1 on, as signal(7) has them.
const NAMES: &[u8] =
    b"HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP \
    TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";

/// The first real-time signal that a libc leaves to programs.
const RTMIN: i32 = 34;

/// The number of a signal: `SIGTERM`, `TERM`, `SIGRTMAX`, or `15`, in any case.
pub(crate) fn by_name(text: &[u8]) -> Option<i32> {
    if text.first().is_some_and(u8::is_ascii_digit) {
        return by_number(text);
    }
    let name = match text.split_at_checked(3) {
        Some((prefix, name)) if prefix.eq_ignore_ascii_case(b"SIG") => name,
        _ => text,
    };
    if name.eq_ignore_ascii_case(b"RTMIN") {
        return Some(RTMIN);
    }
    if name.eq_ignore_ascii_case(b"RTMAX") {
        return Some(SIGRTMAX);
    }
    (1..)
        .zip(NAMES.split(|byte| *byte == b' '))
        .find(|(_, known)| known.eq_ignore_ascii_case(name))
        .map(|(n, _)| n)
}

fn by_number(text: &[u8]) -> Option<i32> {
    let mut number = 0_i32;
    for byte in text {
        let digit = byte.is_ascii_digit().then(|| i32::from(byte.wrapping_sub(b'0')))?;
        number = number.saturating_mul(10).saturating_add(digit);
    }
    (1..=SIGRTMAX).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::by_name;

    #[test]
    fn names_and_numbers_agree_with_signal_7() {
        for (name, number) in [
            (b"HUP".as_slice(), 1),
            (b"KILL", 9),
            (b"USR1", 10),
            (b"TERM", 15),
            (b"CHLD", 17),
            (b"STOP", 19),
            (b"WINCH", 28),
            (b"SYS", 31),
        ] {
            assert_eq!(by_name(name), Some(number));
        }
    }
}
