//! A command with its arguments, environment and directory in a file, laid out as
//! [`PARCEL_HEADER`](crate::protocol::PARCEL_HEADER) says.

use core::ffi::{CStr, c_char};

use super::strings::{Command, Strings};
use super::sys::{self, Errno, Result};
use crate::protocol::PARCEL_HEADER;

/// What was in the file; it stays in memory.
pub(crate) struct Parcel {
    /// The directory, then the command's name and arguments.
    arguments: Strings,
    environment: Strings,
}

const WORD: usize = size_of::<u64>();

impl Parcel {
    /// Maps the file `fd` and turns its offsets into pointers.
    pub(crate) fn unpack(fd: i32) -> Result<Self> {
        let mut header = [0; PARCEL_HEADER * WORD];
        if sys::read_at(fd, &mut header, 0)?.len() != header.len() {
            return Err(Errno::EINVAL);
        }
        let [size, arguments, environment] = words(&header);
        let slots = arguments.checked_add(environment).and_then(|slots| slots.checked_add(2));
        let strings = slots
            .and_then(|slots| slots.checked_add(PARCEL_HEADER))
            .and_then(|words| words.checked_mul(WORD))
            .filter(|strings| *strings < size)
            .ok_or(Errno::EINVAL)?;
        let base = sys::map_privately(fd, size)?;
        // SAFETY: the mapping has `size` bytes, nobody else knows it, and it is never unmapped.
        unsafe {
            // So that every string in it ends.
            base.add(size - 1).write(0);
            let first = base.add(PARCEL_HEADER * WORD).cast::<*const c_char>();
            for slot in 0..arguments + environment + 2 {
                let slot = first.add(slot);
                let offset = slot.cast::<usize>().read();
                // A zero ends a list, and stays.
                if offset >= size || (offset != 0 && offset < strings) {
                    return Err(Errno::EINVAL);
                }
                if offset != 0 {
                    slot.write(base.add(offset).cast());
                }
            }
            // The slots after each list end it even if they were something else.
            first.add(arguments).write(core::ptr::null());
            first.add(arguments + 1 + environment).write(core::ptr::null());
            Ok(Self {
                arguments: Strings::new(first),
                environment: Strings::new(first.add(arguments + 1)),
            })
        }
    }

    /// Where to start the command; `None` to leave that as it is.
    pub(crate) fn directory(&self) -> Option<&'static CStr> {
        self.arguments.get(0).filter(|directory| !directory.is_empty())
    }

    pub(crate) fn command(&self) -> Option<Command> {
        self.arguments.command(1)
    }

    pub(crate) fn environment(&self) -> Strings {
        self.environment
    }
}

fn words(header: &[u8; PARCEL_HEADER * WORD]) -> [usize; PARCEL_HEADER] {
    let (words, _) = header.as_chunks::<WORD>();
    let mut numbers = [0; PARCEL_HEADER];
    for (number, word) in numbers.iter_mut().zip(words) {
        *number = u64::from_ne_bytes(*word) as usize;
    }
    numbers
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::vec::Vec;

    use super::*;

    /// A file of words, then bytes.
    fn file(words: &[u64], bytes: &[u8]) -> std::fs::File {
        let id = std::thread::current().id();
        let name = std::format!("pidns-parcel-{}-{id:?}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut open = std::fs::File::options();
        let mut file = open.read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut all: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        all.extend_from_slice(bytes);
        file.write_all(&all).unwrap();
        file
    }

    fn unpack(words: &[u64], bytes: &[u8]) -> Result<Parcel> {
        Parcel::unpack(file(words, bytes).as_raw_fd())
    }

    #[test]
    fn a_command_comes_out_as_it_went_in() {
        // Seven words: the size, two arguments, one entry of the environment, and the offsets with their zeros.
        let words = [71, 2, 1, 64, 65, 0, 68, 0];
        let parcel = unpack(&words, b"\0sh\0A=\0").unwrap();
        assert_eq!(parcel.directory(), None);
        assert_eq!(parcel.command().unwrap().name(), c"sh");
        let environment: Vec<_> = parcel.environment().iter().collect();
        assert_eq!(environment, [c"A="]);
    }

    #[test]
    fn what_is_not_whole_or_points_elsewhere_is_refused() {
        for words in [
            &[][..],
            &[16, 0],
            &[40, 0, 0, 0, 0],
            &[71, u64::MAX, 1, 64, 65, 0, 68, 0],
            &[71, 2, u64::MAX, 64, 65, 0, 68, 0],
            &[71, 1 << 60, 1, 64, 65, 0, 68, 0],
            &[71, 2, 1, 72, 65, 0, 68, 0],
            &[71, 2, 1, 8, 65, 0, 68, 0],
        ] {
            assert!(unpack(words, b"\0sh\0A=\0").is_err(), "{words:?}");
        }
    }
}
