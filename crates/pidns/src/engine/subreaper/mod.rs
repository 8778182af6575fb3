//! No namespace, but nothing survives.
//!
//! ```text
//! caller -> warden -> keeper -> the command -> whatever it starts
//! ```
//!
//! Warden and keeper are one `pidns-init` in its role of that name, parted in two: child subreapers
//! (PR_SET_CHILD_SUBREAPER(2const)), which adopt all that loses its parent below. The keeper looks for what the command
//! has left behind, stops, kills and reaps it; the warden does so if the keeper is killed; both do if the caller is.
//!
//! Where the caller's cgroup may have another one in it, the job gets one ([`cgroup`]): it takes less time then to end
//! very many processes, or a storm of them.
//!
//! Without a namespace, numbers are the caller's, and nobody can be number 1: what asks for that is refused, and so is
//! a fresh /proc, and being root in a user namespace. A process that has taken other credentials may be out of reach:
//! then [`Job::reap`] fails after some seconds, and says which it is.

mod cgroup;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use pidns_init::protocol::{CGROUP_FD, RequestKind, Role, TARGET_FD};
use pidns_sys::launch::{Launched, Namespaces, Strings};
use pidns_sys::signal::Signal;
use pidns_sys::socket::Mode;
use pidns_sys::wait::{self, Wanted};
use pidns_sys::{Errno, fd, pidfd, poll, privilege};

use super::control::{Control, Packet, Stuck};
use super::image::Image;
use super::reap::{collect, send_signal};
use super::steps::{Steps, as_c_strs};
use super::{Event, Job, NumberOne, Spec};
use crate::command::{Descriptors, Map, Proc};
use crate::error::{SpawnError, Stage};
use crate::status::ExitStatus;

/// What descends from a keeper.
#[derive(Debug)]
struct Family {
    warden: Launched,
    keeper: Keeper,
    control: Control,
    /// The command's number.
    number: u32,
    stuck: Vec<Stuck>,
    end: Option<ExitStatus>,
    /// The cgroup in which the job may have its own.
    cgroup: Option<OwnedFd>,
}

/// The keeper, which is a child of the warden.
#[derive(Debug)]
struct Keeper {
    pid: u32,
    pidfd: OwnedFd,
}

/// Starts `spec` below a warden and a keeper, and returns once its program has been executed.
pub(crate) fn launch(spec: &Spec) -> Result<Box<dyn Job>, SpawnError> {
    refuse_namespaces(spec)?;
    // A command that has all of the caller's descriptors may have one at that number.
    let cgroup = if spec.descriptors == Descriptors::Standard { cgroup::own() } else { None };
    let (image, control) = Image::new(Role::Keeper, spec)?;
    let mut steps = Steps::none();
    steps.directory(spec);
    steps.stdio(spec);
    if let Some(beside) = &spec.beside {
        steps.pass(beside, TARGET_FD);
    }
    if let Some(cgroup) = &cgroup {
        steps.pass(cgroup, CGROUP_FD);
    }
    let env = Strings::new(as_c_strs(&spec.env));
    let warden =
        image.start(Namespaces::empty(), steps, &spec.args, &env).map_err(not_a_namespace)?;
    match hear_of_start(&control) {
        Ok((keeper, number)) => {
            let (stuck, end) = (Vec::new(), None);
            Ok(Box::new(Family { warden, keeper, control, number, stuck, end, cgroup }))
        }
        Err(error) => {
            // Both go for this, if they have not gone already.
            drop(control);
            let _ = collect(&warden.pidfd);
            Err(error)
        }
    }
}

/// Refuses what takes a namespace.
fn refuse_namespaces(spec: &Spec) -> Result<(), SpawnError> {
    let refused = |stage| Err(SpawnError::new(stage, Errno::NOTSUP));
    if spec.number_one == NumberOne::Command {
        return refused(Stage::Namespace);
    }
    if spec.proc == Proc::Fresh {
        return refused(Stage::Proc);
    }
    if spec.map == Map::Root && privilege::effective_uid() != 0 {
        return refused(Stage::UserMap);
    }
    Ok(())
}

/// No child could be made, and that is all.
fn not_a_namespace(error: SpawnError) -> SpawnError {
    match error.stage() {
        Stage::Namespace => SpawnError::from_raw(Stage::Guard, error.errno()),
        _ => error,
    }
}

/// Waits until the command has started, or has not.
fn hear_of_start(control: &Control) -> Result<(Keeper, u32), SpawnError> {
    let lost = |errno| SpawnError::new(Stage::Init, errno);
    let keeper = match control.receive_with_descriptor().map_err(lost)? {
        (Packet::Keeper { pid }, Some(pidfd)) => Keeper { pid, pidfd },
        (Packet::ForkFailed(errno), _) => return Err(SpawnError::from_raw(Stage::Guard, errno)),
        // It could not be received: no descriptor was free.
        (Packet::Keeper { .. }, None) => {
            return Err(SpawnError::new(Stage::Descriptors, Errno::MFILE));
        }
        _ => return Err(lost(Errno::SRCH)),
    };
    Ok((keeper, control.await_start()?))
}

impl Job for Family {
    fn init_pid(&self) -> u32 {
        self.keeper.pid
    }

    fn number(&self) -> Option<u32> {
        Some(self.number)
    }

    /// The warden's: it is the last to go, unless somebody kills it.
    fn pidfd(&self) -> BorrowedFd<'_> {
        self.warden.pidfd.as_fd()
    }

    fn number_one(&self) -> Option<BorrowedFd<'_>> {
        Some(self.keeper.pidfd.as_fd())
    }

    fn news(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// The pidfd of a warden that somebody has killed is readable, and tells nothing: the keeper is still at work.
    fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        let end =
            if matches!(self.warden_is_gone(), Ok(true)) { self.news() } else { self.pidfd() };
        [self.news(), end]
    }

    fn next_event(&mut self) -> io::Result<Option<Event>> {
        loop {
            match self.control.receive(Mode::NonBlock) {
                Ok(Packet::Event(event)) => return Ok(Some(event)),
                Ok(Packet::Stuck(stuck)) => self.stuck.push(stuck),
                Ok(Packet::Closed) => return Ok(Some(Event::Gone)),
                Ok(_) => {}
                Err(Errno::AGAIN) => {
                    if self.warden_is_gone()? {
                        self.continue_keeper();
                    }
                    return Ok(None);
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(self.control.signal(signal)?)
    }

    fn end(&self) -> io::Result<()> {
        Ok(self.control.request(RequestKind::End, 0)?)
    }

    fn release(&self) -> io::Result<()> {
        Ok(self.control.request(RequestKind::Go, 0)?)
    }

    fn kill(&self) -> io::Result<()> {
        kill(Some(self.warden.pidfd.as_fd()), self.keeper.pidfd.as_fd())
    }

    fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        let end = match self.end {
            None => self.await_end()?,
            end => end,
        };
        self.end = end;
        if self.stuck.is_empty() { Ok(end) } else { Err(left(&self.stuck)) }
    }
}

/// Ends what a keeper keeps. The keeper's end is all others': the warden sees to it, also if somebody has stopped it. A
/// keeper that has no warden any more is about to end all itself, unless somebody has stopped it, and nobody else would.
pub(crate) fn kill(warden: Option<BorrowedFd<'_>>, keeper: BorrowedFd<'_>) -> io::Result<()> {
    match warden {
        Some(warden) if !pidfd::has_ended(warden)? => {
            send_signal(warden, Signal::CONT)?;
            send_signal(keeper, Signal::KILL)
        }
        _ => send_signal(keeper, Signal::CONT),
    }
}

impl Family {
    fn warden_is_gone(&self) -> io::Result<bool> {
        Ok(pidfd::has_ended(&self.warden.pidfd)?)
    }

    /// If somebody has stopped it, it cannot do what the warden would have done.
    fn continue_keeper(&self) {
        // Not allowed to those who have taken other credentials meanwhile; they wait.
        let _ = send_signal(&self.keeper.pidfd, Signal::CONT);
    }

    /// Waits for the end of both, and so for that of all others. The warden's status tells how the keeper ended.
    fn await_end(&mut self) -> io::Result<Option<ExitStatus>> {
        let warden = collect(&self.warden.pidfd)?;
        // One that has outlived the warden is still at work.
        self.continue_keeper();
        poll::readable([self.keeper.pidfd.as_fd()], None)?;
        // Its new parent is the caller, if that adopts orphans.
        let _ = wait::change_of(&self.keeper.pidfd, Wanted::EXITED | Wanted::NOHANG);
        while self.next_event()?.is_some_and(|event| event != Event::Gone) {}
        let was_killed = warden.is_none_or(|warden| warden.signal().is_some());
        if let Some(cgroup) = self.cgroup.as_ref().filter(|_| was_killed) {
            // Warden or keeper remove it, unless the one was killed just before and the other has not seen that.
            let _ = fd::remove_directory(cgroup, &format!("pidns-{}", self.warden.pid));
        }
        Ok(warden.map(|warden| {
            let killed = warden.code().and_then(|code| Signal::new(code - 128));
            killed.map_or(warden, |signal| ExitStatus::killed(signal, false))
        }))
    }
}

/// Says who is left.
fn left(stuck: &[Stuck]) -> io::Error {
    let each = stuck.iter().map(|Stuck { pid, errno }| match errno {
        Some(errno) => format!("{pid} ({errno})"),
        None => format!("{pid} (killed, but still there)"),
    });
    let all: Vec<String> = each.collect();
    io::Error::other(format!("processes are left that cannot be ended: {}", all.join(", ")))
}
