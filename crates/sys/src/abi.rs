//! Numbers of the system call interface of x86_64: calls, flags and errors, for those who look at other programs' calls.

pub use libc::{
    __WALL, __WCLONE, __WNOTHREAD, AT_EMPTY_PATH, AT_FDCWD, CLONE_CHILD_SETTID, CLONE_NEWCGROUP,
    CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER,
    CLONE_NEWUTS, CLONE_PARENT, CLONE_PARENT_SETTID, CLONE_PIDFD, CLONE_PTRACE, CLONE_SETTLS,
    CLONE_THREAD, CLONE_UNTRACED, CLONE_VFORK, CLONE_VM, EBUSY, ENOSYS, EPERM, F_GETLK, F_GETOWN,
    F_OFD_GETLK, F_SETOWN, FIOCLEX, FUTEX_CMP_REQUEUE_PI, FUTEX_LOCK_PI, FUTEX_LOCK_PI2,
    FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI, FUTEX_WAIT_REQUEUE_PI, GETPID, IPC_STAT, MAP_SHARED,
    MFD_CLOEXEC, NETLINK_CONNECTOR, O_ACCMODE, O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY, P_ALL,
    P_PGID, P_PID, P_PIDFD, PR_GET_CHILD_SUBREAPER, PR_SCHED_CORE, PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_PTRACER, PR_SET_SECCOMP, PROT_WRITE, SA_NOCLDWAIT,
    SA_RESETHAND, SIG_DFL, SIG_IGN, SIGCHLD, SIGEV_THREAD_ID, SIGKILL, SIGSTOP, SIGSYS, SIGTRAP,
    SO_PASSCRED, SO_PEERCRED, SOL_SOCKET, WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WSTOPPED,
    WUNTRACED,
};
pub use libc::{
    SYS_access, SYS_acct, SYS_capget, SYS_capset, SYS_chdir, SYS_clock_adjtime, SYS_clock_getres,
    SYS_clock_gettime, SYS_clock_nanosleep, SYS_clock_settime, SYS_clone, SYS_clone3,
    SYS_exit_group, SYS_faccessat, SYS_faccessat2, SYS_fanotify_init, SYS_fchdir, SYS_fcntl,
    SYS_fork, SYS_fstat, SYS_futex, SYS_get_robust_list, SYS_getcwd, SYS_getdents64, SYS_getpgid,
    SYS_getpgrp, SYS_getpid, SYS_getppid, SYS_getpriority, SYS_getsid, SYS_getsockopt, SYS_gettid,
    SYS_io_uring_enter, SYS_io_uring_register, SYS_io_uring_setup, SYS_ioctl, SYS_ioprio_get,
    SYS_ioprio_set, SYS_kcmp, SYS_kill, SYS_lstat, SYS_memfd_create, SYS_migrate_pages, SYS_mmap,
    SYS_mount, SYS_move_pages, SYS_msgctl, SYS_newfstatat, SYS_open, SYS_openat, SYS_openat2,
    SYS_pause, SYS_perf_event_open, SYS_pidfd_getfd, SYS_pidfd_open, SYS_pidfd_send_signal,
    SYS_prctl, SYS_prlimit64, SYS_process_madvise, SYS_process_mrelease, SYS_process_vm_readv,
    SYS_process_vm_writev, SYS_ptrace, SYS_pwrite64, SYS_read, SYS_readlink, SYS_readlinkat,
    SYS_reboot, SYS_recvmmsg, SYS_recvmsg, SYS_rt_sigaction, SYS_rt_sigqueueinfo,
    SYS_rt_sigtimedwait, SYS_rt_tgsigqueueinfo, SYS_sched_getaffinity, SYS_sched_getattr,
    SYS_sched_getparam, SYS_sched_getscheduler, SYS_sched_rr_get_interval, SYS_sched_setaffinity,
    SYS_sched_setattr, SYS_sched_setparam, SYS_sched_setscheduler, SYS_seccomp, SYS_semctl,
    SYS_set_tid_address, SYS_setfsuid, SYS_setns, SYS_setpgid, SYS_setpriority, SYS_setresuid,
    SYS_setreuid, SYS_setsid, SYS_setsockopt, SYS_setuid, SYS_shmat, SYS_shmctl, SYS_signalfd,
    SYS_signalfd4, SYS_socket, SYS_stat, SYS_statx, SYS_tgkill, SYS_timer_create, SYS_tkill,
    SYS_unshare, SYS_vfork, SYS_wait4, SYS_waitid, SYS_write,
};

#[expect(non_upper_case_globals, reason = "as the other names")]
/// listns(2), since Linux 6.19.
pub const SYS_listns: i64 = 470;

/// See perf_event_open(2).
pub const PERF_FLAG_PID_CGROUP: u32 = 1 << 2;

/// See seccomp(2).
pub const SECCOMP_FILTER_FLAG_NEW_LISTENER: u32 = 1 << 3;
/// See seccomp(2).
pub const SECCOMP_FILTER_FLAG_TSYNC: u64 = 1;
/// See seccomp(2).
pub const SECCOMP_SET_MODE_FILTER: u64 = 1;

/// See PR_GET_TID_ADDRESS(2const).
pub const PR_GET_TID_ADDRESS: i32 = 40;

/// See fcntl(2).
pub const F_SETOWN_EX: i32 = 15;
/// See fcntl(2).
pub const F_GETOWN_EX: i32 = 16;

// Libcs differ in the types of these.
/// See ioctl_tty(2).
pub const TIOCGPGRP: u64 = 0x540f;
/// See ioctl_tty(2).
pub const TIOCSPGRP: u64 = 0x5410;
/// See ioctl_tty(2).
pub const TIOCGSID: u64 = 0x5429;
/// See getpriority(2).
pub const PRIO_PROCESS: u32 = 0;
/// See getpriority(2).
pub const PRIO_PGRP: u32 = 1;
/// See getpriority(2).
pub const PRIO_USER: u32 = 2;

/// See ioctl(2), asm-generic/ioctls.h.
pub const FIOSETOWN: u64 = 0x8901;
/// See socket(7).
pub const SIOCSPGRP: u64 = 0x8902;
/// See ioctl(2).
pub const FIOGETOWN: u64 = 0x8903;
/// See socket(7).
pub const SIOCGPGRP: u64 = 0x8904;

/// The type byte of all requests on namespace files: ioctl_nsfs(2).
pub const NS_IOCTL_LETTER: u32 = 0xb7;
/// The type byte of all requests on pidfds: linux/pidfd.h.
pub const PIDFD_IOCTL_LETTER: u32 = 0xff;

/// See msgctl(2).
pub const MSG_STAT: i32 = 11;
/// See msgctl(2).
pub const MSG_STAT_ANY: i32 = 13;
/// See shmctl(2).
pub const SHM_STAT: i32 = 13;
/// See shmctl(2).
pub const SHM_STAT_ANY: i32 = 15;
