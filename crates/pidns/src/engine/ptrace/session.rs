//! setsid and setpgid: done by the host and, if it could, by core.
//!
//! Sessions and process groups are the host's as well, for the terminal's sake. Their numbers are found through their
//! members: a group may outlive its leader.

use pidns_core::{Pid, TaskId};
use pidns_sys::ptrace::{self, Tid};
use pidns_sys::{Errno, abi};

use super::call::{Entry, Handled, Outcome};
use super::task::After;
use super::tracer::Tracer;

pub(super) fn enter(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    if entry.registers.call() == abi::SYS_setsid {
        return Ok(Outcome::Then(After::Setsid));
    }
    let (number, group) = (entry.int(0), entry.int(1));
    if group < 0 {
        return Err(Errno::INVAL);
    }
    let process = match number {
        0 => entry.id,
        _ => Pid::from_raw(number)
            .and_then(|pid| tracer.set.find_task(entry.id, pid).ok())
            .ok_or(Errno::SRCH)?,
    };
    if number != 0 {
        let host = tracer.tid(process).ok_or(Errno::SRCH)?;
        entry.set_int(0, host.number());
    }
    // A group named by the number of the process itself may not exist yet.
    let own = number == group || group == 0 || tracer.set.getpid(entry.id).ok().map(Pid::raw) == Some(group) && number == 0;
    if !own {
        let host = host_group(tracer, entry.id, group).ok_or(Errno::PERM)?;
        entry.set_int(1, host);
    } else if group != 0 {
        // The process itself: 0 says that too.
        entry.set_int(1, 0);
    }
    Ok(Outcome::Then(After::Setpgid { process, group: if own { 0 } else { group } }))
}

/// The host has made the caller a session's leader.
pub(super) fn led(tracer: &mut Tracer, tid: Tid) -> i64 {
    let Some(id) = tracer.id(tid) else { return 0 };
    let number = tracer.set.setsid(id, &mut tracer.effects);
    i64::from(Pid::raw_or_zero(number.ok()))
}

/// The host has moved a process to a group.
pub(super) fn moved(tracer: &mut Tracer, tid: Tid, process: TaskId, group: i32) {
    let Some(caller) = tracer.id(tid) else { return };
    let number = tracer.set.number_in(caller, process).ok().flatten().map_or(0, Pid::raw);
    let _ = tracer.set.setpgid(caller, number, group, &mut tracer.effects);
}

/// The host's number of the process group that `viewer` knows as `group`.
pub(super) fn host_group(tracer: &Tracer, viewer: TaskId, group: i32) -> Option<i32> {
    let wanted = Pid::from_raw(group)?;
    // Usually its leader is there, and the host's numbers go by leaders too.
    if let Ok(leader) = tracer.set.find_task(viewer, wanted)
        && let Some(tid) = tracer.tid(leader)
        && ptrace::group_of(tid) == tid.number()
    {
        return Some(tid.number());
    }
    tracer.processes.iter().find_map(|(tid, process)| {
        let member = tracer.set.leader(process.group).ok()?;
        let number = tracer.set.group_number(viewer, member).ok()??;
        (number == wanted).then(|| ptrace::group_of(*tid)).filter(|group| *group > 0)
    })
}

/// The number by which `viewer` knows the host's process group `host`; 0 if it does not.
pub(super) fn visible_group(tracer: &Tracer, viewer: TaskId, host: i32) -> i32 {
    let direct = tracer.number_of(viewer, host);
    if direct != 0 {
        return direct;
    }
    let found = tracer.processes.iter().find_map(|(tid, process)| {
        if ptrace::group_of(*tid) != host {
            return None;
        }
        let member = tracer.set.leader(process.group).ok()?;
        tracer.set.group_number(viewer, member).ok()?
    });
    Pid::raw_or_zero(found)
}

/// The number by which `viewer` knows the host's session `host`; 0 if it does not.
pub(super) fn visible_session(tracer: &Tracer, viewer: TaskId, host: i32) -> i32 {
    let direct = tracer.number_of(viewer, host);
    if direct != 0 {
        return direct;
    }
    let found = tracer.processes.iter().find_map(|(tid, process)| {
        if ptrace::session_of(*tid) != host {
            return None;
        }
        let member = tracer.set.leader(process.group).ok()?;
        tracer.set.session_number(viewer, member).ok()?
    });
    Pid::raw_or_zero(found)
}
