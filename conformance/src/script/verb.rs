//! The calls that an actor can be told to make, and what each takes.
//!
//! One table is all that parser, printer and wire format know of a call: the worlds alone know what it does.

use crate::script::words::{self, Words};

/// What a parameter means.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// The name of an actor that the call makes.
    NewActor,
    /// A number, or the name of an actor, for its number as the caller sees it; a minus sign in front for a group.
    Pid,
    /// The name of a descriptor that the call makes.
    NewFd,
    /// The name of a descriptor, or its number.
    Fd,
    /// A number of a process or the name of a descriptor.
    PidOrFd,
    /// A plain number.
    Int,
    /// A signal by name or number.
    Signal,
    /// Any number of signals: a set, bit n-1 for signal n.
    Signals,
    /// One of some words.
    One(Words),
    /// Any number of words, or'ed.
    Flags(Words),
    /// Numbers or actors, separated by commas.
    List,
}

/// A parameter of a call: positional if it has no key, otherwise written `key=value` and optional.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The key before the equals sign.
    pub key: Option<&'static str>,
    /// What it means.
    pub kind: Kind,
}

/// How far the effects of a call can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It changes nothing outside the caller: nobody has to be waited for.
    Self_,
    /// It may change others.
    Others,
}

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// The call.
    pub verb: Verb,
    /// Its name in scripts and on the wire.
    pub name: &'static str,
    /// How far it reaches.
    pub reach: Reach,
    /// What it takes.
    pub parameters: &'static [Parameter],
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $verb:ident $name:literal $reach:ident [$($parameter:expr),*];)*) => {
        /// A call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Verb { $($(#[$doc])* $verb,)* }

        /// Every call.
        pub const VERBS: &[Signature] = &[$(Signature {
            verb: Verb::$verb, name: $name, reach: Reach::$reach, parameters: &[$($parameter),*],
        },)*];
    };
}

const fn plain(kind: Kind) -> Parameter {
    Parameter { key: None, kind }
}

const fn keyed(key: &'static str, kind: Kind) -> Parameter {
    Parameter { key: Some(key), kind }
}

const PID: Parameter = plain(Kind::Pid);
const INT: Parameter = plain(Kind::Int);
const FD: Parameter = plain(Kind::Fd);
const NEW_FD: Parameter = plain(Kind::NewFd);
const NEW: Parameter = plain(Kind::NewActor);
const SIGNAL: Parameter = plain(Kind::Signal);
const SIGNALS: Parameter = plain(Kind::Signals);

verbs! {
    /// clone3(2) with nothing but SIGCHLD.
    Fork "fork" Others [NEW];
    /// vfork(2).
    Vfork "vfork" Others [NEW];
    /// clone3(2).
    Clone "clone" Others [NEW, plain(Kind::Flags(words::CLONE)), keyed("exit", Kind::Signal), keyed("set_tid", Kind::List),
        keyed("pidfd", Kind::NewFd), keyed("size", Kind::Int), keyed("cgroup", Kind::Int)];
    /// clone(2), the old one.
    OldClone "oldclone" Others [NEW, plain(Kind::Flags(words::CLONE)), keyed("exit", Kind::Signal), keyed("pidfd", Kind::NewFd)];
    /// A thread made as pthread_create(3) does.
    Thread "thread" Others [NEW];
    /// Forks so many children that do nothing; answers with the number made and the error that stopped it.
    Crowd "crowd" Others [INT];
    /// The number stored by `CLONE_CHILD_SETTID` when the caller was made.
    ChildTid "child_tid" Self_ [];
    /// execve(2) of the actor's own program.
    Exec "exec" Others [];
    /// exit(2), the system call: ends one thread.
    Exit "exit" Others [INT];
    /// exit_group(2).
    ExitGroup "exit_group" Others [INT];
    /// kill(2).
    Kill "kill" Others [PID, SIGNAL];
    /// tkill(2).
    Tkill "tkill" Others [PID, SIGNAL];
    /// tgkill(2).
    Tgkill "tgkill" Others [PID, PID, SIGNAL];
    /// rt_sigqueueinfo(2); the code is `SI_QUEUE` and the sender 0 unless given.
    Sigqueue "sigqueue" Others [PID, SIGNAL, keyed("code", Kind::One(words::SI)), keyed("sender", Kind::Pid)];
    /// Reads memory that is not there: a real fault, with SIGSEGV.
    Fault "fault" Others [];
    /// pidfd_send_signal(2).
    PidfdSendSignal "pidfd_send_signal" Others [FD, SIGNAL];
    /// sigaction(2).
    Sigaction "sigaction" Others [SIGNAL, plain(Kind::One(words::DISPOSITION)), plain(Kind::Flags(words::SA))];
    /// sigprocmask(2).
    Sigmask "sigmask" Others [plain(Kind::One(words::MASK)), SIGNALS];
    /// sigpending(2).
    Sigpending "sigpending" Self_ [];
    /// sigtimedwait(2) that does not wait.
    Sigpoll "sigpoll" Self_ [SIGNALS];
    /// sigwaitinfo(2).
    Sigwait "sigwait" Others [SIGNALS];
    /// What the handlers of the caller's process have seen since it was last asked.
    Caught "caught" Self_ [];
    /// wait4(2).
    Wait "wait" Others [PID, plain(Kind::Flags(words::WAIT))];
    /// waitid(2).
    Waitid "waitid" Others [plain(Kind::One(words::WAITID)), plain(Kind::PidOrFd), plain(Kind::Flags(words::WAIT))];
    /// getpid(2).
    Getpid "getpid" Self_ [];
    /// gettid(2).
    Gettid "gettid" Self_ [];
    /// getppid(2).
    Getppid "getppid" Self_ [];
    /// getpgid(2).
    Getpgid "getpgid" Self_ [PID];
    /// getsid(2).
    Getsid "getsid" Self_ [PID];
    /// setsid(2).
    Setsid "setsid" Others [];
    /// setpgid(2).
    Setpgid "setpgid" Others [PID, PID];
    /// sched_getscheduler(2), for its lookup of the number.
    SchedGet "sched_getscheduler" Self_ [PID];
    /// unshare(2).
    Unshare "unshare" Others [plain(Kind::Flags(words::CLONE))];
    /// setns(2).
    Setns "setns" Others [FD, plain(Kind::Flags(words::CLONE))];
    /// open(2) of a link in /proc/PID/ns; 0 is the caller itself.
    OpenNs "openns" Self_ [NEW_FD, PID, plain(Kind::One(words::LINK))];
    /// close(2).
    Close "close" Others [FD];
    /// pidfd_open(2).
    PidfdOpen "pidfd_open" Self_ [NEW_FD, PID, plain(Kind::Flags(words::PIDFD))];
    /// poll(2) of a pidfd.
    PidfdPoll "pidfd_poll" Self_ [FD];
    /// The ioctl `PIDFD_GET_INFO`.
    PidfdInfo "pidfd_info" Self_ [FD, plain(Kind::Flags(words::PIDFD_INFO))];
    /// The ioctls of a pidfd that open a namespace.
    PidfdNs "pidfd_ns" Self_ [NEW_FD, FD, plain(Kind::One(words::LINK)), keyed("argument", Kind::Int)];
    /// The ioctl `NS_GET_NSTYPE`.
    NsType "ns_type" Self_ [FD];
    /// The ioctl `NS_GET_PARENT`.
    NsParent "ns_parent" Self_ [NEW_FD, FD];
    /// The ioctl `NS_GET_OWNER_UID` or another without data.
    NsIoctl "ns_ioctl" Self_ [FD, INT];
    /// The ioctl `NS_GET_PID_FROM_PIDNS`.
    NsPidFrom "ns_pid_from" Self_ [FD, PID];
    /// The ioctl `NS_GET_TGID_FROM_PIDNS`.
    NsTgidFrom "ns_tgid_from" Self_ [FD, PID];
    /// The ioctl `NS_GET_PID_IN_PIDNS`.
    NsPidIn "ns_pid_in" Self_ [FD, PID];
    /// The ioctl `NS_GET_TGID_IN_PIDNS`.
    NsTgidIn "ns_tgid_in" Self_ [FD, PID];
    /// ptrace(2) `PTRACE_SEIZE`: the caller traces a thread, which runs on.
    Seize "seize" Others [PID];
    /// Whether two descriptors name the same namespace, by `NS_GET_ID`.
    NsSame "ns_same" Self_ [FD, FD];
    /// prctl(2) `PR_SET_CHILD_SUBREAPER`.
    SetSubreaper "set_subreaper" Self_ [INT];
    /// prctl(2) `PR_GET_CHILD_SUBREAPER`.
    GetSubreaper "get_subreaper" Self_ [];
    /// prctl(2) `PR_SET_PDEATHSIG`.
    SetPdeathsig "set_pdeathsig" Self_ [SIGNAL];
    /// prctl(2) `PR_GET_PDEATHSIG`.
    GetPdeathsig "get_pdeathsig" Self_ [];
    /// reboot(2).
    Reboot "reboot" Others [plain(Kind::One(words::REBOOT)), keyed("magic", Kind::Int)];
    /// Reads /proc/sys/kernel/ns_last_pid.
    GetLastPid "get_last_pid" Self_ [];
    /// Writes /proc/sys/kernel/ns_last_pid.
    SetLastPid "set_last_pid" Self_ [INT];
    /// Reads /proc/sys/kernel/pid_max.
    GetPidMax "get_pid_max" Self_ [];
    /// Writes /proc/sys/kernel/pid_max.
    SetPidMax "set_pid_max" Self_ [INT];
}

impl Verb {
    /// Returns the table line of this call.
    #[must_use]
    pub fn signature(self) -> &'static Signature {
        &VERBS[self as usize]
    }

    /// Returns the call named `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        VERBS.iter().find(|line| line.name == name).map(|line| line.verb)
    }

    /// Reports whether the call ends with another program or another task in place of the caller's answer.
    #[must_use]
    pub fn makes_actor(self) -> bool {
        self.signature().parameters.iter().any(|parameter| matches!(parameter.kind, Kind::NewActor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum_and_names_are_unique() {
        for (index, line) in VERBS.iter().enumerate() {
            assert_eq!(line.verb as usize, index);
            assert_eq!(Verb::named(line.name), Some(line.verb));
        }
    }
}
