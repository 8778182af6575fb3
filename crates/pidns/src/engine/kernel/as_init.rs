//! The command is number 1 itself.
//!
//! No `pidns-init` inside can watch the caller then, so a guard outside does: the same program in another role, started
//! first. The command, before its exec, hands the guard a pidfd of itself and waits until it has it: from then on, the
//! caller's death is the command's. A death signal (`PR_SET_PDEATHSIG`) would not do: it is sent when the *thread* that
//! forked ends, and the command can clear it. It comes in addition, where the caller wants that.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use pidns_init::protocol::{RequestKind, Role};
use pidns_sys::Errno;
use pidns_sys::launch::{self, Launched, Namespaces, ShellArgs, Step, Strings};
use pidns_sys::signal::Signal;
use pidns_sys::wait::{self, Change, Wanted};

use super::namespaces;
use crate::engine::control::Control;
use crate::engine::image::Image;
use crate::engine::reap::{collect, collected, give_up, send_signal};
use crate::engine::steps::{self, IdMaps, Steps, as_c_strs, candidates};
use crate::engine::{Event, Job, Spec};
use crate::error::{SpawnError, Stage};
use crate::report::Usage;
use crate::status::ExitStatus;

#[derive(Debug)]
pub(super) struct AsInit {
    command: Launched,
    guard: Launched,
    control: Control,
    /// The guard is there, as far as we know.
    guarded: bool,
    status: Option<ExitStatus>,
}

/// Starts `spec` as number 1, and returns once its program has been executed.
pub(super) fn launch(spec: &Spec) -> Result<AsInit, SpawnError> {
    let env = Strings::new(as_c_strs(&spec.env));
    let (image, control) = Image::new(Role::Guard, spec)?;
    let started = image.start(Namespaces::empty(), Steps::none(), &[], &env);
    let guard = started.map_err(|error| match error.stage() {
        Stage::Exec => error,
        // Whatever it was, it was the guard that could not be had.
        _ => SpawnError::from_raw(Stage::Guard, error.errno()),
    })?;
    match start(spec, &env, &control) {
        Ok(command) => Ok(AsInit { command, guard, control, guarded: true, status: None }),
        Err(error) => {
            give_up(&guard.pidfd);
            Err(error)
        }
    }
}

fn start(spec: &Spec, env: &Strings<'_>, guard: &Control) -> Result<Launched, SpawnError> {
    let namespaces = namespaces(spec);
    let maps = IdMaps::new(spec.map);
    let paths = candidates(&spec.args[0], &spec.env);
    let paths: Vec<&CStr> = as_c_strs(&paths).collect();
    let args = Strings::new(as_c_strs(&spec.args));
    let shell = ShellArgs::new(&args);
    let mut steps = Steps::new(namespaces, spec, &maps);
    steps.push(Stage::Guard, Step::Introduce(guard.as_fd().as_raw_fd()));
    steps.stdio(spec);
    steps.close_others();
    if spec.bound {
        steps.push(Stage::Exec, Step::ParentDeathSignal(Signal::KILL));
    }
    steps.push(Stage::Arguments, Step::DefaultAction(Signal::PIPE));
    steps.push(Stage::Arguments, Step::SignalMask(spec.mask));
    steps.push(Stage::Exec, Step::Execute { paths: &paths, args: &args, env, shell: &shell });
    launch::launch(namespaces, &steps.list).map_err(|failure| steps::failed(failure, &steps.stages))
}

impl Job for AsInit {
    fn init_pid(&self) -> u32 {
        self.command.pid
    }

    fn number(&self) -> Option<u32> {
        Some(1)
    }

    fn pidfd(&self) -> BorrowedFd<'_> {
        self.command.pidfd.as_fd()
    }

    fn news(&self) -> BorrowedFd<'_> {
        // A socket whose other end has gone would be readable for ever.
        if self.guarded { self.control.as_fd() } else { self.pidfd() }
    }

    fn next_event(&mut self) -> io::Result<Option<Event>> {
        // The guard's word comes first: it tells why the command ended.
        match self.control.next_event()? {
            None => {}
            Some(Event::Gone) => self.unguarded()?,
            event => return Ok(event),
        }
        if self.status.is_some() {
            return Ok(Some(Event::Gone));
        }
        let wanted = Wanted::EXITED | Wanted::STOPPED | Wanted::CONTINUED | Wanted::NOHANG;
        let change = match wait::change_of(&self.command.pidfd, wanted) {
            // Somebody else has collected it.
            Err(Errno::CHILD) => return Ok(Some(self.ended(collected(&self.command.pidfd)))),
            result => result?,
        };
        Ok(change.and_then(|change| match change {
            Change::Stopped(n) => Signal::new(n).map(Event::Stopped),
            Change::Continued => Some(Event::Continued),
            Change::Exited(_) | Change::Killed(_) | Change::Dumped(_) => {
                Some(self.ended(ExitStatus::of(change)))
            }
        }))
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        send_signal(&self.command.pidfd, signal)
    }

    fn end(&self) -> io::Result<()> {
        Ok(self.control.request(RequestKind::End, 0)?)
    }

    fn release(&self) -> io::Result<()> {
        Ok(())
    }

    fn kill(&self) -> io::Result<()> {
        self.signal(Signal::KILL)
    }

    fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = match self.status {
            None => collect(&self.command.pidfd)?,
            status => status,
        };
        self.status = status;
        // It would end by itself, if nobody has stopped it.
        send_signal(&self.guard.pidfd, Signal::KILL)?;
        collect(&self.guard.pidfd)?;
        Ok(status)
    }
}

impl AsInit {
    /// The guard has gone: because the command has ended, or somebody has killed it. Nobody else would see to it that
    /// nothing survives us.
    fn unguarded(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.guarded) { self.kill() } else { Ok(()) }
    }

    fn ended(&mut self, status: Option<ExitStatus>) -> Event {
        self.status = status;
        status.map_or(Event::Gone, |status| Event::Ended(status, Usage::default()))
    }
}
