//! A command in a file, for a `pidns-init` that number 1 starts: see [`pidns_init::protocol::PARCEL_HEADER`].

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use pidns_init::protocol::PARCEL_HEADER;
use pidns_sys::{Result, file};

const WORD: usize = size_of::<u64>();

/// Packs the command `args`, which starts in `directory` if that is given.
pub(super) fn pack(directory: Option<&CStr>, args: &[CString], env: &[CString]) -> Result<OwnedFd> {
    let args =
        [directory.unwrap_or_default()].into_iter().chain(args.iter().map(CString::as_c_str));
    let env = env.iter().map(CString::as_c_str);
    file::in_memory("pidns-parcel", &bytes(&args.collect::<Vec<_>>(), &env.collect::<Vec<_>>()))
}

fn bytes(args: &[&CStr], env: &[&CStr]) -> Vec<u8> {
    let slots = args.len() + env.len() + 2;
    let mut end = (PARCEL_HEADER + slots) * WORD;
    let mut offsets = Vec::with_capacity(slots);
    for list in [args, env] {
        for string in list {
            offsets.push(end);
            end += string.to_bytes_with_nul().len();
        }
        offsets.push(0);
    }
    // The last byte is beyond the last string.
    let header = [end + 1, args.len(), env.len()];
    let words = header.into_iter().chain(offsets);
    let mut bytes: Vec<u8> = words.flat_map(|word| (word as u64).to_ne_bytes()).collect();
    for string in args.iter().chain(env) {
        bytes.extend_from_slice(string.to_bytes_with_nul());
    }
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_can_be_found_by_the_offsets() {
        let bytes = bytes(&[c"/tmp", c"sh", c""], &[c"A=1"]);
        let (words, _) = bytes.as_chunks::<WORD>();
        let words: Vec<usize> =
            words.iter().map(|word| usize::try_from(u64::from_ne_bytes(*word)).unwrap()).collect();
        assert_eq!(words[..3], [bytes.len(), 3, 1]);
        assert_eq!((words[6], words[8]), (0, 0), "a zero ends each list");
        let string = |slot: usize| CStr::from_bytes_until_nul(&bytes[words[slot]..]).unwrap();
        assert_eq!([3, 4, 5, 7].map(string), [c"/tmp", c"sh", c"", c"A=1"]);
    }
}
