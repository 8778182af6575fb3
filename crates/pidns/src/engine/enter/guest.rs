//! A `pidns-init` inside of a namespace that is ours, taken in by its number 1, with the command below.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use pidns_init::protocol::Role;
use pidns_sys::{Errno, fd};

use super::visit::Visit;
use super::{door, parcel};
use crate::engine::control::Packet;
use crate::engine::image::Image;
use crate::engine::{Job, Spec};
use crate::error::{SpawnError, Stage};

/// Has `spec` started behind the door `path`.
pub(super) fn launch(path: &Path, spec: &Spec) -> Result<Box<dyn Job>, SpawnError> {
    let descriptors = |errno| SpawnError::new(Stage::Descriptors, errno);
    // Mounts are the same inside.
    let own = std::env::current_dir().ok();
    let own = own.and_then(|path| CString::new(path.into_os_string().into_vec()).ok());
    let directory = spec.directory.as_deref().or(own.as_deref());
    let parcel = parcel::pack(directory, &spec.args, &spec.env);
    let parcel = parcel.map_err(descriptors)?;
    let stdio = Stdio::of(spec).map_err(descriptors)?;
    let (image, control) = Image::new(Role::Guest, spec)?;
    let [stdin, stdout, stderr] = stdio.0.each_ref().map(AsFd::as_fd);
    let [program, theirs, watch] = image.parts()?;
    let all: [BorrowedFd<'_>; 7] = [program, theirs, watch, parcel.as_fd(), stdin, stdout, stderr];
    door::take_in(path, all).map_err(|error| SpawnError::of_io(Stage::Enter, &error))?;
    // Its end is to be seen by the close of the socket.
    drop((image, parcel, stdio));
    let lost = |errno| SpawnError::new(Stage::Init, errno);
    let (pid, pidfd) = match control.receive_with_descriptor().map_err(lost)? {
        (Packet::Keeper { pid }, Some(pidfd)) => (pid, pidfd),
        (Packet::Keeper { .. }, None) => return Err(descriptors(Errno::MFILE)),
        _ => return Err(lost(Errno::SRCH)),
    };
    let number = control.await_start()?;
    Ok(Box::new(Visit { pid, pidfd, control, number: Some(number), is_callers: false }))
}

/// The command's standard descriptors, all three.
struct Stdio([OwnedFd; 3]);

impl Stdio {
    fn of(spec: &Spec) -> pidns_sys::Result<Self> {
        let mut all = Vec::with_capacity(3);
        for (number, given) in (0..).zip(&spec.stdio) {
            all.push(match given {
                Some(given) => fd::copy_above(given, 3)?,
                None => match fd::copy_of_inherited(number, 3)? {
                    Some(inherited) => inherited,
                    // What is closed here cannot be sent; it leads nowhere there.
                    None => fd::at_or_above(fd::dev_null()?, 3)?,
                },
            });
        }
        Ok(Self(all.try_into().expect("three")))
    }
}
