//! What a supervisor and its `pidns-init` say to each other.
//!
//! They share an `AF_UNIX` `SOCK_SEQPACKET` socket: one record a packet, fixed size, native byte order (both ends
//! run on one machine and come from one build). The supervisor sends one [`Config`] before it starts the image,
//! then [`Request`]s; the image answers with [`Event`]s. The thread that starts the image as [`Role::Init`] has to live
//! until the first of them: its end counts as the supervisor's while the command is not yet executed.
//!
//! This file is compiled twice: into the library, for the supervisor, and into the freestanding image.

use core::ffi::CStr;

/// The descriptor on which the image finds its end of the socket.
pub const CONTROL_FD: i32 = 3;

/// The descriptor on which the image finds a pidfd of the supervisor: readable once the supervisor is gone.
pub const WATCH_FD: i32 = 4;

/// The descriptor on which a [`Role::Visitor`] finds a pidfd of number 1 of the namespace that it is to enter, and a
/// [`Role::Keeper`] one of a process that it is to end with.
pub const TARGET_FD: i32 = 5;

/// The descriptor on which a [`Role::Visitor`] finds that number 1's root directory, with [`Entry::CHANGE_ROOT`].
pub const ROOT_FD: i32 = 6;

/// The descriptor on which a [`Role::Keeper`] may find the directory of the supervisor's own cgroup, with
/// [`Config::IN_CGROUP`].
pub const CGROUP_FD: i32 = 6;

/// The descriptor on which a [`Role::Guest`] finds the file with its command.
pub const PARCEL_FD: i32 = 5;

/// How many descriptors come with a [`RequestKind::Guest`]: the image, then what the guest finds on [`CONTROL_FD`],
/// [`WATCH_FD`], [`PARCEL_FD`], 0, 1 and 2.
pub const GUEST_DESCRIPTORS: usize = 7;

/// How many numbers, of 8 bytes each, the file on [`PARCEL_FD`] begins with: its size, the number of arguments, and that
/// of the environment's entries.
///
/// They are followed by the offsets of the arguments, a zero, those of the environment's entries, a zero; then come the
/// strings, each with its final zero, and one zero more. The first argument is the working directory, or empty for the
/// one that number 1 has; the second is the command's name.
pub const PARCEL_HEADER: usize = 3;

/// The first argument that tells the image that a supervisor speaks on [`CONTROL_FD`].
pub const SUPERVISED: &CStr = c"--supervised";

/// What the upper one of the two processes of a [`Role::Keeper`] calls itself: PR_SET_NAME(2const).
pub const WARDEN: &CStr = c"pidns-warden";

/// Marks a [`Config`] of this layout.
pub const MAGIC: u32 = 0x7069_6432;

/// What the image is to be.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Number 1 of a new PID namespace: starts the command, reaps, reports, and goes when the command or the
    /// supervisor has gone, which takes the namespace with it.
    Init = 1,
    /// A guard outside of the namespace, for a command that is number 1 itself: receives a pidfd of number 1 over
    /// the socket, enforces the time limit, and kills number 1 when the supervisor has gone.
    Guard = 2,
    /// No namespace, two processes: a child subreaper that starts the command as [`Init`](Self::Init) does, looks for
    /// all that it has left behind and kills it, and a second one above, which does the same should the first be
    /// killed. Both go when nothing is left.
    Keeper = 3,
    /// A process outside of a PID namespace that is there already: enters as the [`Entry`] says, which follows the
    /// [`Config`], and runs the command inside. The command goes when this process or the supervisor does.
    Visitor = 4,
    /// A child of number 1, which it has taken in for another supervisor than its own: runs a command from the file on
    /// [`PARCEL_FD`]. The command goes when this process or its supervisor does.
    Guest = 5,
}

/// The first record of the supervisor.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// [`MAGIC`].
    pub magic: u32,
    /// A [`Role`], as a number.
    pub role: u32,
    /// Bits: [`Config::HOLD`] and those after it.
    pub flags: u32,
    /// Sent to a command that is out of time, and to those it left behind, if [`grace_ns`](Self::grace_ns) is not 0.
    pub signal: u32,
    /// How long the command may run, in nanoseconds; 0 for ever.
    pub timeout_ns: u64,
    /// How long [`signal`](Self::signal) may take to work, in nanoseconds; 0 to destroy at once, without it.
    pub grace_ns: u64,
    /// The command's signal mask: bit n-1 blocks signal n.
    pub sigmask: u64,
    /// With [`INHERIT`](Self::INHERIT): where the command's own [`CONTROL_FD`] and [`WATCH_FD`] wait, until the command
    /// has them back; -1 for one that is to be closed.
    pub moved: [i32; 2],
}

impl Config {
    /// Flag: after [`EventKind::Exited`], leave all other processes alone until [`RequestKind::Go`] has come, so
    /// that the supervisor can look at them.
    pub const HOLD: u32 = 1;

    /// Flag: the command has all descriptors that the image was started with, but those that lead to the supervisor;
    /// without it, only 0, 1 and 2.
    pub const INHERIT: u32 = 2;

    /// Flag for a [`Role::Keeper`]: on [`TARGET_FD`] is a pidfd of another process, whose end is to be the command's.
    pub const WITH_TARGET: u32 = 4;

    /// Flag, for number 1: the end of the thread that has started it is its own, by PR_SET_PDEATHSIG(2const), not only
    /// until the command is executed.
    pub const BOUND: u32 = 8;

    /// Flag for a [`Role::Keeper`]: if [`CGROUP_FD`] is open, it is the directory of a cgroup, in which one for the command
    /// may be made.
    pub const IN_CGROUP: u32 = 16;
}

/// The second record to a [`Role::Visitor`].
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which namespaces of the process behind [`TARGET_FD`] to enter: `CLONE_NEW*`, as setns(2) takes them.
    pub namespaces: u32,
    /// Bits of [`Entry::CHANGE_ROOT`] and its like.
    pub flags: u32,
    /// The user to become, with [`Entry::SET_IDS`]: by its number inside.
    pub uid: u32,
    /// The group to become, with [`Entry::SET_IDS`].
    pub gid: u32,
    /// The working directory, by its path inside; a zero ends it.
    pub directory: [u8; Entry::DIRECTORY_SIZE],
}

impl Entry {
    /// The longest path that the kernel takes, with its zero: PATH_MAX.
    pub const DIRECTORY_SIZE: usize = 4096;
    /// Flag: what is on [`ROOT_FD`] is to be the root directory.
    pub const CHANGE_ROOT: u32 = 1;
    /// Flag: take on [`uid`](Self::uid) and [`gid`](Self::gid), and leave all other groups.
    pub const SET_IDS: u32 = 2;
    /// Flag: if the directory is not there, the root directory will do.
    pub const DIRECTORY_IF_POSSIBLE: u32 = 4;

    /// The record as it goes over the socket.
    pub fn to_bytes(&self) -> [u8; size_of::<Self>()] {
        let words = [self.namespaces, self.flags, self.uid, self.gid].map(u32::to_ne_bytes);
        let mut bytes = [0; size_of::<Self>()];
        let (first, second) = bytes.split_at_mut(16);
        first.copy_from_slice(words.as_flattened());
        second.copy_from_slice(&self.directory);
        bytes
    }
}

/// The steps of an entry, as [`EventKind::EnterFailed`] names them.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryStep {
    /// Entering the namespaces.
    Namespaces = 1,
    /// Changing the root directory.
    Root = 2,
    /// Taking on the ids.
    Ids = 3,
    /// Changing the working directory.
    Directory = 4,
}

/// What a supervisor asks of the image.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// Send the signal [`Request::value`] to the command.
    Signal = 1,
    /// The supervisor has seen what it wanted to see: go on to the end.
    Go = 2,
    /// The command is to end now: [`Config::signal`], then after [`Config::grace_ns`] SIGKILL.
    End = 3,
    /// Start the image on the first of [`GUEST_DESCRIPTORS`] descriptors as a child, with the others. It says to its own
    /// supervisor what becomes of it.
    Guest = 4,
}

/// A record from the supervisor, after [`Config`].
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// A [`RequestKind`], as a number. Unknown ones are passed over.
    pub kind: u32,
    /// A signal number for [`RequestKind::Signal`], else 0.
    pub value: u32,
}

/// What the image tells its supervisor.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The command's program has been executed; [`Event::pid`] is its number in the namespace.
    Started = 1,
    /// No process could be made for the command; [`Event::value`] is the errno. The image exits after this.
    ForkFailed = 2,
    /// The command's program could not be executed; [`Event::value`] is the errno. The image exits after this.
    ExecFailed = 3,
    /// The command has stopped by the signal [`Event::value`].
    Stopped = 4,
    /// The command goes on.
    Continued = 5,
    /// The command is out of time and has been told so.
    TimedOut = 6,
    /// The command has ended by itself with the exit code [`Event::value`].
    Exited = 7,
    /// The command has been ended by the signal [`Event::value`].
    Signaled = 8,
    /// There is a keeper, or a guest, [`Event::pid`], and the packet carries a pidfd of it. Comes first.
    Keeper = 9,
    /// The process [`Event::pid`] is left and will not go: it may not be killed, and [`Event::value`] is the errno, or
    /// it has been killed to no effect, and that is 0.
    Stuck = 10,
    /// The namespace could not be entered: the [`EntryStep`] [`Event::pid`] has failed, and [`Event::value`] is the
    /// errno. The image exits after this.
    EnterFailed = 11,
}

/// A record from the image.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// An [`EventKind`], as a number.
    pub kind: u32,
    /// The command's number in the namespace, where known.
    pub pid: i32,
    /// A signal, an exit code or an errno: see [`EventKind`].
    pub value: i32,
    /// With [`EventKind::Signaled`]: 1 if the command dumped core.
    pub core_dumped: u32,
    /// With an end: user CPU time of the command and those it waited for, in microseconds.
    pub user_us: u64,
    /// With an end: system CPU time, in microseconds.
    pub system_us: u64,
    /// With an end: the largest resident set, in kilobytes.
    pub max_rss_kb: u64,
}

impl Config {
    /// The record as it goes over the socket.
    pub fn to_bytes(&self) -> [u8; size_of::<Self>()] {
        let words = [self.magic, self.role, self.flags, self.signal].map(u32::to_ne_bytes);
        let longs = [self.timeout_ns, self.grace_ns, self.sigmask].map(u64::to_ne_bytes);
        let numbers = self.moved.map(i32::to_ne_bytes);
        let mut bytes = [0; size_of::<Self>()];
        let (first, rest) = bytes.split_at_mut(16);
        let (second, third) = rest.split_at_mut(24);
        first.copy_from_slice(words.as_flattened());
        second.copy_from_slice(longs.as_flattened());
        third.copy_from_slice(numbers.as_flattened());
        bytes
    }
}

impl Request {
    /// The record as it goes over the socket.
    pub fn to_bytes(&self) -> [u8; size_of::<Self>()] {
        let mut bytes = [0; size_of::<Self>()];
        bytes.copy_from_slice([self.kind, self.value].map(u32::to_ne_bytes).as_flattened());
        bytes
    }
}

impl Event {
    /// The record that came over the socket; `None` if it has another size.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; size_of::<Self>()] = bytes.try_into().ok()?;
        let (words, _) = bytes[..16].as_chunks::<4>();
        let (longs, _) = bytes[16..].as_chunks::<8>();
        let [kind, pid, value, core_dumped] = *words else { return None };
        let [user_us, system_us, max_rss_kb] = *longs else { return None };
        Some(Self {
            kind: u32::from_ne_bytes(kind),
            pid: i32::from_ne_bytes(pid),
            value: i32::from_ne_bytes(value),
            core_dumped: u32::from_ne_bytes(core_dumped),
            user_us: u64::from_ne_bytes(user_us),
            system_us: u64::from_ne_bytes(system_us),
            max_rss_kb: u64::from_ne_bytes(max_rss_kb),
        })
    }
}
