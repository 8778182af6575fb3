//! Starts a process from a list of [`Step`]s, at a cost that does not grow with the caller's memory.
//!
//! The child is made with `CLONE_VM | CLONE_VFORK`: it runs on a stack of its own in the caller's memory while the
//! calling thread is suspended, does the steps in order, each one system call or a few, and ends in an exec. What it
//! does is data, so that nothing can allocate, lock or panic between clone and exec. A step that fails ends the child,
//! and [`Failure`] says which one it was.
//!
//! All signals are blocked in the child until the step that sets its mask, so that no handler of the caller ever runs
//! there.

mod child;
mod stack;
pub mod traced;

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use crate::clone::{self, CloneArgs};
use crate::landlock::Ruleset;
use crate::seccomp::Program;
use crate::signal::{Blocked, Signal, SignalSet};
use crate::{Errno, wait};

bitflags::bitflags! {
    /// New namespaces for the child. See namespaces(7).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Namespaces: u64 {
        /// A PID namespace, in which the child is number 1.
        const PID = 0x2000_0000;
        /// A user namespace.
        const USER = 0x1000_0000;
        /// A mount namespace.
        const MOUNT = 0x0002_0000;
    }
}

/// One thing that the child does before it becomes another program.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// Writes `data` to the existing file `path` in one write(2).
    Write {
        /// The file.
        path: &'a CStr,
        /// All of it, at once.
        data: &'a [u8],
    },
    /// Lets no mount of the child's mount namespace propagate to others. See mount(2), `MS_SLAVE`.
    IsolateMounts,
    /// Mounts a fresh procfs on /proc. See proc(5).
    MountProc,
    /// Changes the working directory.
    ChangeDirectory(&'a CStr),
    /// Lets a descriptor pass the exec, if it is open.
    Keep(RawFd),
    /// Copies a descriptor to another number, where it passes the exec. The two numbers differ.
    Place {
        /// The one that is open.
        from: RawFd,
        /// Where the program finds it.
        to: RawFd,
    },
    /// Marks all descriptors from this number on close-on-exec. See close_range(2).
    CloseOnExecFrom(RawFd),
    /// Gives a signal its default action.
    DefaultAction(Signal),
    /// Blocks these signals and no others.
    SignalMask(SignalSet),
    /// Sends a pidfd of the child itself over this socket and waits for one packet in return.
    Introduce(RawFd),
    /// Has the child get this signal when the thread that has made it ends, in whatever way. See `PR_SET_PDEATHSIG`.
    ParentDeathSignal(Signal),
    /// Gives up all chances of more rights by exec. See `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivileges,
    /// Enters a Landlock domain.
    Restrict(&'a Ruleset),
    /// Installs a filter of system calls; what follows has to pass it.
    Filter(&'a Program),
    /// Installs a filter likewise, and sends the descriptor of its listener over a socket.
    FilterListening {
        /// The filter.
        program: &'a Program,
        /// Where somebody receives the descriptor.
        socket: RawFd,
    },
    /// Executes the program behind a descriptor. See execveat(2), `AT_EMPTY_PATH`.
    ExecuteDescriptor {
        /// The program.
        program: RawFd,
        /// Its arguments.
        args: &'a Strings<'a>,
        /// Its environment.
        env: &'a Strings<'a>,
    },
    /// Executes the first of `paths` that can be, as execvp(3) does: a file that is no known format is given to
    /// `/bin/sh`, one that may not be executed is remembered as `EACCES` and passed over.
    Execute {
        /// Where the program may be, in order.
        paths: &'a [&'a CStr],
        /// Its arguments.
        args: &'a Strings<'a>,
        /// Its environment.
        env: &'a Strings<'a>,
        /// Room for the arguments of `/bin/sh`.
        shell: &'a ShellArgs,
    },
}

/// What becomes of the launch when a step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The launch fails.
    Fail,
    /// The launch goes on, and [`Launched::skipped`] tells.
    Skip,
}

/// A null-terminated array of C strings, as exec takes it.
#[derive(Debug)]
pub struct Strings<'a> {
    pointers: Vec<*const c_char>,
    _strings: PhantomData<&'a CStr>,
}

impl<'a> Strings<'a> {
    /// Collects `strings`, which have to outlive it.
    pub fn new(strings: impl IntoIterator<Item = &'a CStr>) -> Self {
        let mut pointers: Vec<_> = strings.into_iter().map(CStr::as_ptr).collect();
        pointers.push(core::ptr::null());
        Self { pointers, _strings: PhantomData }
    }

    fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

/// Room for `/bin/sh FILE ARG...`, made before the child exists, because the child cannot allocate.
#[derive(Debug)]
pub struct ShellArgs {
    slots: std::cell::UnsafeCell<Vec<*const c_char>>,
}

impl ShellArgs {
    /// Makes room for a program with the arguments `args`, the first of which is its name.
    pub fn new(args: &Strings<'_>) -> Self {
        let mut slots = vec![c"/bin/sh".as_ptr(), core::ptr::null()];
        slots.extend(args.pointers.iter().skip(1));
        if slots.len() == 2 {
            slots.push(core::ptr::null());
        }
        Self { slots: slots.into() }
    }

    /// The arguments for the script `file`.
    ///
    /// # Safety
    /// Only one thread may use `self`: the child, while its parent is suspended.
    unsafe fn with_file(&self, file: &CStr) -> *const *const c_char {
        // SAFETY: nobody else looks at the slots now, says the caller; there are at least two.
        unsafe {
            let slots = (*self.slots.get()).as_mut_ptr();
            *slots.add(1) = file.as_ptr();
            slots.cast_const()
        }
    }
}

/// A process that has become its program.
#[derive(Debug)]
pub struct Launched {
    /// Its number in the caller's PID namespace.
    pub pid: u32,
    /// Its pidfd, close-on-exec.
    pub pidfd: OwnedFd,
    /// Bit n is set if step n failed and was passed over; for steps 0 to 63.
    pub skipped: u64,
}

/// Why there is no process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The index of the step that failed; `None` if no child could be made.
    pub step: Option<usize>,
    /// Its error.
    pub errno: Errno,
}

/// What parent and child share while the parent is suspended.
struct Shared<'a> {
    steps: &'a [(Step<'a>, OnFailure)],
    skipped: AtomicU64,
    failed_step: AtomicI32,
    errno: AtomicI32,
}

/// Makes a child in new `namespaces`, does `steps` in it, and returns once it has become its program.
///
/// A child whose step fails has no exit signal: it raises no SIGCHLD, and no plain waitpid(2) sees it. One that has
/// executed its program is a child like others, because an exec makes its exit signal SIGCHLD (`de_thread`): whoever
/// collects all children collects it too, and a caller that ignores SIGCHLD collects none. [`wait::collected`] tells
/// how it ended even then.
///
/// # Errors
/// The step that failed and its error, or that of clone3(2): `EAGAIN` and `ENOMEM` for lack of room, `EPERM` without
/// the privilege, `ENOSPC` where a limit of namespaces is reached, `EINVAL` where the kernel has no such namespaces.
pub fn launch(
    namespaces: Namespaces,
    steps: &[(Step<'_>, OnFailure)],
) -> core::result::Result<Launched, Failure> {
    launch_on(&mut stack::Stack::new(), namespaces, steps)
}

fn launch_on(
    stack: &mut stack::Stack,
    namespaces: Namespaces,
    steps: &[(Step<'_>, OnFailure)],
) -> core::result::Result<Launched, Failure> {
    let at_clone = |errno| Failure { step: None, errno };
    let mut pidfd: RawFd = -1;
    let shared = Shared {
        steps,
        skipped: AtomicU64::new(0),
        failed_step: AtomicI32::new(-1),
        errno: AtomicI32::new(0),
    };
    let mut args = CloneArgs {
        flags: (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD) as u64 | namespaces.bits(),
        pidfd: &raw mut pidfd as u64,
        stack: stack.base() as u64,
        stack_size: stack.size() as u64,
        ..CloneArgs::default()
    };
    let made = {
        let _signals = Blocked::new();
        // SAFETY: the stack is the child's alone; `shared` and `pidfd` outlive the suspension of this thread, and the
        // child touches nothing after it has executed or exited.
        unsafe {
            clone::clone(&mut args, child::main, (&raw const shared).cast_mut().cast::<c_void>())
        }
    };
    let pid = made.map_err(at_clone)?;
    // SAFETY: clone3 has stored a new descriptor, which nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    if let Ok(step) = usize::try_from(shared.failed_step.load(Ordering::Relaxed)) {
        // It is exiting, and its status says nothing new.
        let _ = wait::change_of(&pidfd, wait::Wanted::EXITED);
        let errno = Errno::from_raw_os_error(shared.errno.load(Ordering::Relaxed));
        return Err(Failure { step: Some(step), errno });
    }
    let skipped = shared.skipped.load(Ordering::Relaxed);
    Ok(Launched { pid: pid.unsigned_abs(), pidfd, skipped })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_childs_stack_is_twice_as_large_as_it_has_to_be() {
        let (args, env) = (Strings::new([c"sh"]), Strings::new([]));
        let shell = ShellArgs::new(&args);
        let paths = [c"/nonexistent/a", c"/", c"/nonexistent/b"];
        let steps = [
            (Step::Write { path: c"/nonexistent/c", data: b"x" }, OnFailure::Skip),
            (Step::ChangeDirectory(c"/"), OnFailure::Fail),
            (Step::Keep(0), OnFailure::Fail),
            (Step::Introduce(-1), OnFailure::Skip),
            (Step::DefaultAction(Signal::PIPE), OnFailure::Fail),
            (Step::SignalMask(SignalSet::EMPTY), OnFailure::Fail),
            (
                Step::Execute { paths: &paths, args: &args, env: &env, shell: &shell },
                OnFailure::Fail,
            ),
        ];
        let mut stack = stack::Stack::new();
        stack.paint();
        let failure = launch_on(&mut stack, Namespaces::empty(), &steps)
            .expect_err("there is no such program");
        assert_eq!(failure, Failure { step: Some(6), errno: Errno::ACCESS });
        let used = stack.used();
        assert!(
            (1..stack.size() / 2).contains(&used),
            "{used} of {} bytes were used",
            stack.size()
        );
    }
}
