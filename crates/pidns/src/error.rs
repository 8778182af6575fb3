//! Why a command was not started.

use std::{fmt, io};

use pidns_sys::Errno;

/// The step at which starting a command failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Stage {
    /// The arguments, environment or options cannot be used.
    Arguments,
    /// The name cannot be had.
    Name,
    /// The engine does not work here.
    Engine,
    /// The descriptors for the command could not be made.
    Descriptors,
    /// The program of number 1 could not be put into memory.
    Image,
    /// The PID namespace with its first process could not be made: clone3(2).
    Namespace,
    /// The namespace that is there could not be entered: setns(2).
    Enter,
    /// The user namespace's ids could not be mapped: user_namespaces(7).
    UserMap,
    /// The mount namespace could not be set apart.
    Mounts,
    /// /proc could not be mounted.
    Proc,
    /// The working directory could not be entered.
    Directory,
    /// The process that guards a command which is number 1 could not be made.
    Guard,
    /// Number 1 could not be executed, or ended before it started the command.
    Init,
    /// Number 1 could not make a process for the command.
    Fork,
    /// The command's program could not be executed.
    Exec,
}

impl Stage {
    fn what(self) -> &'static str {
        match self {
            Self::Arguments => "cannot use the arguments",
            Self::Name => "cannot register the name",
            Self::Engine => "the engine does not work here",
            Self::Descriptors => "cannot make descriptors",
            Self::Image => "cannot put number 1 into memory",
            Self::Namespace => "cannot create the PID namespace",
            Self::Enter => "cannot enter the namespace",
            Self::UserMap => "cannot map ids in the user namespace",
            Self::Mounts => "cannot set the mount namespace apart",
            Self::Proc => "cannot mount /proc",
            Self::Directory => "cannot enter the working directory",
            Self::Guard => "cannot start the guard",
            Self::Init => "cannot start number 1",
            Self::Fork => "cannot make a process for the command",
            Self::Exec => "cannot execute the command",
        }
    }
}

/// Why a command was not started: the stage, and the kernel's error there. Nothing was left running.
///
/// ```no_run
/// let error = pidns::Command::new("/no/such/program").spawn().expect_err("there is none");
/// assert_eq!(error.stage(), pidns::Stage::Exec);
/// assert_eq!(error.to_string(), "cannot execute the command: No such file or directory");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SpawnError {
    stage: Stage,
    errno: i32,
}

impl SpawnError {
    pub(crate) fn new(stage: Stage, errno: Errno) -> Self {
        Self { stage, errno: errno.raw_os_error() }
    }

    pub(crate) fn from_raw(stage: Stage, errno: i32) -> Self {
        Self { stage, errno }
    }

    pub(crate) fn of_io(stage: Stage, error: &io::Error) -> Self {
        let errno = error.raw_os_error().unwrap_or(match error.kind() {
            io::ErrorKind::InvalidInput => Errno::INVAL.raw_os_error(),
            io::ErrorKind::PermissionDenied => Errno::ACCESS.raw_os_error(),
            _ => Errno::IO.raw_os_error(),
        });
        Self { stage, errno }
    }

    /// Where it failed.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The error number, as in errno(3).
    pub fn errno(&self) -> i32 {
        self.errno
    }

    /// What may help, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        let errno = Errno::from_raw_os_error(self.errno);
        Some(match (self.stage, errno) {
            (Stage::Name, Errno::EXIST) => "a job of this name is running: see pidns ps",
            (Stage::Name, Errno::INVAL) => {
                "a name has no slash, space or control character, is no number, and does not begin with a dot or a hyphen"
            }
            (Stage::Namespace, Errno::PERM) => {
                "user namespaces are forbidden here (a container's seccomp filter, a sysctl such as \
                 kernel.apparmor_restrict_unprivileged_userns, or CAP_SYS_ADMIN is missing)"
            }
            (Stage::Namespace, Errno::NOSPC) => {
                "a limit is reached: the sysctls user.max_pid_namespaces and user.max_user_namespaces, or 32 nested \
                 levels"
            }
            (Stage::Namespace, Errno::INVAL | Errno::NOSYS) => {
                "this kernel, or a filter, does not offer PID namespaces"
            }
            (Stage::Namespace | Stage::Fork | Stage::Guard, Errno::AGAIN) => {
                "a limit of processes is reached: ulimit -u, a cgroup's pids.max, or kernel.pid_max"
            }
            (Stage::Enter, Errno::PERM | Errno::ACCESS) => {
                "only who may trace its number 1, and has all rights in its user namespace, may enter"
            }
            (Stage::Enter, Errno::SRCH) => "it has ended",
            (Stage::Enter, Errno::NOSYS) => {
                "its engine is ptrace, and a command that is number 1 itself takes nobody in"
            }
            (Stage::UserMap, Errno::NOENT) => {
                "/proc is not mounted; without it no user namespace can be set up"
            }
            (Stage::UserMap, Errno::PERM) => "the ids of this user may not be mapped here",
            (Stage::Proc, Errno::PERM) => {
                "/proc is partly covered, as containers do; --no-proc runs without a fresh one"
            }
            (Stage::Proc, Errno::NOENT) => {
                "there is no directory /proc; --no-proc runs without one"
            }
            (Stage::Image | Stage::Guard, Errno::ACCESS) => {
                "the sysctl vm.memfd_noexec forbids programs in memory, and no file system here takes an unnamed one"
            }
            // The kernel calls a number above the limit invalid.
            (_, Errno::MFILE | Errno::NFILE) | (Stage::Descriptors, Errno::INVAL) => {
                "too many open files: ulimit -n"
            }
            (Stage::Exec, Errno::NOEXEC) => "the file is no program for this machine",
            (Stage::Exec, Errno::TOOBIG) => {
                "the arguments and the environment together are too long"
            }
            _ => return None,
        })
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if (self.stage, self.errno) == (Stage::Name, Errno::EXIST.raw_os_error()) {
            return write!(f, "{}: it is in use", self.stage.what());
        }
        let text = io::Error::from_raw_os_error(self.errno).to_string();
        let text = text.split(" (os error").next().unwrap_or(&text);
        write!(f, "{}: {text}", self.stage.what())
    }
}

impl std::error::Error for SpawnError {}

impl From<SpawnError> for io::Error {
    fn from(error: SpawnError) -> Self {
        let kind = Self::from_raw_os_error(error.errno).kind();
        Self::new(kind, error)
    }
}
