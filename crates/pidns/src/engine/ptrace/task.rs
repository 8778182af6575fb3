//! What the tracer knows of each task and process: the host's side of what `pidns-core` knows.
//!
//! [`Stopped`] is a task in a ptrace-stop, held by value: whoever has it must let the task go on, and can do so once.

use std::collections::{BTreeSet, VecDeque};

use pidns_core::{GroupId, NsId, Pid, Reservation, TaskId};
use pidns_sys::cpu::Set;
use pidns_sys::ptrace::regs::Registers;
use pidns_sys::ptrace::{self, Resume, Tid};
use pidns_sys::signal::SignalSet;

use super::asked::Visit;
use super::procfs::listing::Listing;
use super::site::Switches;

/// A task that is stopped for its tracer.
#[must_use = "a stopped task stays stopped until it is resumed"]
#[derive(Debug)]
pub(super) struct Stopped(Tid);

impl Stopped {
    /// The event loop has just been told so.
    pub(super) fn new(tid: Tid) -> Self {
        Self(tid)
    }

    pub(super) fn tid(&self) -> Tid {
        self.0
    }

    /// Lets it run, with `signal` if that is not 0. A task that was killed meanwhile is resumed by that: its end is told
    /// by an event of its own, and so nothing is to be told here.
    pub(super) fn resume(self, how: Resume, signal: i32) {
        let _ = ptrace::resume(self.0, how, signal);
    }

    pub(super) fn run(self) {
        self.resume(Resume::Freely, 0);
    }

    /// Nothing is to be done: it goes on by itself.
    pub(super) fn leave(self) {}

    /// Leaves it in its group stop.
    pub(super) fn listen(self) {
        let _ = ptrace::listen(self.0);
    }
}

/// A task that the tracer has.
#[derive(Debug)]
pub(super) struct Task {
    /// Who it is.
    pub(super) id: TaskId,
    /// Its process, as the host numbers it.
    pub(super) process: Tid,
    pub(super) phase: Phase,
    /// It is in a group stop.
    pub(super) listening: bool,
    /// It has exited, which core is told when the host has collected it.
    pub(super) left: bool,
    pub(super) tid_address: TidAddress,
    /// Its process's memory is lent to a child, for which it waits.
    pub(super) lends: bool,
}

/// Where the kernel is to store a zero when the task ends, by set_tid_address(2). It does so only where others are in the
/// task's memory. So a program that begins gets its number from us, and the call is made when there is about to be
/// somebody: most programs never have anybody.
#[derive(Clone, Copy, Debug)]
pub(super) enum TidAddress {
    /// The kernel has it.
    Told,
    /// Nobody else has been in the memory since the program has begun. The kernel is to have this, if it is something.
    Owed(Option<u64>),
}

impl Task {
    pub(super) fn new(id: TaskId, process: Tid) -> Self {
        Self {
            id,
            process,
            phase: Phase::Running,
            listening: false,
            left: false,
            tid_address: TidAddress::Told,
            lends: false,
        }
    }

    /// It sleeps until another task has done something: a child to wait for, or one that borrows its memory.
    pub(super) fn waits_for_others(&self) -> bool {
        self.lends
            || matches!(
                self.phase,
                Phase::InCall(Pending {
                    after: After::Wait(_) | After::WaitInPause | After::Clone(_),
                    ..
                })
            )
    }
}

/// What a task is about, as far as the tracer has to remember it.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a task, and a box a call would cost more"
)]
pub(super) enum Phase {
    /// Its own code, or a call that is none of our business.
    Running,
    /// A call that the kernel does for it and that the tracer finishes.
    InCall(Pending),
    /// It is the last thread of an init, in its exit stop, until all others are gone.
    Held(Stopped),
}

/// How a call is finished.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) after: After,
    /// The registers at the entry, where the call's number or arguments were changed.
    pub(super) before: Option<Registers>,
    /// The call is one that we have made, and is yet to be entered.
    pub(super) entering: bool,
}

/// What is left to do when the kernel has done its part.
#[derive(Debug)]
pub(super) enum After {
    /// Nothing but to put the arguments back.
    Restore,
    /// The call was one that was owed: see [`TidAddress`]. Now the one that was asked for is made.
    Owed,
    /// The call returns this if it succeeds.
    Return(i64),
    /// The call has made a task, unless it failed.
    Clone(Newborn),
    /// The call has collected a child, or told of one.
    Wait(Wait),
    /// The call waits for a child that the kernel does not know as one. It is made to go on by an interrupt.
    WaitInPause,
    /// The caller leads a new session.
    Setsid,
    /// The process has moved to another group.
    Setpgid {
        /// As the caller names it.
        process: i32,
        /// As the caller names it.
        group: i32,
    },
    /// The rest of an unshare or setns: if the host refuses it, core's part is undone.
    Unshare {
        /// Where the caller's children went before.
        before: NsId,
    },
    /// The result is a number of the host's.
    Number(Meaning),
    /// A 32-bit number of the host's is stored there.
    Word(u64, Meaning),
    /// So many tasks' numbers of the host's are stored there.
    Words(u64, u64),
    /// A `struct f_owner_ex` is stored there.
    OwnerEx(u64),
    /// The descriptor is to be filled with this text.
    Fill(Vec<u8>),
    /// The process is about to need that filter.
    Filter(Filter),
    /// A message was received, with its header there.
    Message(u64),
    /// Records of a signalfd(2) have been stored there.
    SignalRecords(u64),
    /// The state of a file of a namespace is stored there.
    Stat {
        /// Where.
        at: u64,
        /// The namespace's inode.
        inode: u64,
        /// As statx(2) does.
        extended: bool,
    },
    /// The working directory was changed.
    Directory {
        /// To one in /proc.
        in_proc: bool,
    },
    /// The working directory has been stored there.
    Path {
        /// Where.
        buffer: u64,
        /// How much there is room for.
        size: u64,
    },
    /// A directory has been listed.
    List(Listing),
    /// A procfs was to be mounted on /proc.
    MountProc,
    /// A filter was to be installed.
    Filtered(Box<Install>),
    /// The promise has been made that the filter needs.
    Promised(Box<Install>),
    /// A signal's information is stored there.
    Signal(u64),
    /// The memory is as before: it was changed for the kernel to read.
    Undo(u64, Vec<u8>),
}

impl After {
    /// Whether the task stops for a signal when the call has ended.
    pub(super) fn ends_in_signal(&self) -> bool {
        matches!(self, Self::Wait(wait) if wait.ends_in_signal)
    }
}

/// A filter that a task is made to install.
#[derive(Debug)]
pub(super) struct Install {
    pub(super) filter: Filter,
    /// What the task goes on with.
    pub(super) registers: Registers,
    /// The signals that it blocks but for this.
    pub(super) mask: SignalSet,
}

/// A filter that a process gets when it needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// For walks through /proc by descriptor.
    Walker,
    /// For a working directory in /proc.
    Visitor,
    /// For writes to sysctls.
    Writer,
    /// For signals that are read from a descriptor.
    Reader,
    /// For messages with credentials.
    Receiver,
    /// For what is done with SIGCHLD, by processes that have ignored it.
    Ignorer,
}

impl Filter {
    /// All of them.
    pub(super) const ALL: [Self; 6] =
        [Self::Walker, Self::Visitor, Self::Writer, Self::Reader, Self::Receiver, Self::Ignorer];
}

/// What a number is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A task, or a process.
    Task,
    /// A process group.
    Group,
    /// A session.
    Session,
    /// A process, or a process group if negative.
    Owner,
}

/// What of a wait is to be finished.
#[derive(Debug)]
pub(super) struct Wait {
    /// Where the status, or the information, is stored; 0 for nowhere.
    pub(super) at: u64,
    pub(super) kind: WaitKind,
    /// What was at the end of the stack where the information was put, to be put back.
    pub(super) scratch: Option<(u64, Vec<u8>)>,
    /// With whatever ends it comes a signal, and so a stop: it needs none of its own.
    pub(super) ends_in_signal: bool,
}

/// By which call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitKind {
    /// wait4(2): the number is the result.
    Wait4,
    /// waitid(2): the number is in the information.
    Waitid {
        /// The child stays to be waited for.
        peek: bool,
    },
}

/// A task between its reservation and its birth.
#[derive(Debug)]
pub(super) struct Newborn {
    /// By which it names its maker.
    pub(super) token: u64,
    /// Where it may run, if it begins on the tracer's cpu: see [`affinity`](super::affinity).
    pub(super) cpus: Option<Set>,
    /// Taken when the host has made it.
    pub(super) reservation: Option<Reservation>,
    /// As its parent sees it.
    pub(super) number: i32,
    pub(super) is_thread: bool,
    /// The child is a process of its own that runs in its parent's memory.
    pub(super) shares_memory: bool,
    /// The parent does not run meanwhile.
    pub(super) suspends: bool,
    pub(super) shares_parent: bool,
    /// Where the parent wants the number, or 0.
    pub(super) parent_tid: u64,
    /// Where the child wants its own number, or 0.
    pub(super) child_tid: u64,
}

/// What a child does at its first stop.
#[derive(Debug)]
pub(super) struct Birth {
    /// Where it wants its own number, or 0.
    pub(super) child_tid: u64,
    /// It is another process, in its maker's memory.
    pub(super) shares_memory: bool,
    /// Its maker's registers, before they were changed for the call.
    pub(super) registers: Option<Registers>,
}

/// A process that the tracer has.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) group: GroupId,
    /// The number of its namespace's init?
    pub(super) number: Option<Pid>,
    /// The host's number of the process that the kernel has as its parent.
    pub(super) parent: Tid,
    /// Children, by core, that the kernel does not have as such. Their ends have to be told by us.
    pub(super) adopted: u32,
    /// Children, by the kernel, that have ended and that core has never had.
    pub(super) strangers: u32,
    pub(super) threads: BTreeSet<Tid>,
    /// Which filters it has beyond the first, in the order of [`Filter::ALL`].
    pub(super) filters: [bool; Filter::ALL.len()],
    /// Its working directory is in /proc.
    pub(super) in_proc: Option<Visit>,
    /// SIGCHLD is ignored: the kernel collects its children.
    pub(super) ignores_children: bool,
    /// It runs in another process's memory, as after vfork(2).
    pub(super) borrows_memory: bool,
    /// The task that does not run while this process is in its memory, and is not in a call that we know of.
    pub(super) suspends: Option<Tid>,
    /// The code in its memory that depends on who runs there.
    pub(super) switches: Switches,
    /// It may have a filter of its own.
    pub(super) is_filtered: bool,
    /// It stops before its end: see [`robust`](super::robust).
    pub(super) stops_at_end: bool,
    /// Its children that ended last, with the numbers by which it knew them: a SIGCHLD may tell of one that is gone.
    pub(super) ended: VecDeque<(Tid, i32)>,
    /// Who has it as a child though the host has not.
    pub(super) adopter: Option<Tid>,
}

impl Process {
    /// Notes the end of a child.
    pub(super) fn remember(&mut self, child: Tid, number: i32) {
        const MOST: usize = 16;
        if self.ended.len() == MOST {
            self.ended.pop_front();
        }
        self.ended.push_back((child, number));
    }

    /// Says whether a child of this number has ended.
    pub(super) fn had(&self, number: i32) -> bool {
        self.ended.iter().any(|(_, known)| *known == number)
    }

    /// The number of a child that has ended.
    pub(super) fn recall(&self, child: i32) -> Option<i32> {
        self.ended.iter().rev().find(|(tid, _)| tid.number() == child).map(|(_, number)| *number)
    }

    /// Whether it has a filter already.
    pub(super) fn filtered(&mut self, filter: Filter) -> &mut bool {
        &mut self.filters[filter as usize]
    }

    /// Says whether it is number 1 of its namespace.
    pub(super) fn is_init(&self) -> bool {
        self.number == Some(Pid::INIT)
    }
}
