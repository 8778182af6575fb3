//! `pidns-init` is number 1, the command number 2.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use pidns_init::protocol::{RequestKind, Role};
use pidns_sys::launch::{Launched, Strings};
use pidns_sys::signal::Signal;

use super::namespaces;
use crate::engine::control::Control;
use crate::engine::image::Image;
use crate::engine::reap::{collect, give_up, send_signal};
use crate::engine::steps::{IdMaps, Steps, as_c_strs};
use crate::engine::{Event, Job, Spec};
use crate::error::SpawnError;
use crate::status::ExitStatus;

#[derive(Debug)]
pub(super) struct Supervised {
    init: Launched,
    control: Control,
    number: u32,
}

/// Starts `spec` below a `pidns-init`, and returns once the command's program has been executed.
pub(super) fn launch(spec: &Spec) -> Result<Supervised, SpawnError> {
    let (image, control) = Image::new(Role::Init, spec)?;
    let namespaces = namespaces(spec);
    let maps = IdMaps::new(spec.map);
    let mut steps = Steps::new(namespaces, spec, &maps);
    steps.stdio(spec);
    let env = Strings::new(as_c_strs(&spec.env));
    let init = image.start(namespaces, steps, &spec.args, &env)?;
    match control.await_start() {
        Ok(number) => Ok(Supervised { init, control, number }),
        Err(error) => {
            give_up(&init.pidfd);
            Err(error)
        }
    }
}

impl Job for Supervised {
    fn init_pid(&self) -> u32 {
        self.init.pid
    }

    fn number(&self) -> Option<u32> {
        Some(self.number)
    }

    fn pidfd(&self) -> BorrowedFd<'_> {
        self.init.pidfd.as_fd()
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

    fn kill(&self) -> io::Result<()> {
        send_signal(&self.init.pidfd, Signal::KILL)
    }

    fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        collect(&self.init.pidfd)
    }
}
