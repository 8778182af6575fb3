//! A way to the supervisor of a job, for others of its user: a socket beside its name.
//!
//! An engine that keeps the numbers itself is the only one to know them, and the only one to take a guest in. So its jobs
//! have a thread that answers, until the job ends. The socket is in the directory of names, which is the user's alone.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use pidns_init::protocol::GUEST_DESCRIPTORS;
use pidns_sys::signal::Blocked;
use pidns_sys::{Errno, poll, socket};

use crate::engine::Members;
use crate::registry;

/// What can be asked of the supervisor of a job.
pub(crate) trait Behind: Send + 'static {
    /// Who is inside, with number 1, by the supervisor's numbers.
    fn members(&self) -> Option<Members>;
    /// Has number 1 start a guest with these descriptors.
    fn take_in(&self, descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno>;
}

/// A socket that a thread answers at. It closes with the job.
#[derive(Debug)]
pub(crate) struct Door(PathBuf);

/// Who is inside?
const MEMBERS: u8 = b'm';
/// Take this guest in.
const GUEST: u8 = b'g';

/// How long somebody at the door may take to say what they want.
const PATIENCE: Duration = Duration::from_secs(1);

impl Door {
    /// Opens a door to `behind`, until `end` is readable.
    pub(crate) fn open(behind: Box<dyn Behind>, end: OwnedFd) -> io::Result<Self> {
        let path = registry::new_door()?;
        let listener = UnixListener::bind(&path)?;
        let door = Self(path);
        // The program's signals are not for this thread.
        let _signals = Blocked::new();
        let thread = thread::Builder::new().name("pidns-door".into());
        thread.spawn(move || answer_all(&listener, &*behind, &end))?;
        Ok(door)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // If that fails, it is removed by whoever finds that nobody answers.
        let _ = fs::remove_file(&self.0);
    }
}

fn answer_all(listener: &UnixListener, behind: &dyn Behind, end: &OwnedFd) {
    while let Ok([_, false]) = poll::readable([listener.as_fd(), end.as_fd()], None) {
        let Ok((stream, _)) = listener.accept() else { return };
        // Whoever has asked sees that there is no answer.
        let _ = answer(stream, behind);
    }
}

fn answer(mut stream: UnixStream, behind: &dyn Behind) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut asked = [0];
    let descriptors = socket::receive_with_descriptors::<GUEST_DESCRIPTORS>(&stream, &mut asked)?;
    match asked {
        [MEMBERS] => {
            let members = behind.members().unwrap_or_default();
            stream.write_all(&serde_json::to_vec(&members)?)
        }
        [GUEST] => {
            let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            let taken = if descriptors.len() == GUEST_DESCRIPTORS {
                behind.take_in(&descriptors)
            } else {
                Err(Errno::INVAL)
            };
            let errno = taken.err().map_or(0, Errno::raw_os_error);
            stream.write_all(&errno.to_ne_bytes())
        }
        _ => Ok(()),
    }
}

/// Asks at the door `path` who is inside.
pub(crate) fn members(path: &Path) -> io::Result<Members> {
    let mut stream = knock(path)?;
    stream.write_all(&[MEMBERS])?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(serde_json::from_slice(&answer)?)
}

/// Asks at the door `path` for a guest to be taken in.
pub(super) fn take_in(
    path: &Path,
    descriptors: [BorrowedFd<'_>; GUEST_DESCRIPTORS],
) -> io::Result<()> {
    let mut stream = knock(path)?;
    socket::send_with_descriptors(&stream, &[GUEST], &descriptors)?;
    let mut errno = [0; size_of::<i32>()];
    stream.read_exact(&mut errno)?;
    match i32::from_ne_bytes(errno) {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

fn knock(path: &Path) -> io::Result<UnixStream> {
    // A supervisor that is stopped accepts nobody.
    let stream = socket::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}
