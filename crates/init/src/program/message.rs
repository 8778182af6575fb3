//! Says something on standard error, a line in one write, put together on the stack.

use super::sys::{self, Errno};

/// What a line may be long; the rest is cut off.
const ROOM: usize = 512;

/// A piece of a line.
#[derive(Clone, Copy)]
pub(crate) enum Part<'a> {
    Text(&'a [u8]),
    Number(i32),
    /// What went wrong, in words where a user is likely to see it.
    Why(Errno),
}

/// Writes `pidns-init: PART...` as one line. Nothing can be done if nobody takes it.
#[cold]
#[inline(never)]
pub(crate) fn say(parts: &[Part<'_>]) {
    let mut line = Line { bytes: [0; ROOM], length: 0 };
    line.text(b"pidns-init: ");
    for part in parts {
        match *part {
            Part::Text(text) => line.text(text),
            Part::Number(number) => line.number(number),
            Part::Why(errno) => line.errno(errno),
        }
    }
    write_all(sys::STDERR, line.ended());
}

struct Line {
    bytes: [u8; ROOM],
    length: usize,
}

impl Line {
    #[inline(never)]
    fn text(&mut self, text: &[u8]) {
        // The last byte is kept for the end of the line.
        let room = self
            .bytes
            .split_last_mut()
            .map(|(_, room)| room)
            .and_then(|room| room.get_mut(self.length..));
        for (slot, byte) in room.unwrap_or_default().iter_mut().zip(text) {
            *slot = *byte;
            self.length += 1;
        }
    }

    fn number(&mut self, number: i32) {
        if number < 0 {
            self.text(b"-");
        }
        let mut unit = 1_000_000_000;
        while unit > 1 && number.unsigned_abs() < unit {
            unit /= 10;
        }
        while unit > 0 {
            self.text(&[b'0' + (number.unsigned_abs() / unit % 10) as u8]);
            unit /= 10;
        }
    }

    fn errno(&mut self, errno: Errno) {
        let words: &[u8] = match errno {
            Errno::EPERM => b"operation not permitted",
            Errno::ENOENT => b"no such file or directory",
            Errno::EIO => b"input/output error",
            Errno::E2BIG => b"argument list too long",
            Errno::ENOEXEC => b"exec format error",
            Errno::EAGAIN => b"no more processes allowed",
            Errno::ENOMEM => b"no memory, or the PID namespace is ending",
            Errno::EACCES => b"permission denied",
            Errno::ENOTDIR => b"not a directory",
            Errno::EISDIR => b"is a directory",
            Errno::EINVAL => b"invalid argument",
            Errno::ETXTBSY => b"text file busy",
            Errno::ENAMETOOLONG => b"file name too long",
            Errno::ELOOP => b"too many levels of symbolic links",
            other => {
                self.text(b"errno ");
                return self.number(other.0);
            }
        };
        self.text(words);
    }

    /// The line with its end.
    fn ended(&mut self) -> &[u8] {
        if let Some(slot) = self.bytes.get_mut(self.length) {
            *slot = b'\n';
        }
        self.bytes.get(..=self.length).unwrap_or_default()
    }
}

/// Writes all of `text` to `fd`, as far as somebody takes it.
pub(crate) fn write_all(fd: i32, text: &[u8]) {
    let mut rest = text;
    while !rest.is_empty() {
        match sys::write(fd, rest) {
            Ok(written) if written > 0 => rest = rest.get(written..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::String;
    use std::vec::Vec;

    use super::*;

    fn text(write: impl FnOnce(&mut Line)) -> String {
        let mut line = Line { bytes: [0; ROOM], length: 0 };
        write(&mut line);
        String::from_utf8_lossy(line.ended()).into_owned()
    }

    #[test]
    fn errors_have_words_or_a_number() {
        assert_eq!(text(|line| line.errno(Errno::ENOENT)), "no such file or directory\n");
        assert_eq!(text(|line| line.errno(Errno(999))), "errno 999\n");
    }

    #[test]
    fn all_numbers_can_be_written() {
        for number in [0, 1, 9, 10, 4_194_304, i32::MAX, -1, i32::MIN] {
            assert_eq!(text(|line| line.number(number)), std::format!("{number}\n"));
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_off() {
        let long: Vec<u8> = std::vec![b'x'; 10_000];
        let line = text(|line| {
            line.text(&long);
            line.text(b"more");
            line.number(7);
        });
        assert_eq!((line.len(), line.ends_with("xx\n")), (ROOM, true));
    }
}
