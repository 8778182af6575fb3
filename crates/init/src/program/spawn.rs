//! Starts the command as a child.
//!
//! The child borrows the memory of this process until it has executed the command, as vfork(2) does: nothing is copied,
//! and an error comes back in a variable. What the child does between is the list in [`Launch::become_command`].

use core::ffi::c_void;

use super::exec;
use super::strings::{Command, Strings};
use super::sys::{self, Disposition, Errno, PollFd, SignalSet};
use crate::protocol::{CONTROL_FD, Config, WATCH_FD};

/// How a child becomes the command.
pub(crate) struct Launch {
    pub(crate) command: Command,
    pub(crate) environment: Strings,
    /// The command's signal mask.
    pub(crate) mask: SignalSet,
    /// How SIGCHLD was taken when this program started, which the command inherits.
    pub(crate) on_sigchld: Disposition,
    pub(crate) place: Place,
    /// The directory of the cgroup that it is to be in; `None` for that of this process.
    pub(crate) cgroup: Option<i32>,
}

/// Where the command finds itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this process's session and group, with SIGPIPE as by default, and with these descriptors.
    Inherited(Descriptors),
    /// As [`Inherited`](Self::Inherited) with the standard descriptors, and killed when this process ends, of which
    /// `parent` is a pidfd.
    Below { parent: i32 },
    /// In a process group of its own, in the foreground of the terminal on descriptor 0 if there is one.
    OwnGroup,
}

/// Which descriptors the command has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Descriptors {
    /// 0, 1 and 2.
    Standard,
    /// All that this program was started with. Where it has its own, the command has what waits at these numbers.
    All { moved: [i32; 2] },
}

/// Why there is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No child could be made.
    Fork(Errno),
    /// The child could not be given a group of its own.
    Group(Errno),
    /// The child's group could not be put into the terminal's foreground.
    Foreground(Errno),
    /// The command could not be executed.
    Exec(Errno),
}

/// What parent and child share while the child is in the parent's memory.
struct Shared<'a> {
    launch: &'a Launch,
    failure: Option<Failure>,
}

/// Starts the command and returns its number once it has been executed. A child that failed is still to be waited for.
pub(crate) fn spawn(launch: &Launch) -> Result<i32, Failure> {
    let mut shared = Shared { launch, failure: None };
    let argument = (&raw mut shared).cast();
    // SAFETY: `child` takes a `Shared`, writes to its `failure` only, and to the command's arguments only where it ends
    // without having become the command.
    let made = unsafe {
        match launch.cgroup.map(|cgroup| sys::clone_vfork_into(cgroup, child, argument)) {
            // The cgroup, or such a call, is refused, or no child can be made at all.
            None | Some(Err(_)) => sys::clone_vfork(child, argument),
            Some(made) => made,
        }
    };
    let pid = made.map_err(Failure::Fork)?;
    match shared.failure {
        None => Ok(pid),
        Some(failure) => Err(failure),
    }
}

/// What the child does, on its own part of the stack.
extern "C" fn child(shared: *mut c_void) -> ! {
    // SAFETY: `spawn` passes a `Shared` and sleeps.
    let shared = unsafe { &mut *shared.cast::<Shared<'_>>() };
    shared.failure = Some(shared.launch.become_command());
    sys::exit(127)
}

impl Launch {
    /// Returns only on failure.
    fn become_command(&self) -> Failure {
        match self.place {
            Place::Inherited(descriptors) => inherit(descriptors),
            Place::Below { parent } => {
                if let Err(errno) = end_with(parent) {
                    return Failure::Fork(errno);
                }
                inherit(Descriptors::Standard);
            }
            Place::OwnGroup => {
                if let Err(failure) = lead_foreground_group() {
                    return failure;
                }
            }
        }
        if self.on_sigchld == Disposition::Ignore {
            sys::set_disposition(sys::SIGCHLD, Disposition::Ignore);
        }
        sys::set_mask(self.mask);
        Failure::Exec(exec::exec(self.command, self.environment))
    }
}

fn inherit(descriptors: Descriptors) {
    descriptors.put_in_place();
    sys::set_disposition(sys::SIGPIPE, Disposition::Default);
}

/// Has this process killed when the one behind `parent` ends, also if it has done so by now. The number of a parent
/// outside of our PID namespace would not tell.
fn end_with(parent: i32) -> sys::Result<()> {
    sys::set_parent_death_signal(sys::SIGKILL)?;
    let mut fds = [PollFd::input(parent)];
    sys::poll(&mut fds, Some(0))?;
    if fds.iter().any(PollFd::is_ready) { Err(Errno::ESRCH) } else { Ok(()) }
}

impl Descriptors {
    /// What the supervisor asks for.
    pub(crate) fn of(config: &Config) -> Self {
        match config.flags & Config::INHERIT {
            0 => Self::Standard,
            _ => Self::All { moved: config.moved },
        }
    }

    fn put_in_place(self) {
        match self {
            Self::Standard => keep_standard_fds(),
            Self::All { moved: [control, watch] } => {
                put_back(control, CONTROL_FD);
                put_back(watch, WATCH_FD);
            }
        }
    }
}

/// Moves a descriptor from where it has waited to where the command expects it, or closes what is there now.
fn put_back(from: i32, to: i32) {
    if sys::duplicate(from, to).is_ok() {
        sys::close(from);
    } else {
        sys::close(to);
    }
}

/// Closes all descriptors but 0, 1 and 2.
fn keep_standard_fds() {
    if sys::close_range(3, u32::MAX).is_err() {
        // A kernel or filter without that call: the supervisor has closed all but these.
        sys::close(CONTROL_FD);
        sys::close(WATCH_FD);
    }
}

/// Makes this process lead a group of its own, in the foreground of the terminal on descriptor 0 if there is one.
/// SIGTTOU is blocked here, so that the kernel lets a background process do that.
fn lead_foreground_group() -> Result<(), Failure> {
    const NO_TERMINAL: [Errno; 3] = [Errno::ENOTTY, Errno::ENXIO, Errno::EBADF];
    sys::lead_group().map_err(Failure::Group)?;
    match sys::take_foreground(0) {
        Err(errno) if !NO_TERMINAL.contains(&errno) => Err(Failure::Foreground(errno)),
        _ => Ok(()),
    }
}
