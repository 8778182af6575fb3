//! Reading files and directories, as far as /proc needs it.

use core::ffi::CStr;
use core::mem::MaybeUninit;

use super::{Result, check, nr, syscall3, syscall6};

const AT_FDCWD: usize = -100_isize as usize;
const O_RDONLY: usize = 0;
const O_CLOEXEC: usize = 0o2_000_000;

/// Opens `path` for reading; close-on-exec: open(2).
pub(crate) fn open(path: &CStr) -> Result<i32> {
    let path = path.as_ptr() as usize;
    // SAFETY: `path` ends with a zero byte.
    check(unsafe { syscall6(nr::OPENAT, [AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0, 0, 0]) })
        .map(|fd| fd as i32)
}

/// Reads what is at `offset`, up to the size of `buffer`, and returns it; nothing at the end: pread(2).
pub(crate) fn read_at(fd: i32, buffer: &mut [u8], offset: u64) -> Result<&[u8]> {
    let (start, size) = (buffer.as_mut_ptr() as usize, buffer.len());
    // SAFETY: the kernel writes at most the given length.
    let length =
        check(unsafe { syscall6(nr::PREAD64, [fd as usize, start, size, offset as usize, 0, 0]) })?;
    Ok(buffer.get(..length).unwrap_or_default())
}

/// How many links a file has, or a directory in /proc, which has one for each directory in it and two: statx(2).
pub(crate) fn link_count(path: &CStr) -> Result<u32> {
    const STATX_NLINK: usize = 4;
    /// `struct statx`, whose third field of four bytes after two of other sizes is the number of links.
    #[repr(C, align(8))]
    struct Statx {
        mask: u32,
        block_size: u32,
        attributes: u64,
        links: u32,
        rest: [u8; 236],
    }
    let mut room = MaybeUninit::<Statx>::zeroed();
    let path = path.as_ptr() as usize;
    let arguments = [AT_FDCWD, path, 0, STATX_NLINK, room.as_mut_ptr() as usize, 0];
    // SAFETY: `path` ends with a zero byte, and there are the 256 bytes that the kernel writes.
    check(unsafe { syscall6(nr::STATX, arguments) })?;
    // SAFETY: all of it is integers, and initialised.
    Ok(unsafe { room.assume_init() }.links)
}

/// Room for directory entries, aligned as they are.
#[repr(C, align(8))]
pub(crate) struct Entries<const N: usize>(pub(crate) [u8; N]);

/// Reads the next entries of a directory and calls `each` with their names; `false` at the end: getdents64(2).
pub(crate) fn next_entries<const N: usize>(
    directory: i32,
    room: &mut Entries<N>,
    mut each: impl FnMut(&[u8]),
) -> Result<bool> {
    // SAFETY: the kernel writes at most the given length.
    let length = check(unsafe {
        syscall3(nr::GETDENTS64, directory as usize, room.0.as_mut_ptr() as usize, N)
    })?;
    let mut rest = room.0.get(..length).unwrap_or_default();
    // struct linux_dirent64: inode and offset, eight bytes each; its own length, two; its type, one; the name.
    while let [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, low, high, _, name @ ..] = rest {
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        each(name.get(..end).unwrap_or_default());
        let own = u16::from_ne_bytes([*low, *high]);
        rest = rest.get(usize::from(own.max(1))..).unwrap_or_default();
    }
    Ok(length != 0)
}
