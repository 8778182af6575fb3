//! A `pidns-init` outside of a namespace of the kernel, with the command inside.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use pidns_init::protocol::{ROOT_FD, RequestKind, Role, TARGET_FD};
use pidns_sys::fd;
use pidns_sys::launch::{Launched, Namespaces, Strings};
use pidns_sys::signal::Signal;

use super::place::Place;
use crate::engine::control::Control;
use crate::engine::image::Image;
use crate::engine::reap::{collect, give_up};
use crate::engine::steps::{Steps, as_c_strs};
use crate::engine::{Event, Job, Spec};
use crate::error::{SpawnError, Stage};
use crate::namespace::{self, PidNamespace};
use crate::status::ExitStatus;
use crate::stdio::HIGH_FLOOR;

/// A command in a namespace that others hold together.
#[derive(Debug)]
pub(super) struct Visit {
    /// The `pidns-init` that runs it.
    pub(super) pid: u32,
    pub(super) pidfd: OwnedFd,
    pub(super) control: Control,
    /// The command's number inside.
    pub(super) number: Option<u32>,
    /// Whether the caller has made it, and not number 1.
    pub(super) is_callers: bool,
}

/// Starts `spec` in `namespace`.
pub(super) fn launch(namespace: &PidNamespace, spec: &Spec) -> Result<Box<dyn Job>, SpawnError> {
    let descriptors = |errno| SpawnError::new(Stage::Descriptors, errno);
    let place = Place::of(namespace.init_pid(), spec.directory.as_deref())?;
    let target = fd::copy_above(namespace.number_one(), HIGH_FLOOR).map_err(descriptors)?;
    let root = place.root.map(|root| fd::at_or_above(root, HIGH_FLOOR)).transpose();
    let root = root.map_err(descriptors)?;
    let (image, control) = Image::new(Role::Visitor, spec)?;
    control.send_entry(&place.entry).map_err(descriptors)?;
    let mut steps = Steps::none();
    steps.stdio(spec);
    steps.pass(&target, TARGET_FD);
    if let Some(root) = &root {
        steps.pass(root, ROOT_FD);
    }
    let env = Strings::new(as_c_strs(&spec.env));
    let visitor = image.start(Namespaces::empty(), steps, &spec.args, &env)?;
    match control.await_start() {
        // It is a child of the visitor, which is outside: so this is the caller's number.
        Ok(command) => {
            let number = namespace::innermost(command);
            let Launched { pid, pidfd, .. } = visitor;
            Ok(Box::new(Visit { pid, pidfd, control, number, is_callers: true }))
        }
        Err(error) => {
            give_up(&visitor.pidfd);
            Err(error)
        }
    }
}

impl Job for Visit {
    fn init_pid(&self) -> u32 {
        self.pid
    }

    fn number(&self) -> Option<u32> {
        self.number
    }

    fn is_in_callers_group(&self) -> bool {
        self.is_callers
    }

    fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    fn news(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    fn next_event(&mut self) -> io::Result<Option<Event>> {
        Ok(self.control.next_event()?)
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

    /// The command alone: the visitor has to live to collect it.
    fn kill(&self) -> io::Result<()> {
        self.signal(Signal::KILL)
    }

    fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        // One that nobody tells of was killed with the namespace.
        Ok(collect(&self.pidfd)?.or(Some(ExitStatus::killed(Signal::KILL, false))))
    }
}
