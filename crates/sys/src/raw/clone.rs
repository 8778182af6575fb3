//! clone(2), clone3(2) and process ends in their raw form, for a process that plays a script of system calls.
//!
//! Neighbours: [`super::wait`] collects what is made here.
//!
//! The calls here copy the process as the kernel does and run no `pthread_atfork` handlers. The caller must see to it that no
//! other thread is inside the allocator at that moment; otherwise the child may wait for a lock for ever (it cannot corrupt
//! memory).

use super::errno::{RawErrno, check};
use std::ffi::CString;
use std::os::fd::{FromRawFd, OwnedFd};

/// What to ask of clone3(2).
#[derive(Clone, Debug, Default)]
pub struct CloneRequest<'a> {
    /// `CLONE_*` bits; must not have `CLONE_VM` unless the kernel is to refuse the call.
    pub flags: u64,
    /// The signal that the parent gets when the child ends, 0 for none.
    pub exit_signal: i32,
    /// Numbers wanted, innermost namespace first ("set_tid" in clone3(2)).
    pub set_tid: &'a [i32],
    /// The size of `struct clone_args` to claim; `None` for all that this wrapper knows.
    pub size: Option<usize>,
    /// Where `CLONE_INTO_CGROUP` places the child.
    pub cgroup: u64,
}

/// On which side of the clone the caller finds itself.
#[derive(Debug)]
pub enum Cloned {
    /// In the parent.
    Parent {
        /// The child's number as the parent sees it.
        child: i32,
        /// The number that `CLONE_PARENT_SETTID` stored, or 0.
        parent_tid: i32,
        /// The descriptor that `CLONE_PIDFD` made.
        pidfd: Option<OwnedFd>,
    },
    /// In the child.
    Child {
        /// The number that `CLONE_CHILD_SETTID` stored, or 0.
        child_tid: i32,
    },
}

/// The bits of clone(2) under which the child would run on the memory of its parent.
const SHARES_MEMORY: u64 = libc::CLONE_VM as u64;

/// Calls clone3(2) so that the child goes on from here on a copy of the memory.
///
/// # Errors
/// Those of clone3(2). `EINVAL` without asking the kernel for `CLONE_VM` without `CLONE_THREAD` or with `CLONE_THREAD` in a
/// combination that the kernel would accept: a child on shared memory needs a stack, see [`clone_shared`].
pub fn clone3(request: &CloneRequest<'_>) -> Result<Cloned, RawErrno> {
    let mut parent_tid: i32 = 0;
    let mut child_tid: i32 = 0;
    let mut pidfd: i32 = -1;
    if request.flags & SHARES_MEMORY != 0 && !is_refused(request.flags) {
        return Err(RawErrno(libc::EINVAL));
    }
    // SAFETY: `clone_args` is a plain structure of integers, for which zero is a valid value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = request.flags;
    args.exit_signal = request.exit_signal as u64;
    args.parent_tid = &raw mut parent_tid as u64;
    args.child_tid = &raw mut child_tid as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.cgroup = request.cgroup;
    if !request.set_tid.is_empty() {
        args.set_tid = request.set_tid.as_ptr() as u64;
        args.set_tid_size = request.set_tid.len() as u64;
    }
    let size =
        request.size.unwrap_or(size_of::<libc::clone_args>()).min(size_of::<libc::clone_args>());
    // SAFETY: the pointers in `args` name live variables of this frame. Memory is copied, not shared (checked above), so that
    // the child owns a frame of its own.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size) };
    match check(result)? {
        // The kernel writes the child's memory behind the compiler's back.
        0 => {
            let stored = std::hint::black_box(&raw const child_tid);
            // SAFETY: points to the live local above.
            let child_tid = unsafe { stored.read_volatile() };
            Ok(Cloned::Child { child_tid })
        }
        child => Ok(Cloned::Parent { child: child as i32, parent_tid, pidfd: owned(pidfd) }),
    }
}

/// Calls the old clone(2), which has the exit signal in the low byte of `flags` and no room for numbers.
///
/// # Errors
/// Those of clone(2); `EINVAL` for `CLONE_VM`, as for [`clone3`].
#[doc(alias = "clone")]
pub fn clone_old(flags: u64, exit_signal: i32) -> Result<Cloned, RawErrno> {
    let mut parent_tid: i32 = 0;
    let mut child_tid: i32 = 0;
    if flags & SHARES_MEMORY != 0 && !is_refused(flags) {
        return Err(RawErrno(libc::EINVAL));
    }
    let bits = flags | (exit_signal as u64 & 0xff);
    // SAFETY: no stack is given and memory is copied, so that the child goes on in its own copy of this frame; the pointers
    // name live variables of it. On x86_64 and aarch64 both id pointers are written as the flags ask; the pidfd shares the
    // parent's.
    let result = unsafe { old_syscall(bits, &raw mut parent_tid, &raw mut child_tid) };
    let wants_pidfd = flags & libc::CLONE_PIDFD as u64 != 0;
    match check(result)? {
        0 => {
            let stored = std::hint::black_box(&raw const child_tid);
            // SAFETY: points to the live local above.
            let child_tid = unsafe { stored.read_volatile() };
            Ok(Cloned::Child { child_tid })
        }
        child if wants_pidfd => {
            Ok(Cloned::Parent { child: child as i32, parent_tid: 0, pidfd: owned(parent_tid) })
        }
        child => Ok(Cloned::Parent { child: child as i32, parent_tid, pidfd: None }),
    }
}

/// Calls clone(2) with the argument order of this machine.
unsafe fn old_syscall(bits: u64, parent_tid: *mut i32, child_tid: *mut i32) -> libc::c_long {
    let none = std::ptr::null_mut::<libc::c_void>();
    if cfg!(target_arch = "x86_64") {
        // SAFETY: passed on from the caller.
        unsafe { libc::syscall(libc::SYS_clone, bits, none, parent_tid, child_tid, none) }
    } else {
        // SAFETY: passed on from the caller.
        unsafe { libc::syscall(libc::SYS_clone, bits, none, parent_tid, none, child_tid) }
    }
}

/// Reports whether the kernel refuses `flags` for sure: threads in a new namespace, or without their companions.
fn is_refused(flags: u64) -> bool {
    let has = |bit: i32| flags & bit as u64 != 0;
    has(libc::CLONE_THREAD) && (has(libc::CLONE_NEWPID) || !has(libc::CLONE_SIGHAND))
}

fn owned(fd: i32) -> Option<OwnedFd> {
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows it.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The stack of a child that shares the memory of its parent.
const CHILD_STACK: usize = 256 * 1024;

/// Calls clone(2) with `CLONE_VM`: the child runs `entry(argument)` on a stack of its own and must never return.
///
/// With `CLONE_VFORK` the caller sleeps until the child has executed another program or ended, and child and caller use the
/// same thread-local storage in turn. Without it the child runs beside the caller and must use neither thread-local storage
/// nor the allocator: `entry` may do nothing but raw system calls.
///
/// The stack is never given back, because nobody can tell when the child has left it.
///
/// # Errors
/// Those of clone(2).
#[doc(alias = "vfork")]
pub fn clone_shared<T: Sync + 'static>(
    flags: u64,
    exit_signal: i32,
    entry: fn(&'static T) -> !,
    argument: &'static T,
) -> Result<i32, RawErrno> {
    let bits = (flags | SHARES_MEMORY) as i32 | (exit_signal & 0xff);
    if flags & libc::CLONE_THREAD as u64 != 0 {
        return Err(RawErrno(libc::EINVAL));
    }
    // SAFETY: a fresh private mapping; a failure is checked below.
    let stack = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            CHILD_STACK,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK,
            -1,
            0,
        )
    };
    if stack == libc::MAP_FAILED {
        return Err(RawErrno::last());
    }
    // SAFETY: within the mapping, one past its end, which is where a stack that grows down starts.
    let top = unsafe { stack.byte_add(CHILD_STACK) };
    let start = Box::leak(Box::new(Start { entry, argument }));
    // SAFETY: `top` is the end of a writable mapping that stays for ever, and so does `start`.
    let child = unsafe { libc::clone(run_start::<T>, top, bits, (&raw mut *start).cast()) };
    check(child.into()).map(|child| child as i32)
}

/// What a child of [`clone_shared`] is to run.
struct Start<T: 'static> {
    entry: fn(&'static T) -> !,
    argument: &'static T,
}

extern "C" fn run_start<T: Sync + 'static>(start: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `clone_shared` passes a leaked `Start` of the same type.
    let Start { entry, argument } = unsafe { &*start.cast::<Start<T>>() };
    entry(argument)
}

/// Ends the calling thread alone, as exit(2) (the system call, not the library function) does.
#[doc(alias = "SYS_exit")]
pub fn exit_thread(status: i32) -> ! {
    loop {
        // SAFETY: the calling thread ends here; nothing on its stack is used by others, who only get at values that were
        // moved to them.
        unsafe { libc::syscall(libc::SYS_exit, status) };
    }
}

/// Ends all threads of the process, see exit_group(2).
pub fn exit_group(status: i32) -> ! {
    // SAFETY: _exit runs no handlers and does not return.
    unsafe { libc::_exit(status) }
}

/// A program with its arguments, prepared so that executing it needs no memory.
#[derive(Debug)]
pub struct Program {
    words: Vec<CString>,
}

impl Program {
    /// Prepares `words`; the first is the path.
    ///
    /// # Errors
    /// `EINVAL` if a word has a zero byte or there are more than [`Self::MAX_WORDS`] or none.
    pub fn new(words: &[&str]) -> Result<Self, RawErrno> {
        let words: Result<Vec<_>, _> = words.iter().map(|word| CString::new(*word)).collect();
        let words = words.map_err(|_| RawErrno(libc::EINVAL))?;
        let fits = (1..=Self::MAX_WORDS).contains(&words.len());
        fits.then_some(Self { words }).ok_or(RawErrno(libc::EINVAL))
    }

    /// The most words.
    pub const MAX_WORDS: usize = 15;

    /// Replaces the running program by this one, with an empty environment, see execve(2). Returns only when that failed.
    #[doc(alias = "execve")]
    pub fn exec(&self) -> RawErrno {
        let mut pointers = [std::ptr::null(); Self::MAX_WORDS + 1];
        for (pointer, word) in pointers.iter_mut().zip(&self.words) {
            *pointer = word.as_ptr();
        }
        // SAFETY: both arrays end in a null pointer and hold pointers to terminated strings that outlive the call.
        unsafe { libc::execve(pointers[0], pointers.as_ptr(), [std::ptr::null()].as_ptr()) };
        RawErrno::last()
    }
}
