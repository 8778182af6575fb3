//! The program `pidns-init`, carried in this library and executed from memory.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use pidns_init::protocol::{CONTROL_FD, Role, SUPERVISED, WATCH_FD};
use pidns_sys::launch::{self, Launched, Namespaces, OnFailure, Step, Strings};
use pidns_sys::{Errno, fd, pidfd, program};

use super::Spec;
use super::control::Control;
use super::steps::{Steps, as_c_strs, failed};
use crate::command::Descriptors;
use crate::error::{SpawnError, Stage};
use crate::stdio::{FLOOR, HIGH_FLOOR};

/// A `pidns-init` about to be started: its end of the socket, and what it watches us by.
pub(super) struct Image {
    theirs: OwnedFd,
    watch: OwnedFd,
    /// What the command is to have at the numbers that the image uses itself.
    moved: [Option<OwnedFd>; 2],
}

impl Image {
    /// Makes the descriptors, with the configuration for `role` waiting in them, and returns our end of the socket too.
    pub(super) fn new(role: Role, spec: &Spec) -> Result<(Self, Control), SpawnError> {
        let make = || {
            let moved = moved(role, spec)?;
            let numbers = moved.each_ref().map(|fd| fd.as_ref().map_or(-1, AsRawFd::as_raw_fd));
            let (control, theirs) = Control::new(role, spec, numbers)?;
            let theirs = fd::at_or_above(theirs, FLOOR)?;
            let watch = fd::at_or_above(pidfd::of_self()?, FLOOR)?;
            Ok((Self { theirs, watch, moved }, control))
        };
        make().map_err(|errno| SpawnError::new(Stage::Descriptors, errno))
    }

    /// Does `steps` in a child in new `namespaces`, and executes the image there for the command `args`.
    /// The command's standard descriptors pass if `steps` has put them in place, and are closed if not. Afterwards the socket
    /// closes with the image's end of it.
    pub(super) fn start(
        self,
        namespaces: Namespaces,
        steps: Steps<'_>,
        args: &[CString],
        env: &Strings<'_>,
    ) -> Result<Launched, SpawnError> {
        let args = arguments(args);
        let (list, stages) = self.finish(steps, &args, env)?;
        launch::launch(namespaces, &list)
            .map_err(|failure| too_long_for_the_command(failed(failure, &stages)))
    }

    /// The program, its end of the socket, and what it watches the caller by, for somebody else to start it with.
    pub(super) fn parts(&self) -> Result<[BorrowedFd<'_>; 3], SpawnError> {
        Ok([sealed()?, self.theirs.as_fd(), self.watch.as_fd()])
    }

    /// Adds to `steps` the descriptors of the image and its exec.
    pub(super) fn finish<'a>(
        &'a self,
        steps: Steps<'a>,
        args: &'a Strings<'a>,
        env: &'a Strings<'a>,
    ) -> Result<(StepList<'a>, Vec<Stage>), SpawnError> {
        let program = sealed()?.as_raw_fd();
        let Steps { mut list, mut stages, .. } =
            steps.supervision(&self.theirs, &self.watch, &self.moved);
        list.push((Step::ExecuteDescriptor { program, args, env }, OnFailure::Fail));
        stages.push(Stage::Init);
        Ok((list, stages))
    }
}

/// Steps as [`launch::launch`] takes them.
pub(super) type StepList<'a> = Vec<(Step<'a>, OnFailure)>;

/// The arguments of the image for the command `args`.
pub(super) fn arguments(args: &[CString]) -> Strings<'_> {
    let front = [c"pidns-init", SUPERVISED, c"--"];
    Strings::new(front.into_iter().chain(as_c_strs(args)))
}

/// The image carries the command's arguments and environment: if they are too long, it is the command that cannot have
/// them.
fn too_long_for_the_command(error: SpawnError) -> SpawnError {
    match (error.stage(), Errno::from_raw_os_error(error.errno())) {
        (Stage::Init, Errno::TOOBIG) => SpawnError::new(Stage::Exec, Errno::TOOBIG),
        _ => error,
    }
}

/// Copies of what the caller has at the numbers that the image uses itself, if the command is to have it.
fn moved(role: Role, spec: &Spec) -> pidns_sys::Result<[Option<OwnedFd>; 2]> {
    if role == Role::Guard || spec.descriptors == Descriptors::Standard {
        return Ok([None, None]);
    }
    let copy = |number| fd::copy_of_inherited(number, FLOOR);
    Ok([copy(CONTROL_FD)?, copy(WATCH_FD)?])
}

static PROGRAM: OnceLock<OwnedFd> = OnceLock::new();

/// The program, sealed in memory: made at the first launch. A failure is not kept: the next launch tries again.
fn sealed() -> Result<BorrowedFd<'static>, SpawnError> {
    if let Some(program) = PROGRAM.get() {
        return Ok(program.as_fd());
    }
    let program = program::in_memory("pidns-init", pidns_init::IMAGE)
        .or_else(|errno| in_file().ok_or(errno))
        .and_then(|program| fd::at_or_above(program, HIGH_FLOOR))
        .map_err(|errno| SpawnError::new(Stage::Image, errno))?;
    Ok(PROGRAM.get_or_init(|| program).as_fd())
}

/// Where memory may not be executed (`vm.memfd_noexec`), a file system may have room for a program without a name.
fn in_file() -> Option<OwnedFd> {
    ["/dev/shm", "/run", "/tmp", "/var/tmp"]
        .iter()
        .find_map(|directory| program::in_unnamed_file(directory, pidns_init::IMAGE).ok())
}
