//! What runs between clone and exec, in the caller's memory: system calls only. No allocation, no lock, no panic.

use std::ffi::{CStr, c_char, c_void};
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::Ordering;

use super::{OnFailure, Shared, ShellArgs, Step};
use crate::signal::{Signal, SignalSet};
use crate::{Errno, Result};

/// Does the steps. Comes back by exec or exit only.
pub(super) extern "C" fn main(shared: *mut c_void) -> ! {
    // SAFETY: the parent passes its `Shared`, and is suspended for as long as we are here.
    let shared = unsafe { &*shared.cast_const().cast::<Shared<'_>>() };
    for (index, (step, on_failure)) in (0i32..).zip(shared.steps) {
        let Err(errno) = perform(step) else { continue };
        match on_failure {
            OnFailure::Skip => {
                let bit = 1u64.checked_shl(index.unsigned_abs()).unwrap_or(0);
                shared.skipped.fetch_or(bit, Ordering::Relaxed);
            }
            OnFailure::Fail => {
                shared.errno.store(errno.raw_os_error(), Ordering::Relaxed);
                shared.failed_step.store(index, Ordering::Relaxed);
                break;
            }
        }
    }
    loop {
        // SAFETY: ends this process, which shares memory but no thread group with the parent.
        unsafe { libc::syscall(libc::SYS_exit_group, 127) };
    }
}

fn perform(step: &Step<'_>) -> Result<()> {
    match *step {
        Step::Write { path, data } => write_file(path, data),
        Step::IsolateMounts => mount(c"none", c"/", ptr::null(), libc::MS_REC | libc::MS_SLAVE),
        Step::MountProc => {
            let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
            mount(c"proc", c"/proc", c"proc".as_ptr(), flags)
        }
        Step::ChangeDirectory(path) => {
            // SAFETY: a C string.
            done(unsafe { libc::syscall(libc::SYS_chdir, path.as_ptr()) })
        }
        Step::Keep(fd) => keep(fd),
        // SAFETY: two numbers; what `to` was is meant to be replaced.
        Step::Place { from, to } => done(unsafe { libc::syscall(libc::SYS_dup3, from, to, 0) }),
        // SAFETY: changes flags of this process's own descriptor table.
        Step::CloseOnExecFrom(first) => done(unsafe {
            libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
        }),
        Step::DefaultAction(signal) => default_action(signal),
        Step::SignalMask(set) => signal_mask(set),
        Step::Introduce(socket) => introduce(socket),
        // SAFETY: numbers.
        Step::ParentDeathSignal(signal) => done(unsafe {
            libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, signal.number(), 0, 0, 0)
        }),
        Step::NoNewPrivileges => crate::seccomp::no_new_privileges(),
        Step::Restrict(ruleset) => ruleset.restrict(),
        Step::Filter(program) => program.install(),
        Step::FilterListening { program, socket } => {
            send_descriptor(socket, program.install_listening()?)
        }
        Step::ExecuteDescriptor { program, args, env } => {
            // SAFETY: null-terminated arrays of C strings that outlive the call.
            done(unsafe {
                libc::syscall(
                    libc::SYS_execveat,
                    program,
                    c"".as_ptr(),
                    args.as_ptr(),
                    env.as_ptr(),
                    libc::AT_EMPTY_PATH,
                )
            })
        }
        Step::Execute { paths, args, env, shell } => {
            Err(search(paths, args.as_ptr(), env.as_ptr(), shell))
        }
    }
}

fn call(ret: i64) -> Result<i64> {
    crate::signal::check(ret)
}

fn done(ret: i64) -> Result<()> {
    call(ret).map(drop)
}

fn write_file(path: &CStr, data: &[u8]) -> Result<()> {
    let flags = libc::O_WRONLY | libc::O_CLOEXEC;
    // SAFETY: a C string, and a buffer with its length; the descriptor is our own.
    unsafe {
        let fd = call(libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0))?;
        let written = call(libc::syscall(libc::SYS_write, fd, data.as_ptr(), data.len()));
        libc::syscall(libc::SYS_close, fd);
        written.map(drop)
    }
}

fn mount(source: &CStr, target: &CStr, kind: *const c_char, flags: libc::c_ulong) -> Result<()> {
    // SAFETY: C strings, or null where mount(2) allows it.
    done(unsafe {
        libc::syscall(
            libc::SYS_mount,
            source.as_ptr(),
            target.as_ptr(),
            kind,
            flags,
            ptr::null::<c_void>(),
        )
    })
}

fn keep(fd: RawFd) -> Result<()> {
    // SAFETY: clears a flag of a descriptor.
    match done(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_SETFD, 0) }) {
        Err(Errno::BADF) => Ok(()),
        result => result,
    }
}

/// `struct sigaction` as the kernel has it, all default.
#[repr(C)]
struct KernelSigaction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

fn default_action(signal: Signal) -> Result<()> {
    let action = KernelSigaction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
    // SAFETY: a live structure of the kernel's layout, and the size of its mask.
    done(unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal.number(),
            &raw const action,
            ptr::null::<c_void>(),
            8usize,
        )
    })
}

fn signal_mask(set: SignalSet) -> Result<()> {
    let bits = set.bits();
    // SAFETY: eight bytes, as said.
    done(unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const bits,
            ptr::null::<c_void>(),
            8usize,
        )
    })
}

/// A control message with one descriptor, laid out as cmsg(3) says.
#[repr(C)]
struct OneDescriptor {
    header: libc::cmsghdr,
    fd: RawFd,
}

fn introduce(socket: RawFd) -> Result<()> {
    // SAFETY: numbers; the pidfd is our own, and goes with the exec.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::syscall(libc::SYS_getpid), 0) };
    send_descriptor(socket, call(pidfd)? as RawFd)?;
    let mut byte = 0u8;
    // SAFETY: one live byte.
    match call(unsafe { libc::syscall(libc::SYS_read, socket, &raw mut byte, 1usize) })? {
        0 => Err(Errno::PIPE),
        _ => Ok(()),
    }
}

/// Sends a copy of a descriptor with a byte.
fn send_descriptor(socket: RawFd, fd: RawFd) -> Result<()> {
    let mut byte = 0u8;
    // SAFETY: all structures are live and of the sizes given; zero is a value of each.
    unsafe {
        let mut control: OneDescriptor = core::mem::zeroed();
        control.header.cmsg_level = libc::SOL_SOCKET;
        control.header.cmsg_type = libc::SCM_RIGHTS;
        control.header.cmsg_len = (size_of::<libc::cmsghdr>() + size_of::<RawFd>()) as _;
        control.fd = fd;
        let mut payload = libc::iovec { iov_base: (&raw mut byte).cast::<c_void>(), iov_len: 1 };
        let mut message: libc::msghdr = core::mem::zeroed();
        message.msg_iov = &raw mut payload;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut control).cast::<c_void>();
        message.msg_controllen = size_of::<OneDescriptor>() as _;
        done(libc::syscall(libc::SYS_sendmsg, socket, &raw const message, libc::MSG_NOSIGNAL))
    }
}

/// Tries the paths in order and returns why none of them could be executed.
fn search(
    paths: &[&CStr],
    args: *const *const c_char,
    env: *const *const c_char,
    shell: &ShellArgs,
) -> Errno {
    let mut refused = None;
    let mut last = Errno::NOENT;
    for path in paths {
        last = execute(path, args, env);
        if last == Errno::NOEXEC {
            // SAFETY: the parent is suspended, so the room is ours.
            let shell_args = unsafe { shell.with_file(path) };
            return execute(c"/bin/sh", shell_args, env);
        }
        match last {
            Errno::ACCESS => refused = Some(last),
            Errno::NOENT | Errno::NOTDIR | Errno::STALE | Errno::NODEV | Errno::TIMEDOUT => {}
            other => return other,
        }
    }
    refused.unwrap_or(last)
}

fn execute(path: &CStr, args: *const *const c_char, env: *const *const c_char) -> Errno {
    // SAFETY: null-terminated arrays of C strings that outlive the call.
    let ret = unsafe { libc::syscall(libc::SYS_execve, path.as_ptr(), args, env) };
    call(ret).err().unwrap_or(Errno::NOEXEC)
}
