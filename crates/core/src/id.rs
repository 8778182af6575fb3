//! Identities. A task, thread group, pid object or namespace is named by a generational id that is
//! never used again; a number ([`Pid`]) means something only together with a namespace ([`Upid`]).
//!
//! Inside the crate the same things are named by a plain slot index (`TaskIx` ...), which is valid as long
//! as the thing is linked anywhere. Neighbours: `slab.rs` hands both out.

use core::fmt;
use core::num::NonZeroU32;

/// A slot index that fits `Option` without growing: the slab's `n`-th slot is stored as `n + 1`.
pub(crate) trait Index: Copy + Eq {
    /// Names the `slot`-th slot.
    fn from_slot(slot: u32) -> Self;
    /// Returns the slot that this index names.
    fn slot(self) -> u32;
}

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub(crate) struct $name(NonZeroU32);

        impl Index for $name {
            fn from_slot(slot: u32) -> Self {
                Self(NonZeroU32::MIN.saturating_add(slot))
            }
            fn slot(self) -> u32 {
                self.0.get() - 1
            }
        }
    )*};
}

index!(
    /// Slot of a task.
    TaskIx,
    /// Slot of a thread group.
    GroupIx,
    /// Slot of a pid object.
    PidIx,
    /// Slot of a namespace.
    NsIx,
    /// Slot of a queued signal.
    QueuedIx,
    /// Slot of a tracer-tracee pair.
    TraceIx
);

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident($ix:ident)),*) => {$(
        $(#[$doc])*
        ///
        /// Generational: it stays valid until the thing is released and is never given to another.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            slot: u32,
            generation: u32,
        }

        impl $name {
            pub(crate) fn new(ix: $ix, generation: u32) -> Self {
                Self { slot: ix.slot(), generation }
            }
            pub(crate) fn ix(self) -> $ix {
                $ix::from_slot(self.slot)
            }
            pub(crate) fn generation(self) -> u32 {
                self.generation
            }
            /// Packs the id into an integer, for an embedder that keeps it in a plain field.
            pub fn to_bits(self) -> u64 {
                u64::from(self.generation) << 32 | u64::from(self.slot)
            }
            /// Unpacks what [`to_bits`](Self::to_bits) gave. A value from elsewhere names nothing or something
            /// else, but is never unsound.
            pub fn from_bits(bits: u64) -> Self {
                Self { slot: bits as u32 & (u32::MAX >> 1), generation: (bits >> 32) as u32 }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({}.{})"), self.slot, self.generation)
            }
        }
    )*};
}

id!(
    /// Names a task: one thread of execution.
    TaskId(TaskIx),
    /// Names a thread group: a process.
    GroupId(GroupIx),
    /// Names a pid object: the thing that has a number per level and is held by the roles thread, process,
    /// process group and session. A pidfd refers to one.
    PidId(PidIx),
    /// Names a PID namespace.
    NsId(NsIx)
);

/// A number of a task, process, group or session in *some* namespace; never 0.
///
/// "Not visible from here" is `Option::None`, turned to 0 at the ABI edge only: [`Pid::raw_or_zero`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(NonZeroU32);

impl Pid {
    /// The number of a namespace's init.
    pub const INIT: Pid = Pid(NonZeroU32::MIN);

    /// Returns the number for a positive `raw`, `None` for anything else.
    ///
    /// ```
    /// assert_eq!(pidns_core::Pid::from_raw(1), Some(pidns_core::Pid::INIT));
    /// assert_eq!(pidns_core::Pid::from_raw(0), None);
    /// ```
    pub fn from_raw(raw: i32) -> Option<Pid> {
        u32::try_from(raw).ok().and_then(Pid::from_number)
    }

    /// Returns the number as the ABI has it.
    pub fn raw(self) -> i32 {
        self.0.get() as i32
    }

    /// Returns what a system call reports for a number that may be invisible: 0 then.
    pub fn raw_or_zero(pid: Option<Pid>) -> i32 {
        pid.map_or(0, Pid::raw)
    }

    pub(crate) fn from_number(number: u32) -> Option<Pid> {
        NonZeroU32::new(number).map(Pid)
    }

    pub(crate) fn number(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One number of a pid object: which namespace, and which number there (kernel: `struct upid`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Upid {
    /// The namespace in which `nr` means something.
    pub ns: NsId,
    /// The number.
    pub nr: Pid,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optional_index_is_as_small_as_an_index() {
        assert_eq!(size_of::<Option<TaskIx>>(), 4);
    }

    #[test]
    fn an_id_survives_being_packed() {
        let id = TaskId::new(TaskIx::from_slot(7), 3);
        assert_eq!(TaskId::from_bits(id.to_bits()), id);
    }
}
