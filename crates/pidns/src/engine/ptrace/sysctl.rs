//! Writes to the sysctls of a namespace: `kernel.pid_max` and `kernel.ns_last_pid`.
//!
//! Who opens one to write gets a memory file with a name that tells, and a filter that has its writes looked at.

use pidns_core::Authority;
use pidns_sys::Errno;
use pidns_sys::ptrace::Tid;

use super::call::{Entry, Handled, Outcome, errno};
use super::guest::Guest;
use super::tracer::Tracer;
use super::{host, memory};

const PREFIX: &str = "pidns-sysctl:";

/// The name of the memory file, if `path` below /proc is such a sysctl and the caller may write it.
///
/// # Errors
/// `EACCES`: `kernel.pid_max` is for the owner, and the others are not for writing.
pub(super) fn file_name(tracer: &Tracer, tid: Tid, path: &str) -> Result<String, Errno> {
    match path.strip_prefix("sys/kernel/") {
        Some("ns_last_pid") => {}
        // The namespaces are the job's user's, who owns them as root does the kernel's.
        Some("pid_max") if [0, tracer.uid].contains(&Guest::new(tracer, tid).uid()) => {}
        _ => return Err(Errno::ACCESS),
    }
    Ok(format!("{PREFIX}{path}"))
}

/// write(2) or pwrite64(2), by a process that has opened one.
pub(super) fn write(tracer: &mut Tracer, entry: &Entry) -> Handled {
    let Some(name) = opened(entry.tid, entry.int(0)) else { return Ok(Outcome::Native) };
    let length = entry.long(2).min(64) as usize;
    let text = memory::read_up_to(entry.tid, entry.long(1), length)?;
    let text = String::from_utf8_lossy(&text);
    let value: i32 = text.trim().parse().map_err(|_| Errno::INVAL)?;
    let set = &mut tracer.set;
    if name == "sys/kernel/pid_max" {
        let value = u32::try_from(value).map_err(|_| Errno::INVAL)?;
        set.set_pid_max(entry.id, value).map_err(errno)?;
    } else {
        let guest = Guest::new(tracer, entry.tid);
        tracer.set.set_ns_last_pid(entry.id, value, &guest).map_err(errno)?;
    }
    Ok(Outcome::Done(entry.long(2).cast_signed()))
}

fn opened(tid: Tid, fd: i32) -> Option<String> {
    let link = host::descriptor(tid, fd)?;
    let name = link.to_str()?.strip_prefix("/memfd:")?.strip_prefix(PREFIX)?;
    name.strip_suffix(" (deleted)").map(str::to_owned)
}
