//! What stands in the way of an engine, and what would remove it.

use std::fmt;

/// Why an engine does not work, or not fully.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// This version has no such engine.
    NotInThisVersion,
    /// A seccomp filter refuses a system call, as those of containers do.
    Filter {
        /// Which call.
        call: &'static str,
    },
    /// A limit of the kernel is 0.
    LimitIsZero {
        /// The limit, as sysctl(8) names it.
        sysctl: &'static str,
    },
    /// A limit of the kernel is reached.
    LimitReached {
        /// The limit, as sysctl(8) names it.
        sysctl: &'static str,
        /// What it is set to, where that can be read.
        value: Option<u64>,
    },
    /// Namespaces may be nested 32 deep, and are.
    NestedTooDeep,
    /// `kernel.unprivileged_userns_clone` is 0.
    UnprivilegedOff,
    /// `kernel.apparmor_restrict_unprivileged_userns` is 1.
    AppArmorRestriction,
    /// A security module other than that restriction seems to refuse it.
    SecurityModule {
        /// The caller's label.
        label: Option<String>,
    },
    /// The caller is in a chroot(2), where no user namespaces are made.
    Chroot,
    /// The caller is user 0, but without `CAP_SETFCAP`: it may not be user 0 of a new user namespace.
    RootWithoutSetfcap,
    /// The caller's own ids have no meaning outside of its user namespace.
    UnmappedIds,
    /// The kernel has been built without such namespaces.
    KernelWithout {
        /// Of which kind.
        kind: &'static str,
    },
    /// The kernel is older than what pidns needs.
    KernelTooOld,
    /// /proc is not mounted.
    NoProc,
    /// /proc is partly covered or read-only, so the kernel mounts no fresh one.
    ProcCovered {
        /// What is in the way.
        paths: Vec<String>,
    },
    /// `vm.memfd_noexec` is 2.
    NoProgramsInMemory,
    /// Yama allows no tracing.
    Yama {
        /// `kernel.yama.ptrace_scope`.
        scope: u64,
    },
    /// Processes, descriptors or memory are short.
    Short,
    /// It is not known.
    Unknown,
}

/// Something that somebody can do about a [`Cause`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Remedy {
    /// Who does what.
    pub what: String,
    /// The command or option that does it, where there is one.
    pub how: Option<String>,
}

impl Cause {
    /// The cause's name in JSON: does not change.
    pub fn id(&self) -> &'static str {
        match self {
            Self::NotInThisVersion => "not-in-this-version",
            Self::Filter { .. } => "seccomp-filter",
            Self::LimitIsZero { .. } => "limit-is-zero",
            Self::LimitReached { .. } => "limit-reached",
            Self::NestedTooDeep => "nested-too-deep",
            Self::UnprivilegedOff => "unprivileged-off",
            Self::AppArmorRestriction => "apparmor-restriction",
            Self::SecurityModule { .. } => "security-module",
            Self::Chroot => "chroot",
            Self::RootWithoutSetfcap => "root-without-setfcap",
            Self::UnmappedIds => "unmapped-ids",
            Self::KernelWithout { .. } => "kernel-without",
            Self::KernelTooOld => "kernel-too-old",
            Self::NoProc => "no-proc",
            Self::ProcCovered { .. } => "proc-covered",
            Self::NoProgramsInMemory => "no-programs-in-memory",
            Self::Yama { .. } => "yama",
            Self::Short => "short",
            Self::Unknown => "unknown",
        }
    }

    /// What would make it better, the best first. Nothing where nothing is known to help.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::NotInThisVersion | Self::Unknown => Vec::new(),
            Self::Filter { call: "ptrace" } => vec![
                remedy(
                    "allow ptrace in the container",
                    "podman run --cap-add=SYS_PTRACE (or docker run)",
                ),
                remedy("or use a filter that allows it", "--security-opt seccomp=PROFILE.json"),
            ],
            Self::Filter { .. } => vec![
                remedy(
                    "use a filter that allows clone, clone3 and unshare with new namespaces",
                    "podman run --security-opt seccomp=PROFILE.json (or docker run)",
                ),
                remedy("or give the container the privilege", "--cap-add=SYS_ADMIN"),
            ],
            Self::LimitIsZero { sysctl } => vec![sysctl_set(sysctl, 10_000)],
            Self::LimitReached { sysctl, value } if *value > Some(MOST / 2) => {
                vec![advice(&format!("raise {sysctl} outside of this user namespace"))]
            }
            Self::LimitReached { sysctl, value } => {
                vec![sysctl_set(sysctl, value.unwrap_or(0).saturating_mul(2).max(10_000))]
            }
            Self::NestedTooDeep => vec![advice("run fewer containers in containers")],
            Self::UnprivilegedOff => vec![sysctl_set("kernel.unprivileged_userns_clone", 1)],
            Self::AppArmorRestriction => vec![
                remedy(
                    "give pidns a profile that allows user namespaces, in /etc/apparmor.d/pidns",
                    "profile pidns /usr/bin/pidns flags=(unconfined) { userns, }",
                ),
                sysctl_set("kernel.apparmor_restrict_unprivileged_userns", 0),
            ],
            Self::SecurityModule { .. } => {
                vec![advice("have the policy of the security module allow user namespaces")]
            }
            Self::Chroot => vec![advice(
                "enter the directory by pivot_root(2), as containers do, instead of chroot(2)",
            )],
            Self::RootWithoutSetfcap => vec![
                advice("run as another user than root"),
                remedy("or give the container that capability", "--cap-add=SETFCAP"),
            ],
            Self::UnmappedIds => {
                vec![advice("run as a user that the user namespace knows: see /proc/self/uid_map")]
            }
            Self::KernelWithout { kind } => vec![remedy(
                "use a kernel that has them",
                match *kind {
                    "user" => "CONFIG_USER_NS=y",
                    "PID" => "CONFIG_PID_NS=y",
                    _ => "CONFIG_NAMESPACES=y",
                },
            )],
            Self::KernelTooOld => vec![advice("use Linux 5.10 or newer")],
            Self::NoProc => vec![remedy("mount it", "mount -t proc proc /proc")],
            Self::ProcCovered { .. } => vec![
                remedy(
                    "let the container see all of /proc",
                    "podman run --security-opt unmask=ALL",
                ),
                remedy("or do without a fresh one", "pidns run --no-proc"),
            ],
            Self::NoProgramsInMemory => vec![sysctl_set("vm.memfd_noexec", 1)],
            Self::Yama { scope: 3 } => {
                vec![advice("kernel.yama.ptrace_scope=3 lasts until the next boot: set 1 at boot")]
            }
            Self::Yama { .. } => vec![sysctl_set("kernel.yama.ptrace_scope", 1)],
            Self::Short => {
                vec![advice(
                    "raise the limit (ulimit -u, ulimit -n, pids.max of the cgroup), or end something",
                )]
            }
        }
    }
}

fn remedy(what: &str, how: &str) -> Remedy {
    Remedy { what: what.to_owned(), how: Some(how.to_owned()) }
}

/// No limit can be set to more, and new user namespaces have this: it is another's that is reached.
const MOST: u64 = i32::MAX as u64;

fn advice(what: &str) -> Remedy {
    Remedy { what: what.to_owned(), how: None }
}

fn sysctl_set(name: &str, value: u64) -> Remedy {
    remedy("as root", &format!("sysctl -w {name}={value}"))
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInThisVersion => f.write_str("this version of pidns does not have it for this machine"),
            Self::Filter { call } => {
                write!(f, "a seccomp filter, as containers have one, refuses {call}")
            }
            Self::LimitIsZero { sysctl } => write!(f, "the sysctl {sysctl} is 0"),
            Self::LimitReached { sysctl, value: Some(value) } => {
                write!(f, "the limit {sysctl}={value} is reached, or that of an outer user namespace")
            }
            Self::LimitReached { sysctl, value: None } => write!(f, "the limit {sysctl} is reached"),
            Self::NestedTooDeep => f.write_str("namespaces are nested 32 deep already"),
            Self::UnprivilegedOff => {
                f.write_str("the sysctl kernel.unprivileged_userns_clone is 0, so only root has user namespaces")
            }
            Self::AppArmorRestriction => f.write_str(
                "the sysctl kernel.apparmor_restrict_unprivileged_userns is 1, so only programs with a profile have \
                 user namespaces",
            ),
            Self::SecurityModule { label: Some(label) } => {
                write!(f, "a security module refuses it (the label here is {label})")
            }
            Self::SecurityModule { label: None } => f.write_str("a security module refuses it"),
            Self::Chroot => f.write_str("the root directory is a chroot, where the kernel makes no user namespaces"),
            Self::RootWithoutSetfcap => f.write_str(
                "root without CAP_SETFCAP, as in containers that drop all capabilities, may not map itself",
            ),
            Self::UnmappedIds => f.write_str("the user or group is not known to its user namespace"),
            Self::KernelWithout { kind } => write!(f, "the kernel has no {kind} namespaces"),
            Self::KernelTooOld => f.write_str("the kernel is too old, or a filter pretends that it is"),
            Self::NoProc => f.write_str("/proc is not mounted"),
            Self::ProcCovered { paths } => match paths.as_slice() {
                [] => f.write_str("/proc is partly covered or read-only, so the kernel mounts no fresh one"),
                [one] => write!(f, "{one} is covered or read-only, so the kernel mounts no fresh /proc"),
                [first, others @ ..] => write!(
                    f,
                    "{first} and {} more are covered or read-only, so the kernel mounts no fresh /proc",
                    others.len()
                ),
            },
            Self::NoProgramsInMemory => {
                f.write_str(
                    "the sysctl vm.memfd_noexec is 2, and no file system here takes a program without a name",
                )
            }
            Self::Yama { scope } => write!(f, "the sysctl kernel.yama.ptrace_scope is {scope}"),
            Self::Short => f.write_str("processes, descriptors or memory are short"),
            Self::Unknown => f.write_str("the reason is not known"),
        }
    }
}
