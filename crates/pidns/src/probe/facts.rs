//! What can be known of a place.

use crate::SpawnError;

/// What a place is like, for [`diagnose`](Self::diagnose). Whatever could not be found out is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Facts {
    /// What happened when the engines were tried.
    pub trials: Trials,
    /// What happened when namespaces were asked for one by one.
    pub clones: Clones,
    /// Who asks.
    pub caller: Caller,
    /// What /proc is.
    pub proc: Proc,
    /// The settings of the kernel that matter.
    pub sysctls: Sysctls,
    /// The machine.
    pub host: Host,
}

/// How an attempt ended. The error of one that failed is an error number, as in errno(3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Attempt {
    /// It was not made.
    #[default]
    NotMade,
    /// It worked.
    Worked,
    /// It failed.
    Failed(i32),
}

/// What happened when each engine was to start a program that does not exist: one that works finds that out, after all
/// else has been done. `None` is an engine that works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Trials {
    /// The kernel engine, without a fresh /proc.
    pub kernel: Option<SpawnError>,
    /// The kernel engine, with a fresh /proc.
    pub kernel_with_proc: Option<SpawnError>,
    /// The ptrace engine.
    pub ptrace: Option<SpawnError>,
    /// The subreaper engine.
    pub subreaper: Option<SpawnError>,
}

/// What happened when a child was made in new namespaces, each attempt with one more than the attempt before. See
/// clone(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Clones {
    /// clone3(2) without any new namespace.
    pub plain: Attempt,
    /// A user namespace; not tried for a caller that needs none.
    pub user: Attempt,
    /// And a PID namespace.
    pub pid: Attempt,
    /// And a mount namespace.
    pub mount: Attempt,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Caller {
    /// The effective user id.
    pub uid: u32,
    /// Whether it has `CAP_SYS_ADMIN` in its user namespace, and so needs no other. See capabilities(7).
    pub sys_admin: bool,
    /// Whether it has `CAP_SETFCAP`, without which user 0 cannot be mapped into a new user namespace.
    pub setfcap: bool,
    /// Whether it is bound to gain no privilege by an exec: `PR_SET_NO_NEW_PRIVS(2const)`.
    pub no_new_privs: Option<bool>,
    /// How system calls are filtered: 0 not, 1 strict, 2 by filters. See seccomp(2).
    pub seccomp: Option<u32>,
    /// How many filters there are.
    pub seccomp_filters: Option<u32>,
    /// The label that security modules have given it, such as `docker-default (enforce)`.
    pub label: Option<String>,
    /// Whether its root directory is not that of its mount namespace, as after chroot(2).
    pub in_chroot: Option<bool>,
    /// How many PID namespaces, that of /proc included, it is in: 1 for processes of /proc's own.
    pub pid_levels: Option<u32>,
    /// Whether it is in a user namespace below the first, as the maps of its ids tell.
    pub in_user_namespace: Option<bool>,
    /// Whether standard input is a terminal.
    pub terminal: bool,
}

/// What /proc is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Proc {
    /// Whether a procfs is mounted there.
    pub mounted: bool,
    /// What other mounts cover in it, as containers do, or that it is read-only. Where something is covered, the kernel
    /// mounts no fresh one for unprivileged user namespaces: see mount_namespaces(7), "Restrictions".
    pub covered: Vec<String>,
    /// Whether it shows the caller's own PID namespace.
    pub own: bool,
}

/// The settings of the kernel that matter; `None` where this kernel has no such setting or it cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Sysctls {
    /// `user.max_user_namespaces`. See namespaces(7).
    pub max_user_namespaces: Option<u64>,
    /// `user.max_pid_namespaces`.
    pub max_pid_namespaces: Option<u64>,
    /// `user.max_mnt_namespaces`.
    pub max_mnt_namespaces: Option<u64>,
    /// `kernel.unprivileged_userns_clone`, of Debian's and some other kernels: 0 forbids.
    pub unprivileged_userns_clone: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns`, of Ubuntu's kernels: 1 restricts.
    pub apparmor_restrict_unprivileged_userns: Option<u64>,
    /// `kernel.yama.ptrace_scope`: 0 all, 1 descendants, 2 with `CAP_SYS_PTRACE`, 3 nobody. See ptrace(2).
    pub ptrace_scope: Option<u64>,
    /// `vm.memfd_noexec`: 2 forbids programs in memory. See memfd_create(2).
    pub memfd_noexec: Option<u64>,
    /// `kernel.pid_max`.
    pub pid_max: Option<u64>,
}

/// The machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Host {
    /// The kernel's release. See uname(2).
    pub kernel: String,
    /// The architecture.
    pub machine: String,
    /// The security modules, where the kernel tells.
    pub security_modules: Vec<String>,
    /// What seems to contain the caller, such as `docker`.
    pub container: Option<String>,
    /// The caller's cgroup in the cgroup2 hierarchy, as a directory.
    pub cgroup: Option<String>,
    /// Whether cgroups can be made below it. See cgroups(7).
    pub cgroup_writable: bool,
    /// Whether the kernel has `cgroup.kill`; not known where no cgroup below the first can be seen.
    pub cgroup_kill: Option<bool>,
}
