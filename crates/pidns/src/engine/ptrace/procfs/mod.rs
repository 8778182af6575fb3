//! /proc as a guest sees it: its namespace, with its numbers.
//!
//! * [`place`]: what of /proc a path means.
//! * [`mod@text`]: the files that hold numbers, made from the host's and the process table.
//! * [`listing`]: directories of tasks.

pub(super) mod listing;
pub(super) mod place;
mod text;

use pidns_core::{NsId, Pid};
use pidns_sys::Errno;

use super::call::{Entry, errno};
use super::namespaces;
use super::tracer::Tracer;
use place::{Place, Spot};

pub(super) use text::text;

/// The inode of the first namespace: where the host's begin too.
pub(super) const FIRST_INODE: u64 = 0xf000_0000;

/// The namespace whose file in a task's `ns` directory that is.
pub(super) fn namespace(tracer: &Tracer, _: &Entry, place: &Place) -> Result<Option<NsId>, Errno> {
    let Place::Task(Spot { task, rest, .. }) = place else { return Ok(None) };
    let found = match rest.as_slice() {
        [directory, file] if directory == b"ns" && file == b"pid" => tracer.set.ns_of(*task),
        [directory, file] if directory == b"ns" && file == b"pid_for_children" => {
            tracer.set.open_ns_for_children(*task)
        }
        _ => return Ok(None),
    };
    found.map(Some).map_err(errno)
}

/// The name of a memory file that stands for a namespace, which is kept from now on.
pub(super) fn namespace_file(tracer: &mut Tracer, ns: NsId) -> Result<String, Errno> {
    let serial = tracer.set.ns_serial(ns).map_err(errno)?;
    if tracer.namespaces.insert(serial, ns).is_none() {
        tracer.set.get_ns(ns).map_err(errno)?;
    }
    Ok(namespaces::file_name(serial))
}

/// What a symbolic link of /proc holds, where that is ours.
pub(super) fn link(
    tracer: &Tracer,
    entry: &Entry,
    place: &Place,
) -> Result<Option<Vec<u8>>, Errno> {
    if let Some(ns) = namespace(tracer, entry, place)? {
        let serial = tracer.set.ns_serial(ns).map_err(errno)?;
        return Ok(Some(format!("pid:[{}]", FIRST_INODE + serial).into_bytes()));
    }
    let own = || tracer.set.getpid(entry.id).map(Pid::raw).map_err(errno);
    match place {
        Place::OwnProcess => Ok(Some(own()?.to_string().into_bytes())),
        Place::OwnThread => {
            let thread = tracer.set.gettid(entry.id).map(Pid::raw).map_err(errno)?;
            Ok(Some(format!("{}/task/{thread}", own()?).into_bytes()))
        }
        _ => Ok(None),
    }
}
