//! Files and directories, as far as /proc and cgroups need them.

use core::ffi::CStr;
use core::mem::MaybeUninit;

use super::{Result, check, nr, syscall3, syscall6};

const AT_FDCWD: usize = -100_isize as usize;
const O_RDONLY: usize = 0;
const O_WRONLY: usize = 1;
const O_CLOEXEC: usize = 0o2_000_000;
#[cfg(target_arch = "x86_64")]
const O_DIRECTORY: usize = 0o200_000;
#[cfg(target_arch = "aarch64")]
const O_DIRECTORY: usize = 0o40_000;

/// Opens `path` for reading; close-on-exec: open(2).
pub(crate) fn open(path: &CStr) -> Result<i32> {
    open_at(AT_FDCWD, path, O_RDONLY)
}

/// Opens the directory `path` in `directory` for reading; close-on-exec: openat(2).
pub(crate) fn open_directory(directory: i32, path: &CStr) -> Result<i32> {
    open_at(directory as usize, path, O_RDONLY | O_DIRECTORY)
}

/// Opens the file `path` in `directory` for reading; close-on-exec: openat(2).
pub(crate) fn open_in(directory: i32, path: &CStr) -> Result<i32> {
    open_at(directory as usize, path, O_RDONLY)
}

/// Opens the file `path` in `directory` for writing; close-on-exec: openat(2).
pub(crate) fn open_to_write(directory: i32, path: &CStr) -> Result<i32> {
    open_at(directory as usize, path, O_WRONLY)
}

fn open_at(directory: usize, path: &CStr, flags: usize) -> Result<i32> {
    let path = path.as_ptr() as usize;
    // SAFETY: `path` ends with a zero byte.
    check(unsafe { syscall6(nr::OPENAT, [directory, path, flags | O_CLOEXEC, 0, 0, 0]) })
        .map(|fd| fd as i32)
}

/// Makes a directory in another one: mkdirat(2).
pub(crate) fn make_directory(directory: i32, path: &CStr) -> Result<()> {
    const FOR_ALL_TO_READ: usize = 0o755;
    let path = path.as_ptr() as usize;
    // SAFETY: `path` ends with a zero byte.
    check(unsafe { syscall3(nr::MKDIRAT, directory as usize, path, FOR_ALL_TO_READ) }).map(|_| ())
}

/// Removes an empty directory in another one: unlinkat(2).
pub(crate) fn remove_directory(directory: i32, path: &CStr) -> Result<()> {
    const AT_REMOVEDIR: usize = 0x200;
    let path = path.as_ptr() as usize;
    // SAFETY: `path` ends with a zero byte.
    check(unsafe { syscall3(nr::UNLINKAT, directory as usize, path, AT_REMOVEDIR) }).map(|_| ())
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
    mut each: impl FnMut(&CStr),
) -> Result<bool> {
    // SAFETY: the kernel writes at most the given length.
    let length = check(unsafe {
        syscall3(nr::GETDENTS64, directory as usize, room.0.as_mut_ptr() as usize, N)
    })?;
    let mut rest = room.0.get(..length).unwrap_or_default();
    // struct linux_dirent64: inode and offset, eight bytes each; its own length, two; its type, one; the name.
    while let [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, low, high, _, name @ ..] = rest {
        each(CStr::from_bytes_until_nul(name).unwrap_or_default());
        let own = u16::from_ne_bytes([*low, *high]);
        rest = rest.get(usize::from(own.max(1))..).unwrap_or_default();
    }
    Ok(length != 0)
}
