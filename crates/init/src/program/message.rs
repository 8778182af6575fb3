//! Says something on standard error, in one write and without memory of its own.

use super::sys;

/// What a message may be long; the rest is cut off.
const ROOM: usize = 512;

/// `pidns-init: PART...` as one line.
pub(crate) fn fatal(parts: &[&[u8]]) {
    let mut line = [0; ROOM];
    let mut length = 0;
    let pieces = [b"pidns-init: ".as_slice()].into_iter().chain(parts.iter().copied());
    for (slot, byte) in line.iter_mut().take(ROOM - 1).zip(pieces.flatten().copied()) {
        *slot = byte;
        length += 1;
    }
    if let Some(slot) = line.get_mut(length) {
        *slot = b'\n';
        length += 1;
    }
    let _ = sys::write(2, line.get(..length).unwrap_or_default());
}
