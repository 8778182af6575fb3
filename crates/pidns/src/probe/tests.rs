//! Places that are made up: what the diagnosis says of each.

use pidns_sys::Errno;

use super::{Attempt, Cause, Facts, Verdict};
use crate::{Engine, SpawnError, Stage};

fn failed(stage: Stage, errno: Errno) -> Option<SpawnError> {
    Some(SpawnError::new(stage, errno))
}

/// An ordinary user of an ordinary machine, where everything works.
fn fine() -> Facts {
    let mut facts = Facts::default();
    facts.clones.plain = Attempt::Worked;
    facts.clones.user = Attempt::Worked;
    facts.clones.pid = Attempt::Worked;
    facts.clones.mount = Attempt::Worked;
    facts.caller.uid = 1000;
    facts.caller.seccomp = Some(0);
    facts.caller.pid_levels = Some(1);
    facts.caller.in_chroot = Some(false);
    facts.caller.in_user_namespace = Some(false);
    facts.proc.mounted = true;
    facts.proc.own = true;
    facts.sysctls.max_user_namespaces = Some(60_000);
    facts.sysctls.max_pid_namespaces = Some(60_000);
    facts.sysctls.max_mnt_namespaces = Some(60_000);
    facts.sysctls.memfd_noexec = Some(0);
    facts
}

/// A place where the kernel engine fails like this, after `change`.
fn without_kernel(stage: Stage, errno: Errno, change: impl FnOnce(&mut Facts)) -> Cause {
    let mut facts = fine();
    facts.trials.kernel = failed(stage, errno);
    facts.trials.kernel_with_proc = failed(stage, errno);
    change(&mut facts);
    let diagnosis = facts.diagnose();
    assert_eq!(diagnosis.auto(), Some(Engine::Ptrace));
    let Verdict::Refused { engine: Engine::Kernel, cause, .. } = &diagnosis.verdicts[0] else {
        panic!("{diagnosis:?}")
    };
    cause.clone()
}

fn refused(attempt: &mut Attempt, errno: Errno) {
    *attempt = Attempt::Failed(errno.raw_os_error());
}

#[test]
fn where_all_works_auto_takes_the_kernel_s() {
    let diagnosis = fine().diagnose();
    assert_eq!(diagnosis.auto(), Some(Engine::Kernel));
    assert!(diagnosis.verdicts.iter().all(|verdict| matches!(verdict, Verdict::Works(_))));
}

#[test]
fn where_nothing_works_auto_takes_nothing() {
    let mut facts = fine();
    let absent = failed(Stage::Engine, Errno::NOSYS);
    facts.trials = super::Trials {
        kernel: failed(Stage::Namespace, Errno::PERM),
        kernel_with_proc: failed(Stage::Namespace, Errno::PERM),
        ptrace: absent,
        subreaper: absent,
    };
    let diagnosis = facts.diagnose();
    assert_eq!(diagnosis.auto(), None);
    let causes: Vec<_> = diagnosis
        .verdicts
        .iter()
        .filter_map(|v| v.trouble())
        .map(|(_, cause)| cause.id())
        .collect();
    assert_eq!(causes, ["unknown", "not-in-this-version", "not-in-this-version"]);
}

#[test]
fn the_default_filter_of_docker_is_seen() {
    let cause = without_kernel(Stage::Namespace, Errno::PERM, |facts| {
        facts.caller.seccomp = Some(2);
        refused(&mut facts.clones.user, Errno::PERM);
    });
    assert_eq!(cause, Cause::Filter { call: "clone with new namespaces" });
    let cause = without_kernel(Stage::Namespace, Errno::NOSYS, |facts| {
        facts.caller.seccomp = Some(2);
        refused(&mut facts.clones.plain, Errno::NOSYS);
        refused(&mut facts.clones.user, Errno::NOSYS);
    });
    assert_eq!(cause, Cause::Filter { call: "clone" });
}

#[test]
fn root_without_capabilities_cannot_map_itself() {
    let powerless = |facts: &mut Facts| facts.caller.uid = 0;
    let cause = without_kernel(Stage::UserMap, Errno::PERM, powerless);
    assert_eq!(cause, Cause::RootWithoutSetfcap);
    let cause = without_kernel(Stage::UserMap, Errno::PERM, |facts| {
        facts.caller.uid = 0;
        facts.caller.setfcap = true;
    });
    assert_eq!(cause, Cause::Unknown);
}

#[test]
fn calls_that_are_unknown_without_a_filter_are_those_of_an_old_kernel() {
    let cause = without_kernel(Stage::Namespace, Errno::NOSYS, |facts| {
        refused(&mut facts.clones.plain, Errno::NOSYS);
    });
    assert_eq!(cause, Cause::KernelTooOld);
}

#[test]
fn a_limit_is_named_by_the_first_namespace_that_was_refused() {
    let user = without_kernel(Stage::Namespace, Errno::NOSPC, |facts| {
        facts.sysctls.max_user_namespaces = Some(0);
        refused(&mut facts.clones.user, Errno::NOSPC);
        refused(&mut facts.clones.pid, Errno::NOSPC);
    });
    assert_eq!(user, Cause::LimitIsZero { sysctl: "user.max_user_namespaces" });
    let pid = without_kernel(Stage::Namespace, Errno::NOSPC, |facts| {
        facts.sysctls.max_pid_namespaces = Some(0);
        refused(&mut facts.clones.pid, Errno::NOSPC);
    });
    assert_eq!(pid, Cause::LimitIsZero { sysctl: "user.max_pid_namespaces" });
    assert_eq!(pid.remedies()[0].how.as_deref(), Some("sysctl -w user.max_pid_namespaces=10000"));
    let mount = without_kernel(Stage::Namespace, Errno::NOSPC, |facts| {
        facts.sysctls.max_mnt_namespaces = Some(7);
        refused(&mut facts.clones.mount, Errno::NOSPC);
    });
    assert_eq!(mount, Cause::LimitReached { sysctl: "user.max_mnt_namespaces", value: Some(7) });
    assert_eq!(mount.remedies()[0].how.as_deref(), Some("sysctl -w user.max_mnt_namespaces=10000"));
    let of_another =
        Cause::LimitReached { sysctl: "user.max_pid_namespaces", value: Some(i32::MAX as u64) };
    assert_eq!(of_another.remedies()[0].how, None);
    assert!(of_another.remedies()[0].what.contains("outside of this user namespace"));
}

#[test]
fn thirty_two_levels_are_told_from_a_limit() {
    let cause = without_kernel(Stage::Namespace, Errno::NOSPC, |facts| {
        facts.caller.pid_levels = Some(33);
        refused(&mut facts.clones.pid, Errno::NOSPC);
    });
    assert_eq!(cause, Cause::NestedTooDeep);
}

#[test]
fn a_debian_kernel_with_user_namespaces_off_says_so() {
    let cause = without_kernel(Stage::Namespace, Errno::PERM, |facts| {
        facts.sysctls.unprivileged_userns_clone = Some(0);
        refused(&mut facts.clones.user, Errno::PERM);
    });
    assert_eq!(cause, Cause::UnprivilegedOff);
    assert_eq!(
        cause.remedies()[0].how.as_deref(),
        Some("sysctl -w kernel.unprivileged_userns_clone=1")
    );
}

#[test]
fn ubuntu_s_restriction_shows_when_made_and_when_mapped() {
    let restricted = |facts: &mut Facts| {
        facts.sysctls.apparmor_restrict_unprivileged_userns = Some(1);
        facts.host.security_modules = vec!["capability".into(), "apparmor".into()];
        facts.caller.label = Some("unconfined".into());
    };
    for (stage, errno) in [
        (Stage::Namespace, Errno::ACCESS),
        (Stage::UserMap, Errno::PERM),
        (Stage::Mounts, Errno::ACCESS),
    ] {
        assert_eq!(without_kernel(stage, errno, restricted), Cause::AppArmorRestriction);
    }
}

#[test]
fn another_policy_is_told_with_the_caller_s_label() {
    let label = "system_u:system_r:jail_t:s0".to_owned();
    let cause = without_kernel(Stage::Namespace, Errno::ACCESS, |facts| {
        facts.host.security_modules = vec!["selinux".into()];
        facts.caller.label = Some(label.clone());
        refused(&mut facts.clones.user, Errno::ACCESS);
    });
    assert_eq!(cause, Cause::SecurityModule { label: Some(label) });
}

#[test]
fn a_chroot_and_ids_without_meaning_are_seen() {
    let chroot = without_kernel(Stage::Namespace, Errno::PERM, |facts| {
        facts.caller.in_chroot = Some(true);
    });
    assert_eq!(chroot, Cause::Chroot);
    let unmapped = without_kernel(Stage::Namespace, Errno::PERM, |facts| {
        facts.caller.uid = 65534;
        facts.caller.in_user_namespace = Some(true);
    });
    assert_eq!(unmapped, Cause::UnmappedIds);
}

#[test]
fn a_kernel_without_such_namespaces_is_told() {
    let cause = without_kernel(Stage::Namespace, Errno::INVAL, |facts| {
        refused(&mut facts.clones.user, Errno::INVAL);
    });
    assert_eq!(cause, Cause::KernelWithout { kind: "user" });
    let cause = without_kernel(Stage::Namespace, Errno::INVAL, |facts| {
        refused(&mut facts.clones.pid, Errno::INVAL);
    });
    assert_eq!(cause, Cause::KernelWithout { kind: "PID" });
}

#[test]
fn no_proc_no_programs_in_memory_and_want_are_told() {
    let cause = without_kernel(Stage::UserMap, Errno::NOENT, |facts| facts.proc.mounted = false);
    assert_eq!(cause, Cause::NoProc);
    let cause =
        without_kernel(Stage::Image, Errno::ACCESS, |facts| facts.sysctls.memfd_noexec = Some(2));
    assert_eq!(cause, Cause::NoProgramsInMemory);
    assert_eq!(without_kernel(Stage::Namespace, Errno::AGAIN, |_| {}), Cause::Short);
}

#[test]
fn a_covered_proc_limits_the_kernel_engine_but_does_not_rule_it_out() {
    let mut facts = fine();
    facts.trials.kernel_with_proc = failed(Stage::Proc, Errno::PERM);
    facts.proc.covered = vec!["/proc/kcore".into(), "/proc/keys".into()];
    let diagnosis = facts.diagnose();
    assert_eq!(diagnosis.auto(), Some(Engine::Kernel));
    let Verdict::Limited { cause, .. } = &diagnosis.verdicts[0] else { panic!("{diagnosis:?}") };
    assert_eq!(cause, &Cause::ProcCovered { paths: facts.proc.covered.clone() });
    assert_eq!(
        cause.to_string(),
        "/proc/kcore and 1 more are covered or read-only, so the kernel mounts no fresh /proc"
    );
}

#[test]
fn what_is_in_the_way_of_tracing_is_yama_or_a_filter() {
    let tracing = |change: fn(&mut Facts)| {
        let mut facts = fine();
        facts.trials.ptrace = failed(Stage::Engine, Errno::PERM);
        change(&mut facts);
        let diagnosis = facts.diagnose();
        diagnosis.verdicts[1].trouble().map(|(_, cause)| cause.clone())
    };
    assert_eq!(
        tracing(|facts| facts.sysctls.ptrace_scope = Some(2)),
        Some(Cause::Yama { scope: 2 })
    );
    assert_eq!(
        tracing(|facts| {
            facts.sysctls.ptrace_scope = Some(1);
            facts.caller.seccomp = Some(2);
        }),
        Some(Cause::Filter { call: "ptrace" })
    );
    assert_eq!(tracing(|_| {}), Some(Cause::Unknown));
}

#[test]
fn every_cause_is_one_sentence_without_its_full_stop() {
    let causes = [
        Cause::NotInThisVersion,
        Cause::Filter { call: "clone3" },
        Cause::LimitIsZero { sysctl: "user.max_pid_namespaces" },
        Cause::LimitReached { sysctl: "user.max_pid_namespaces", value: None },
        Cause::NestedTooDeep,
        Cause::UnprivilegedOff,
        Cause::AppArmorRestriction,
        Cause::SecurityModule { label: None },
        Cause::Chroot,
        Cause::RootWithoutSetfcap,
        Cause::UnmappedIds,
        Cause::KernelWithout { kind: "PID" },
        Cause::KernelTooOld,
        Cause::NoProc,
        Cause::ProcCovered { paths: Vec::new() },
        Cause::NoProgramsInMemory,
        Cause::Yama { scope: 3 },
        Cause::Short,
        Cause::Unknown,
    ];
    let ids: std::collections::BTreeSet<_> = causes.iter().map(Cause::id).collect();
    assert_eq!(ids.len(), causes.len());
    for cause in causes {
        let text = cause.to_string();
        assert!(!text.is_empty() && !text.ends_with('.') && !text.contains('\n'), "{text}");
    }
}
