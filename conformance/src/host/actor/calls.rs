//! The calls, one line each.

use super::{Actor, Turn, make, signals};
use crate::answer::{self, Info};
use crate::script::call::Request;
use crate::script::verb::Verb;
use pidns_sys::raw;
use pidns_sys::raw::errno::RawErrno;
use pidns_sys::raw::ns::{NSFS, pidfd_info};
use pidns_sys::raw::signal::Waiting;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;

const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";
const PID_MAX: &str = "/proc/sys/kernel/pid_max";

/// Makes the call.
pub(super) fn perform(actor: &Actor, request: &Request) -> Turn {
    match request.verb {
        Verb::Fork => make::fork(request),
        Verb::Vfork => make::vfork(request),
        Verb::Clone => make::clone(request),
        Verb::OldClone => make::old_clone(request),
        Verb::Thread => make::thread(request),
        Verb::Crowd => make::crowd(request),
        Verb::Exit => raw::clone::exit_thread(request.int32(0)),
        Verb::ExitGroup => raw::clone::exit_group(request.int32(0)),
        Verb::Fault => raw::signal::fault(),
        Verb::ChildTid => Turn::Answer(actor.child_tid.to_string()),
        _ => Turn::Answer(text(actor, request)),
    }
}

/// Makes a call whose result is more than a number.
fn text(actor: &Actor, r: &Request) -> String {
    match r.verb {
        Verb::Sigpending => answer::signals(raw::signal::pending().map_err(|errno| errno.0)),
        Verb::Sigpoll => signals::take(r, Waiting::No),
        Verb::Sigwait => signals::take(r, Waiting::Yes),
        Verb::Caught => signals::caught(),
        Verb::Wait => {
            answer::waited(raw::wait::wait4(r.int32(0), r.int32(1)).map_err(|errno| errno.0))
        }
        Verb::Waitid => waitid(r),
        Verb::PidfdPoll => answer::polled(raw::wait::poll_now(r.int32(0)).map_err(|errno| errno.0)),
        Verb::PidfdInfo => answer::info(info(r.int32(0), r.int(1) as u64)),
        Verb::NsSame => answer::same(same(r.int32(0), r.int32(1))),
        _ => answer::number(number(actor, r).map_err(|errno| errno.0)),
    }
}

/// Makes a call whose result is a number.
fn number(actor: &Actor, r: &Request) -> Result<i64, RawErrno> {
    match r.verb {
        Verb::Exec => Err(make::program(actor.slot)?.exec()),
        Verb::Kill => raw::signal::kill(r.int32(0), r.int32(1)),
        Verb::Tkill => raw::signal::tkill(r.int32(0), r.int32(1)),
        Verb::Tgkill => raw::signal::tgkill(r.int32(0), r.int32(1), r.int32(2)),
        Verb::Sigqueue => signals::queue(r),
        Verb::PidfdSendSignal => raw::signal::pidfd_send_signal(r.int32(0), r.int32(1)),
        Verb::Sigaction => signals::action(r),
        Verb::Sigmask => raw::signal::set_mask(r.int32(0), r.int(1) as u64),
        Verb::Getpid => Ok(raw::ids::getpid().into()),
        Verb::Gettid => Ok(raw::ids::gettid().into()),
        Verb::Getppid => Ok(raw::ids::getppid().into()),
        Verb::Getpgid => raw::ids::getpgid(r.int32(0)),
        Verb::Getsid => raw::ids::getsid(r.int32(0)),
        Verb::Setsid => raw::ids::setsid(),
        Verb::Setpgid => raw::ids::setpgid(r.int32(0), r.int32(1)),
        Verb::SchedGet => raw::ids::sched_getscheduler(r.int32(0)),
        Verb::Seize => raw::trace::seize(r.int32(0)),
        Verb::SetSubreaper => raw::ids::set_child_subreaper(r.int32(0)),
        Verb::GetSubreaper => raw::ids::child_subreaper(),
        Verb::SetPdeathsig => raw::ids::set_parent_death_signal(r.int32(0)),
        Verb::GetPdeathsig => raw::ids::parent_death_signal(),
        _ => namespace(r),
    }
}

/// Makes a call about namespaces and their descriptors.
fn namespace(r: &Request) -> Result<i64, RawErrno> {
    match r.verb {
        Verb::Unshare => raw::ns::unshare(r.int32(0)),
        Verb::Setns => raw::ns::setns(r.int32(0), r.int32(1)),
        Verb::OpenNs => open_link(r),
        Verb::Close => raw::ns::close(r.int32(0)),
        Verb::PidfdOpen => keep(raw::ns::pidfd_open(r.int32(1), r.int(2) as u32), r),
        Verb::PidfdNs => {
            raw::ns::pidfd_ioctl_open(r.int32(1), namespace_request(r.int(2)), r.int(3) as u64)
                .and_then(|fd| keep(Ok(fd), r))
        }
        Verb::NsType => raw::ns::ioctl_plain(r.int32(0), NSFS, 3, 0),
        Verb::NsParent => raw::ns::ns_parent(r.int32(1)).and_then(|fd| keep(Ok(fd), r)),
        Verb::NsIoctl => raw::ns::ioctl_plain(r.int32(0), NSFS, r.int(1) as u8, 0),
        Verb::NsPidFrom => raw::ns::ns_translate(r.int32(0), 6, r.int32(1)),
        Verb::NsTgidFrom => raw::ns::ns_translate(r.int32(0), 7, r.int32(1)),
        Verb::NsPidIn => raw::ns::ns_translate(r.int32(0), 8, r.int32(1)),
        Verb::NsTgidIn => raw::ns::ns_translate(r.int32(0), 9, r.int32(1)),
        Verb::Reboot => {
            let magic = r.optional(1).unwrap_or(crate::script::words::REBOOT_MAGIC);
            raw::ns::reboot(magic as u32, r.int(0) as u32)
        }
        Verb::GetLastPid => read_number(LAST_PID),
        Verb::SetLastPid => write_number(LAST_PID, r.int(0)),
        Verb::GetPidMax => read_number(PID_MAX),
        Verb::SetPidMax => write_number(PID_MAX, r.int(0)),
        _ => Err(RawErrno(ENOSYS)),
    }
}

const ENOSYS: i32 = 38;

/// Puts a new descriptor where the script wants it.
fn keep(fd: Result<OwnedFd, RawErrno>, r: &Request) -> Result<i64, RawErrno> {
    raw::ns::dup_to(&fd?, r.int32(0)).map(|_| 0)
}

fn waitid(r: &Request) -> String {
    let result = raw::wait::waitid(r.int32(0), r.int32(1), r.int32(2));
    let plain = result.map(|found| found.map(|info| (info.code, info.pid, info.status)));
    answer::waited_id(plain.map_err(|errno| errno.0))
}

fn info(fd: i32, mask: u64) -> Result<Info, i32> {
    let info = raw::ns::pidfd_get_info(fd, mask).map_err(|errno| errno.0)?;
    let has = |bit: u64| info.mask & bit != 0;
    Ok(Info {
        numbers: has(pidfd_info::PID).then_some((info.pid, info.tgid, info.ppid)),
        exit: has(pidfd_info::EXIT).then_some(info.exit_code),
    })
}

fn same(left: i32, right: i32) -> Result<bool, i32> {
    let identity = |fd| raw::ns::file_identity(fd).map_err(|errno| errno.0);
    Ok(identity(left)? == identity(right)?)
}

fn open_link(r: &Request) -> Result<i64, RawErrno> {
    let who = match r.int(1) {
        0 => "thread-self".to_owned(),
        number => number.to_string(),
    };
    let link =
        ["pid", "pid_for_children", "uts"].get(r.int(2) as usize).copied().unwrap_or_default();
    let file = fs::File::open(format!("/proc/{who}/ns/{link}")).map_err(errno)?;
    keep(Ok(file.into()), r)
}

/// The request of a pidfd that opens the namespace which `link` stands for.
fn namespace_request(link: i64) -> u8 {
    match link {
        0 => 5,
        1 => 6,
        _ => 10,
    }
}

fn read_number(path: &str) -> Result<i64, RawErrno> {
    let text = fs::read_to_string(path).map_err(errno)?;
    text.trim().parse().map_err(|_| RawErrno(EIO))
}

fn write_number(path: &str, value: i64) -> Result<i64, RawErrno> {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| io::Write::write_all(&mut file, value.to_string().as_bytes()))
        .map(|()| 0)
        .map_err(errno)
}

const EIO: i32 = 5;

fn errno(error: io::Error) -> RawErrno {
    RawErrno(error.raw_os_error().unwrap_or(EIO))
}
