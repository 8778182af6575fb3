//! pidfds: the host's, opened by our numbers. What they may be used for inside ends at the namespace's border.

use pidns_core::TaskState;
use pidns_sys::ptrace::Tid;
use pidns_sys::ptrace::siginfo::PID_OFFSET;
use pidns_sys::{Errno, abi};

use super::call::{Entry, Handled, Outcome, errno};
use super::guest::Guest;
use super::task::After;
use super::tracer::Tracer;
use super::{host, kill, memory, path, signal};

pub(super) fn enter(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    match entry.registers.call() {
        abi::SYS_pidfd_open => open(tracer, entry),
        abi::SYS_pidfd_send_signal => send(tracer, entry),
        // pidfd_getfd(2): of processes outside there is nothing to be had.
        _ => target(tracer, entry.tid, entry.int(0)).map(|_| Outcome::Native),
    }
}

fn open(tracer: &Tracer, entry: &mut Entry) -> Handled {
    if entry.int(0) <= 0 {
        return Err(Errno::INVAL);
    }
    let host = tracer.host_of(entry.id, entry.int(0)).ok_or(Errno::SRCH)?;
    entry.set_int(0, host.number());
    Ok(Outcome::Then(After::Restore))
}

fn send(tracer: &mut Tracer, entry: &Entry) -> Handled {
    if entry.int(3) != 0 {
        // PIDFD_SIGNAL_THREAD and its like.
        return Err(Errno::INVAL);
    }
    let task = target(tracer, entry.tid, entry.int(0))?;
    let pid = tracer.set.tid(task).map_err(errno)?;
    let info = match entry.long(2) {
        0 => None,
        at if memory::read_i32(entry.tid, at)? != entry.int(1) => return Err(Errno::INVAL),
        at => Some(kill::information(entry.tid, at)?),
    };
    if let Some(process) = tracer.tid(task) {
        signal::learn_init(tracer, process);
    }
    let guest = Guest::new(tracer, entry.tid);
    tracer
        .set
        .pidfd_send_signal(entry.id, pid, entry.int(1), info, &guest, &mut tracer.effects)
        .map_err(errno)?;
    tracer.settle();
    Ok(Outcome::Done(0))
}

/// Who is behind a guest's pidfd: `EBADF` if it is none, `ESRCH` if the process is gone, `EINVAL` if it is outside.
fn target(tracer: &Tracer, tid: Tid, fd: i32) -> Result<pidns_core::TaskId, Errno> {
    let number = host::pidfd_target(tid, fd).ok_or(Errno::BADF)?;
    let host = Tid::new(number).ok_or(Errno::SRCH)?;
    tracer.known(host).ok_or(Errno::INVAL)
}

/// ioctl(2) on a pidfd.
pub(super) fn ioctl(tracer: &mut Tracer, entry: &mut Entry) -> Handled {
    const GET_INFO: u32 = 11;
    const OWN: u32 = 5;
    const FOR_CHILDREN: u32 = 6;
    let number = entry.int(1).cast_unsigned() & 0xff;
    match number {
        GET_INFO => {
            // Of one that has been collected, there are no numbers to be translated.
            if let Ok(task) = target(tracer, entry.tid, entry.int(0)) {
                let number = tracer.set.tid(task).map_err(errno)?;
                tracer.set.pidfd_info(entry.id, number).map_err(errno)?;
            } else if host::pidfd_target(entry.tid, entry.int(0)).is_some_and(|host| host > 0) {
                return Err(Errno::REMOTE);
            }
            Ok(Outcome::Then(After::Words(entry.long(2) + PID_OFFSET, 3)))
        }
        OWN | FOR_CHILDREN if entry.long(2) != 0 => Err(Errno::INVAL),
        OWN | FOR_CHILDREN => {
            let task = target(tracer, entry.tid, entry.int(0))?;
            if tracer.set.state(task) != Ok(TaskState::Live) {
                return Err(Errno::SRCH);
            }
            let found = match number {
                OWN => tracer.set.ns_of(task),
                // Unlike the link in /proc, also before it has its first process. // SET-09
                _ => tracer.set.ns_for_children(task),
            };
            path::open_namespace(tracer, entry, found.map_err(errno)?, abi::O_CLOEXEC)
        }
        _ => Ok(Outcome::Native),
    }
}
