//! Short paths and numbers, written and read without memory of their own.

use core::ffi::CStr;

/// Reads a whole number.
pub(super) fn number(text: &[u8]) -> Option<i32> {
    let mut number = 0_i32;
    for byte in text {
        let digit = byte.is_ascii_digit().then(|| i32::from(byte - b'0'))?;
        number = number.checked_mul(10)?.checked_add(digit)?;
    }
    (!text.is_empty()).then_some(number)
}

/// A piece of a path.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    Text(&'a [u8]),
    Number(i32),
}

/// A path, put together on the stack.
pub(super) struct Path {
    bytes: [u8; 48],
    length: usize,
}

impl Path {
    /// `None` if it is too long, which none is that is made here.
    pub(super) fn new(parts: &[Part<'_>]) -> Option<Self> {
        let mut path = Self { bytes: [0; 48], length: 0 };
        for part in parts {
            match *part {
                Part::Text(text) => path.push(text)?,
                Part::Number(number) => path.push_number(number.unsigned_abs())?,
            }
        }
        // A zero has to end it.
        (path.length < path.bytes.len()).then_some(path)
    }

    fn push(&mut self, text: &[u8]) -> Option<()> {
        for byte in text {
            *self.bytes.get_mut(self.length)? = *byte;
            self.length += 1;
        }
        Some(())
    }

    fn push_number(&mut self, number: u32) -> Option<()> {
        let mut unit = 1_000_000_000;
        while unit > 1 && number < unit {
            unit /= 10;
        }
        while unit > 0 {
            self.push(&[b'0' + (number / unit % 10) as u8])?;
            unit /= 10;
        }
        Some(())
    }

    pub(super) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}
