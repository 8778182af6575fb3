//! The mappings of a process. See proc_pid_maps(5).

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr;

use crate::Result;

bitflags::bitflags! {
    /// What a mapping is. See `PROCMAP_QUERY_VMA_*` of `linux/fs.h`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Kind: u64 {
        /// Readable.
        const READABLE = 0x01;
        /// Writable.
        const WRITABLE = 0x02;
        /// Executable.
        const EXECUTABLE = 0x04;
        /// Changes are seen by others.
        const SHARED = 0x08;
        const _ = !0;
    }
}

/// A device and an inode.
pub type FileId = ([u32; 2], u64);

/// A mapping.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Its addresses.
    pub range: Range<u64>,
    /// Where in the file the first of them is.
    pub offset: u64,
    /// The file's device and inode.
    pub file: FileId,
    /// What it is.
    pub kind: Kind,
}

/// `struct procmap_query` of `linux/fs.h`.
#[repr(C)]
#[derive(Default)]
struct Query {
    size: u64,
    flags: u64,
    address: u64,
    start: u64,
    end: u64,
    kind: u64,
    page_size: u64,
    offset: u64,
    inode: u64,
    device: [u32; 2],
    name_size: u32,
    build_id_size: u32,
    name: u64,
    build_id: u64,
}

/// `_IOWR(0x66, 17, struct procmap_query)`.
const REQUEST: libc::Ioctl =
    (3 << 30 | (size_of::<Query>() as u64) << 16 | 0x66 << 8 | 17) as libc::Ioctl;

/// `PROCMAP_QUERY_COVERING_OR_NEXT_VMA`, `PROCMAP_QUERY_FILE_BACKED_VMA`.
const NEXT: u64 = 0x10;
const OF_FILE: u64 = 0x20;

/// The first mapping of a file's code that ends behind `at`, by a process's open `maps` file. Since Linux 6.11.
///
/// # Errors
/// `ENOENT` if none is there; `ENOTTY` on older kernels; `ESRCH` if the process is gone.
pub fn code_from(maps: &File, at: u64) -> Result<Mapping> {
    let mut query = Query {
        size: size_of::<Query>() as u64,
        flags: NEXT | OF_FILE | Kind::EXECUTABLE.bits(),
        address: at,
        ..Query::default()
    };
    // SAFETY: a live structure of the size that it says; it asks for no name, so nothing else is written to.
    let ret = unsafe { libc::ioctl(maps.as_raw_fd(), REQUEST, ptr::from_mut(&mut query)) };
    crate::signal::check(i64::from(ret))?;
    Ok(Mapping {
        range: query.start..query.end,
        offset: query.offset,
        file: (query.device, query.inode),
        kind: Kind::from_bits_retain(query.kind),
    })
}
