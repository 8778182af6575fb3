//! setsid and setpgid: done by the host and, if it could, by core.
//!
//! Sessions and process groups are the host's as well, for the terminal's sake. Their numbers are found through their
//! members: a group may outlive its leader.

use pidns_core::{Pid, PidId, TaskId};
use pidns_sys::ptrace::{self, Tid};
use pidns_sys::{Errno, abi};

use super::call::{Entry, Handled, Outcome, errno};
use super::task::After;
use super::tracer::Tracer;

pub(super) fn enter(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    if entry.registers.call() == abi::SYS_setsid {
        return Ok(Outcome::Then(After::Setsid));
    }
    let (number, group) = (entry.int(0), entry.int(1));
    if number < 0 || group < 0 {
        return Err(if group < 0 { Errno::INVAL } else { Errno::SRCH });
    }
    if let Some(child) = adopted(tracer, entry, number) {
        return move_adopted(tracer, entry, child, group);
    }
    if number != 0 {
        let host = tracer.host_of(entry.id, number).ok_or(Errno::SRCH)?;
        entry.set_int(0, host.number());
    }
    let subject =
        if number == 0 { tracer.set.getpid(entry.id).map(Pid::raw).unwrap_or(0) } else { number };
    if group != 0 && group != subject {
        let host = host_group(tracer, entry.id, group).ok_or(Errno::PERM)?;
        entry.set_int(1, host);
    } else {
        // A group of its own, which may not exist yet: 0 says so.
        entry.set_int(1, 0);
    }
    Ok(Outcome::Then(After::Setpgid { process: number, group }))
}

/// The host's number of a child that is the caller's by core only.
fn adopted(tracer: &Tracer, entry: &Entry, number: i32) -> Option<Tid> {
    let child = tracer.host_of(entry.id, number)?;
    let process = tracer.processes.get(&child)?;
    let own = tracer.tasks.get(&entry.tid)?.process;
    (process.adopter == Some(own)).then_some(child)
}

/// Such a child is the tracer's on the host, and so the tracer can move it, once core says that its parent may.
fn move_adopted(tracer: &mut Tracer, entry: &Entry, child: Tid, group: i32) -> Handled {
    let host = if group == 0 || group == entry_number(tracer, entry, child) {
        child.number()
    } else {
        host_group(tracer, entry.id, group).ok_or(Errno::PERM)?
    };
    let number = entry_number(tracer, entry, child);
    tracer.set.setpgid(entry.id, number, group, &mut tracer.effects).map_err(errno)?;
    ptrace::set_group(child, host)?;
    Ok(Outcome::Done(0))
}

fn entry_number(tracer: &Tracer, entry: &Entry, host: Tid) -> i32 {
    tracer.number_of(entry.id, host.number())
}

/// The host has made the caller a session's leader.
pub(super) fn led(tracer: &mut Tracer, tid: Tid) -> i64 {
    let Some(id) = tracer.id(tid) else { return 0 };
    let number = tracer.set.setsid(id, &mut tracer.effects);
    i64::from(Pid::raw_or_zero(number.ok()))
}

/// The host has moved a process to a group.
pub(super) fn moved(tracer: &mut Tracer, tid: Tid, process: i32, group: i32) {
    if let Some(caller) = tracer.id(tid) {
        let _ = tracer.set.setpgid(caller, process, group, &mut tracer.effects);
    }
}

/// The host's number of the process group that `viewer` knows as `group`.
pub(super) fn host_group(tracer: &Tracer, viewer: TaskId, group: i32) -> Option<i32> {
    let ns = tracer.set.ns_of(viewer).ok()?;
    let pgrp = tracer.set.find_pid(ns, Pid::from_raw(group)?)?;
    tracer
        .set
        .pgrp_groups(pgrp)
        .filter_map(|member| tracer.set.group_payload(member))
        .map(|host| ptrace::group_of(*host))
        .find(|host| *host > 0)
}

/// The number by which `viewer` knows the host's process group `host`; 0 if it does not.
pub(super) fn visible_group(tracer: &Tracer, viewer: TaskId, host: i32) -> i32 {
    let member = |tid: Tid| ptrace::group_of(tid) == host;
    visible(tracer, viewer, host, member, |group| tracer.set.pgrp(group).ok())
}

/// The number by which `viewer` knows the host's session `host`; 0 if it does not.
pub(super) fn visible_session(tracer: &Tracer, viewer: TaskId, host: i32) -> i32 {
    let member = |tid: Tid| ptrace::session_of(tid) == host;
    visible(tracer, viewer, host, member, |group| tracer.set.session(group).ok())
}

fn visible(
    tracer: &Tracer,
    viewer: TaskId,
    host: i32,
    member: impl Fn(Tid) -> bool,
    named: impl Fn(pidns_core::GroupId) -> Option<PidId>,
) -> i32 {
    let direct = tracer.number_of(viewer, host);
    if direct != 0 {
        return direct;
    }
    let Ok(ns) = tracer.set.ns_of(viewer) else { return 0 };
    let found = tracer.processes.iter().find(|(tid, _)| member(**tid));
    let number = found.and_then(|(_, process)| tracer.set.number(named(process.group)?, ns));
    Pid::raw_or_zero(number)
}
