//! Which system calls the tracer looks at, and which are refused: the policy behind the filter.
//!
//! | verdict | calls |
//! |---|---|
//! | trap | those that a container's filter would answer first: `unshare`, `setns`, `clone3`, `clone` with `CLONE_NEW*` |
//! | trace | those that carry a number of a task |
//! | ask | those that take a path from the root or the working directory: see [`asked`](super::asked), [`site`](super::site) |
//! | fail | those by which a program would get around the tracer, and those whose numbers cannot be translated |
//! | allow | all others: they cost the filter only, and for most the kernel remembers its answer |
//!
//! A call is traced only where its arguments say that a number is in it: `sched_getaffinity(0, ..)` is about the caller,
//! `openat(3, "x")` about a descriptor.
//!
//! Paths: a filter cannot read them, and /proc needs it. `find` and its like walk by descriptors, which the filter lets
//! through; a path from the root or the working directory costs a question, or a stop where there is nobody to ask. A
//! process that has opened a directory of /proc, or the root directory, could walk there by descriptor: it gets a second
//! filter ([`more`]) that traces those calls as well.

use pidns_sys::abi;
use pidns_sys::seccomp::{Program, Rule, Test, Verdict, compile};

use super::host::Host;
use super::site;
use super::task::Filter;

use Test::{Exactly, Has, Is, Masked, Neither, Null};
use Verdict::{Allow, Ask, Fail, Trace, Trap};

/// What a SIGSYS by our filter has as `si_errno`.
pub(super) const TRAP_MARK: u16 = 0x7069;

/// `AT_FDCWD` as the filter sees it.
const CWD: u32 = abi::AT_FDCWD.cast_unsigned();

const ENOSYS: Verdict = Fail(abi::ENOSYS as u16);
const EPERM: Verdict = Fail(abi::EPERM as u16);

/// The filter of every process inside. Behind another filter ([`Host::filtered`](super::host::Host)), calls that it may
/// answer are trapped; else a stop by trace does, which costs less and leaves SIGSYS alone. Where there is somebody to ask
/// ([`Host::listening`](super::host::Host)), paths are asked about, unless the call has the `key` of [`site`](super::site).
pub(super) fn program(host: Host, key: Option<u64>) -> Program {
    let mut rules = Vec::new();
    trapped(&mut rules, if host.filtered { Trap(TRAP_MARK) } else { Trace }, key);
    traced(&mut rules);
    waits(&mut rules, key);
    actions(&mut rules, key.filter(|_| !host.ignores_children));
    changes_of_user(&mut rules, host.uid);
    about_others(&mut rules);
    by_command(&mut rules);
    paths(&mut rules, if host.listening { Ask } else { Trace }, key);
    refused(&mut rules);
    compile(rules)
}

/// The filters that processes get when they need them: all of their calls of these kinds are traced.
pub(super) fn more(filter: Filter) -> Program {
    const BY_DIRECTORY: [i64; 4] =
        [abi::SYS_getdents64, abi::SYS_fstat, abi::SYS_fchdir, abi::SYS_getcwd];
    let calls = match filter {
        Filter::Walker => [&BY_DIRECTORY[..], &FROM_DIRECTORY].concat(),
        Filter::Visitor => [&BY_DIRECTORY[..], &FROM_DIRECTORY, &BY_PATH].concat(),
        Filter::Writer => vec![abi::SYS_write, abi::SYS_pwrite64],
        Filter::Reader => vec![abi::SYS_read],
        Filter::Receiver => vec![abi::SYS_recvmsg],
        Filter::Ignorer => Vec::new(),
    };
    let mut rules: Vec<Rule> = calls.into_iter().map(|call| rule(call, &[], Trace)).collect();
    if filter == Filter::Receiver {
        // Not looked at: whoever wants credentials is to use recvmsg(2).
        rules.push(rule(abi::SYS_recvmmsg, &[], ENOSYS));
    }
    if filter == Filter::Ignorer {
        actions(&mut rules, None);
    }
    compile(rules)
}

fn rule(call: i64, tests: &[(Test, Verdict)], otherwise: Verdict) -> Rule {
    Rule { call, tests: tests.to_vec(), otherwise }
}

/// A container's filter refuses these, or these flags. What of them is the host's own passes by its flags.
fn trapped(rules: &mut Vec<Rule>, ours: Verdict, key: Option<u64>) {
    let pid = abi::CLONE_NEWPID.cast_unsigned();
    let user = abi::CLONE_NEWUSER.cast_unsigned();
    rules.push(rule(abi::SYS_unshare, &[(Has(0, pid), ours), (Has(0, user), Trace)], Allow));
    let of_setns = [(Is(1, 0), ours), (Has(1, pid), ours), (Has(1, user), Trace)];
    rules.push(rule(abi::SYS_setns, &of_setns, Allow));
    rules.push(rule(abi::SYS_clone3, &[], ours));
    let mut of_clone = vec![(Has(0, pid), ours)];
    of_clone.extend(keyed(0, site::BIRTH_FLAGS, key));
    rules.push(rule(abi::SYS_clone, &of_clone, Trace));
}

/// A call passes that has the key, and this argument: the tests of a rule, before those for all others.
fn keyed(argument: u8, value: u32, key: Option<u64>) -> Vec<(Test, Verdict)> {
    let tests =
        |key| [(Neither(argument, value, value), Trace), (Exactly(KEY_ARGUMENT, key), Allow)];
    key.into_iter().flat_map(tests).collect()
}

/// waitid(2) with the key only looks.
fn waits(rules: &mut Vec<Rule>, key: Option<u64>) {
    rules.push(rule(abi::SYS_wait4, &[], Trace));
    rules.push(rule(abi::SYS_waitid, &keyed(3, site::PEEK_OPTIONS, key), Trace));
}

/// Calls that always carry a number, in an argument, in the result or in memory.
fn traced(rules: &mut Vec<Rule>) {
    for call in [
        abi::SYS_getpid,
        abi::SYS_gettid,
        abi::SYS_getppid,
        abi::SYS_getpgrp,
        abi::SYS_getpgid,
        abi::SYS_getsid,
        abi::SYS_setsid,
        abi::SYS_setpgid,
        abi::SYS_fork,
        abi::SYS_vfork,
        abi::SYS_set_tid_address,
        abi::SYS_kill,
        abi::SYS_tkill,
        abi::SYS_tgkill,
        abi::SYS_rt_sigqueueinfo,
        abi::SYS_rt_tgsigqueueinfo,
        abi::SYS_rt_sigtimedwait,
        abi::SYS_pidfd_open,
        abi::SYS_pidfd_send_signal,
        abi::SYS_pidfd_getfd,
        abi::SYS_process_vm_readv,
        abi::SYS_process_vm_writev,
        abi::SYS_kcmp,
        abi::SYS_capget,
        abi::SYS_capset,
        abi::SYS_timer_create,
        abi::SYS_reboot,
        abi::SYS_signalfd,
        abi::SYS_signalfd4,
        // Not for a number: what the tracer has changed is put back first.
        abi::SYS_sched_setaffinity,
        abi::SYS_sched_getaffinity,
    ] {
        rules.push(rule(call, &[], Trace));
    }
    // Not for a number either, but for locks in memory that processes share.
    let read_only = Masked(2, abi::PROT_WRITE.cast_unsigned(), 0);
    let shared = Has(3, abi::MAP_SHARED.cast_unsigned());
    rules.push(rule(abi::SYS_mmap, &[(read_only, Allow), (shared, Trace)], Allow));
    rules.push(rule(abi::SYS_shmat, &[], Trace));
}

/// What is done with SIGCHLD: core has to know whether there will be zombies.
fn actions(rules: &mut Vec<Rule>, key: Option<u64>) {
    // Who starts programs asks about all signals first, which changes nothing.
    let mut tests = vec![(Null(1), Allow)];
    tests.extend(key.map(|key| (Exactly(KEY_ARGUMENT, key), Allow)));
    tests.push((Is(0, abi::SIGCHLD.cast_unsigned()), Trace));
    rules.push(rule(abi::SYS_rt_sigaction, &tests, Allow));
}

/// Calls by which a process gets another user than the job was started with.
fn changes_of_user(rules: &mut Vec<Rule>, uid: u32) {
    const UNCHANGED: u32 = u32::MAX;
    for (call, count) in [
        (abi::SYS_setuid, 1),
        (abi::SYS_setreuid, 2),
        (abi::SYS_setresuid, 3),
        (abi::SYS_setfsuid, 1),
    ] {
        let others: Vec<_> =
            (0..count).map(|index| (Neither(index, uid, UNCHANGED), Trace)).collect();
        rules.push(rule(call, &others, Allow));
    }
}

/// Calls about a task by number, where 0 is the caller.
fn about_others(rules: &mut Vec<Rule>) {
    for call in [
        abi::SYS_sched_setparam,
        abi::SYS_sched_getparam,
        abi::SYS_sched_setscheduler,
        abi::SYS_sched_getscheduler,
        abi::SYS_sched_setattr,
        abi::SYS_sched_getattr,
        abi::SYS_sched_rr_get_interval,
        abi::SYS_prlimit64,
        abi::SYS_get_robust_list,
        abi::SYS_migrate_pages,
        abi::SYS_move_pages,
    ] {
        rules.push(rule(call, &[(Is(0, 0), Allow)], Trace));
    }
    for call in
        [abi::SYS_getpriority, abi::SYS_setpriority, abi::SYS_ioprio_get, abi::SYS_ioprio_set]
    {
        rules.push(rule(call, &[(Is(1, 0), Allow)], Trace));
    }
    // Cpu clocks of others have their number in the clock's, which is negative then.
    for call in [
        abi::SYS_clock_gettime,
        abi::SYS_clock_getres,
        abi::SYS_clock_nanosleep,
        abi::SYS_clock_settime,
        abi::SYS_clock_adjtime,
    ] {
        rules.push(rule(call, &[(Has(0, 1 << 31), Trace)], Allow));
    }
    // By descriptor of a cgroup, or of the caller.
    let own = [(Is(1, 0), Allow), (Has(4, abi::PERF_FLAG_PID_CGROUP), Allow)];
    rules.push(rule(abi::SYS_perf_event_open, &own, Trace));
}

/// Calls that carry a number for some commands.
fn by_command(rules: &mut Vec<Rule>) {
    let traced = |argument: u8, commands: &[i64]| -> Vec<(Test, Verdict)> {
        commands.iter().map(|command| (Is(argument, *command as u32), Trace)).collect()
    };
    let requests = [
        abi::TIOCGPGRP,
        abi::TIOCSPGRP,
        abi::TIOCGSID,
        abi::FIOSETOWN,
        abi::SIOCSPGRP,
        abi::FIOGETOWN,
        abi::SIOCGPGRP,
    ];
    let mut ioctls = traced(1, &requests.map(|request| request as i64));
    // All requests on namespace files and pidfds, by their letter.
    for letter in [abi::NS_IOCTL_LETTER, abi::PIDFD_IOCTL_LETTER] {
        ioctls.push((Masked(1, 0xff00, letter << 8), Trace));
    }
    rules.push(rule(abi::SYS_ioctl, &ioctls, Allow));
    let commands = [
        abi::F_SETOWN,
        abi::F_GETOWN,
        abi::F_SETOWN_EX,
        abi::F_GETOWN_EX,
        abi::F_GETLK,
        abi::F_OFD_GETLK,
    ];
    rules.push(rule(abi::SYS_fcntl, &traced(1, &commands.map(i64::from)), Allow));
    let options = [
        abi::PR_SET_CHILD_SUBREAPER,
        abi::PR_GET_CHILD_SUBREAPER,
        abi::PR_SET_PTRACER,
        abi::PR_SCHED_CORE,
        abi::PR_SET_DUMPABLE,
        abi::PR_GET_TID_ADDRESS,
        abi::PR_SET_SECCOMP,
    ];
    rules.push(rule(abi::SYS_prctl, &traced(0, &options.map(i64::from)), Allow));
    let credentials = [abi::SO_PEERCRED, abi::SO_PASSCRED];
    rules.push(rule(abi::SYS_getsockopt, &traced(2, &credentials.map(i64::from)), Allow));
    rules.push(rule(abi::SYS_setsockopt, &traced(2, &[i64::from(abi::SO_PASSCRED)]), Allow));
    let infos = [abi::IPC_STAT, abi::MSG_STAT, abi::MSG_STAT_ANY].map(i64::from);
    rules.push(rule(abi::SYS_msgctl, &traced(1, &infos), Allow));
    let infos = [abi::IPC_STAT, abi::SHM_STAT, abi::SHM_STAT_ANY].map(i64::from);
    rules.push(rule(abi::SYS_shmctl, &traced(1, &infos), Allow));
    rules.push(rule(abi::SYS_semctl, &traced(2, &[i64::from(abi::GETPID)]), Allow));
}

/// Calls that take a path from the root or the working directory.
const BY_PATH: [i64; 5] =
    [abi::SYS_open, abi::SYS_stat, abi::SYS_lstat, abi::SYS_access, abi::SYS_readlink];

/// Calls that may start at a descriptor. fstat(3) is newfstatat(fd, "", .., AT_EMPTY_PATH) in today's C libraries.
const FROM_DIRECTORY: [i64; 7] = [
    abi::SYS_openat,
    abi::SYS_openat2,
    abi::SYS_statx,
    abi::SYS_newfstatat,
    abi::SYS_readlinkat,
    abi::SYS_faccessat,
    abi::SYS_faccessat2,
];

/// None of the calls that may have the key has a sixth argument.
const KEY_ARGUMENT: u8 = site::KEY_ARGUMENT as u8;

/// Calls that take a path: looked at where it is not relative to a descriptor.
fn paths(rules: &mut Vec<Rule>, looked_at: Verdict, key: Option<u64>) {
    let known: Vec<_> = key.map(|key| (Exactly(KEY_ARGUMENT, key), Allow)).into_iter().collect();
    rules.extend(BY_PATH.map(|call| rule(call, &known, looked_at)));
    let mut tests = known;
    tests.push((Is(0, CWD), looked_at));
    rules.extend(FROM_DIRECTORY.map(|call| rule(call, &tests, Allow)));
    rules.push(rule(abi::SYS_chdir, &[], Trace));
    rules.push(rule(abi::SYS_mount, &[], Trace));
}

/// Says whether a call is one that may be asked about.
pub(super) fn asks_about(call: i64) -> bool {
    BY_PATH.contains(&call) || FROM_DIRECTORY.contains(&call)
}

fn refused(rules: &mut Vec<Rule>) {
    // Guests may not trace: they have a tracer.
    rules.push(rule(abi::SYS_ptrace, &[], EPERM));
    // Its workers would make calls that no filter sees.
    for call in [abi::SYS_io_uring_setup, abi::SYS_io_uring_enter, abi::SYS_io_uring_register] {
        rules.push(rule(call, &[], ENOSYS));
    }
    // A listener could let a call continue past this filter.
    let listener = [(Has(1, abi::SECCOMP_FILTER_FLAG_NEW_LISTENER), Fail(abi::EBUSY as u16))];
    // Not for a number: the guest's own filter need not know of what we make of its calls.
    rules.push(rule(abi::SYS_seccomp, &listener, Trace));
    // The kernel compares the futex word with the number that it knows the owner by.
    let pi = [
        abi::FUTEX_LOCK_PI,
        abi::FUTEX_UNLOCK_PI,
        abi::FUTEX_TRYLOCK_PI,
        abi::FUTEX_WAIT_REQUEUE_PI,
        abi::FUTEX_CMP_REQUEUE_PI,
        abi::FUTEX_LOCK_PI2,
    ];
    let tests: Vec<_> = pi.iter().map(|op| (Masked(1, 0x7f, op.cast_unsigned()), ENOSYS)).collect();
    rules.push(rule(abi::SYS_futex, &tests, Allow));
    // Numbers in their records cannot be translated.
    for call in
        [abi::SYS_fanotify_init, abi::SYS_acct, abi::SYS_process_mrelease, abi::SYS_process_madvise]
    {
        rules.push(rule(call, &[], EPERM));
    }
    rules.push(rule(abi::SYS_listns, &[], ENOSYS));
    // NETLINK_CONNECTOR tells of all processes of the machine.
    rules.push(rule(
        abi::SYS_socket,
        &[(Is(2, abi::NETLINK_CONNECTOR.cast_unsigned()), EPERM)],
        Allow,
    ));
}
