//! From facts to causes. Pure: the same facts, the same diagnosis.

use pidns_sys::Errno;

use super::cause::Cause;
use super::facts::{Attempt, Facts};
use crate::engine::ORDER;
use crate::{Engine, SpawnError, Stage};

/// What works at a place, and why the rest does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// For each engine, in the order in which [`Engine::Auto`] tries them.
    pub verdicts: Vec<Verdict>,
}

/// Whether an engine works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Works(Engine),
    /// It works, but without a fresh /proc.
    Limited {
        /// Which engine.
        engine: Engine,
        /// What failed.
        error: SpawnError,
        /// Why.
        cause: Cause,
    },
    /// It does not work.
    Refused {
        /// Which engine.
        engine: Engine,
        /// What failed.
        error: SpawnError,
        /// Why.
        cause: Cause,
    },
}

impl Verdict {
    /// Which engine it is about.
    pub fn engine(&self) -> Engine {
        match self {
            Self::Works(engine) | Self::Limited { engine, .. } | Self::Refused { engine, .. } => {
                *engine
            }
        }
    }

    /// Whether commands can be run with it.
    pub fn works(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }

    /// What failed, and why, if anything did.
    pub fn trouble(&self) -> Option<(SpawnError, &Cause)> {
        match self {
            Self::Works(_) => None,
            Self::Limited { error, cause, .. } | Self::Refused { error, cause, .. } => {
                Some((*error, cause))
            }
        }
    }
}

impl Diagnosis {
    /// The engine that [`Engine::Auto`] takes; `None` where none works.
    pub fn auto(&self) -> Option<Engine> {
        self.verdicts.iter().find(|verdict| verdict.works()).map(Verdict::engine)
    }
}

impl Facts {
    /// Says which engines work, and what is in the way of the others.
    pub fn diagnose(&self) -> Diagnosis {
        let verdicts = ORDER.map(|engine| match engine {
            Engine::Kernel => self.kernel(),
            Engine::Ptrace => self.verdict(engine, self.trials.ptrace, Self::why_no_tracing),
            _ => self.verdict(engine, self.trials.subreaper, Self::why_not),
        });
        Diagnosis { verdicts: verdicts.into() }
    }

    fn verdict(
        &self,
        engine: Engine,
        trial: Option<SpawnError>,
        why: fn(&Self, SpawnError) -> Cause,
    ) -> Verdict {
        match trial {
            None => Verdict::Works(engine),
            Some(error) => Verdict::Refused { engine, error, cause: why(self, error) },
        }
    }

    fn kernel(&self) -> Verdict {
        let engine = Engine::Kernel;
        match (self.trials.kernel, self.trials.kernel_with_proc) {
            (None, Some(error)) => Verdict::Limited { engine, error, cause: self.why_not(error) },
            (trial, _) => self.verdict(engine, trial, Self::why_not),
        }
    }

    /// What is in the way of tracing.
    fn why_no_tracing(&self, error: SpawnError) -> Cause {
        let refused = matches!(errno(error), Errno::PERM | Errno::ACCESS);
        match self.sysctls.ptrace_scope {
            Some(scope @ 2..) if refused && error.stage() != Stage::Image => Cause::Yama { scope },
            _ if refused && error.stage() == Stage::Engine => self.who_refuses("ptrace"),
            _ => self.why_not(error),
        }
    }

    fn why_not(&self, error: SpawnError) -> Cause {
        match (error.stage(), errno(error)) {
            (Stage::Engine, Errno::NOSYS) => Cause::NotInThisVersion,
            (_, Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => Cause::Short,
            (Stage::Image, _) if self.sysctls.memfd_noexec == Some(2) => Cause::NoProgramsInMemory,
            (Stage::Image, _) => self.who_refuses("memfd_create"),
            (Stage::Namespace, errno) => self.why_no_namespace(errno),
            (Stage::UserMap | Stage::Proc, Errno::NOENT) => Cause::NoProc,
            (Stage::UserMap, Errno::PERM) if self.caller.uid == 0 && !self.caller.setfcap => {
                Cause::RootWithoutSetfcap
            }
            (Stage::UserMap | Stage::Mounts, _) => self.why_powerless(),
            (Stage::Proc, Errno::PERM) if !self.proc.mounted => Cause::NoProc,
            (Stage::Proc, Errno::PERM) if !self.proc.covered.is_empty() => {
                Cause::ProcCovered { paths: self.proc.covered.clone() }
            }
            (Stage::Proc, Errno::PERM | Errno::ACCESS) => self.who_refuses("mount"),
            (_, Errno::PERM | Errno::ACCESS | Errno::NOSYS) => self.who_refuses("a system call"),
            _ => Cause::Unknown,
        }
    }

    /// clone3(2) has failed with `errno`.
    fn why_no_namespace(&self, errno: Errno) -> Cause {
        let (kind, sysctl, value) = self.first_refused();
        match errno {
            Errno::NOSYS if self.is_filtered() => Cause::Filter { call: "clone" },
            Errno::NOSYS => Cause::KernelTooOld,
            Errno::INVAL => Cause::KernelWithout { kind },
            Errno::NOSPC | Errno::USERS => match value {
                Some(0) => Cause::LimitIsZero { sysctl },
                _ if kind == "PID" && self.caller.pid_levels >= Some(33) => Cause::NestedTooDeep,
                value => Cause::LimitReached { sysctl, value },
            },
            _ => self.why_no_user_namespace(),
        }
    }

    /// The kind of the first namespace that was refused, and its limit.
    fn first_refused(&self) -> (&'static str, &'static str, Option<u64>) {
        let sysctls = &self.sysctls;
        match self.clones {
            super::Clones { user: Attempt::Failed(_), .. } => {
                ("user", "user.max_user_namespaces", sysctls.max_user_namespaces)
            }
            super::Clones { pid: Attempt::Worked, .. } => {
                ("mount", "user.max_mnt_namespaces", sysctls.max_mnt_namespaces)
            }
            _ => ("PID", "user.max_pid_namespaces", sysctls.max_pid_namespaces),
        }
    }

    /// clone3(2) has failed for lack of permission. See clone(2), EPERM.
    fn why_no_user_namespace(&self) -> Cause {
        const OVERFLOW: u32 = 65534;
        let caller = &self.caller;
        if caller.sys_admin {
            return self.who_refuses("clone with new namespaces");
        }
        if self.sysctls.unprivileged_userns_clone == Some(0) {
            return Cause::UnprivilegedOff;
        }
        if caller.in_chroot == Some(true) {
            return Cause::Chroot;
        }
        if caller.uid == OVERFLOW && caller.in_user_namespace == Some(true) {
            return Cause::UnmappedIds;
        }
        self.why_powerless_unless_filtered("clone with new namespaces")
    }

    /// A user namespace was made, and gives no power over what is in it.
    fn why_powerless(&self) -> Cause {
        if self.sysctls.apparmor_restrict_unprivileged_userns == Some(1) {
            return Cause::AppArmorRestriction;
        }
        self.who_refuses("mount or write")
    }

    fn why_powerless_unless_filtered(&self, call: &'static str) -> Cause {
        if self.is_filtered() { self.who_refuses(call) } else { self.why_powerless() }
    }

    /// Something has refused `call`, and no setting says what.
    fn who_refuses(&self, call: &'static str) -> Cause {
        let label = self.caller.label.clone().filter(|label| label != "unconfined");
        if self.is_filtered() {
            Cause::Filter { call }
        } else if label.is_some() || self.has_policy() {
            Cause::SecurityModule { label }
        } else {
            Cause::Unknown
        }
    }

    fn is_filtered(&self) -> bool {
        self.caller.seccomp == Some(2)
    }

    /// Whether there is a security module with a policy of its own.
    fn has_policy(&self) -> bool {
        const WITH_POLICY: [&str; 5] = ["apparmor", "selinux", "smack", "tomoyo", "bpf"];
        self.host.security_modules.iter().any(|module| WITH_POLICY.contains(&module.as_str()))
    }
}

fn errno(error: SpawnError) -> Errno {
    Errno::from_raw_os_error(error.errno())
}
