//! The calls that make actors.

use super::{Actor, Turn, setup};
use crate::answer;
use crate::script::call::Request;
use crate::script::words;
use pidns_sys::raw;
use pidns_sys::raw::clone::{CloneRequest, Cloned, Program};
use pidns_sys::raw::errno::RawErrno;
use pidns_sys::raw::signal::Waiting;
use std::sync::mpsc;

const SIGCHLD: i64 = 17;
const VM: u64 = 0x100;
const VFORK: u64 = 0x4000;
const PARENT_SETTID: u64 = 0x10_0000;
const STACK: usize = 256 * 1024;

/// fork: clone3 with nothing special.
pub(super) fn fork(request: &Request) -> Turn {
    let wanted = CloneRequest { exit_signal: SIGCHLD as i32, ..CloneRequest::default() };
    after_clone(request, raw::clone::clone3(&wanted), 0, None)
}

/// clone3 with flags; a child that shares the memory goes on as a program of its own.
pub(super) fn clone(request: &Request) -> Turn {
    let flags = request.int(1) as u64;
    let exit_signal = request.optional(2).unwrap_or(default_exit_signal(flags)) as i32;
    if flags & VM != 0 && flags & words::THREAD as u64 == 0 {
        return Turn::Answer(answer::number(clone_program(request, flags, exit_signal)));
    }
    let set_tid = request.list(3);
    let wanted = CloneRequest {
        flags,
        exit_signal,
        set_tid: &set_tid,
        size: request.optional(5).map(|size| size as usize),
        cgroup: request.int(6) as u64,
    };
    after_clone(request, raw::clone::clone3(&wanted), flags, request.optional(4))
}

/// The old clone.
pub(super) fn old_clone(request: &Request) -> Turn {
    let flags = request.int(1) as u64;
    let exit_signal = request.optional(2).unwrap_or(default_exit_signal(flags)) as i32;
    after_clone(request, raw::clone::clone_old(flags, exit_signal), flags, request.optional(3))
}

/// Threads and siblings have no exit signal of their own.
fn default_exit_signal(flags: u64) -> i64 {
    const PARENT: u64 = 0x8000;
    if flags & (words::THREAD as u64 | PARENT) != 0 { 0 } else { SIGCHLD }
}

fn after_clone(
    request: &Request,
    cloned: Result<Cloned, RawErrno>,
    flags: u64,
    pidfd_at: Option<i64>,
) -> Turn {
    match cloned {
        Err(errno) => Turn::Answer(answer::error(errno.0)),
        Ok(Cloned::Child { child_tid }) => Turn::Born { slot: request.int(0) as usize, child_tid },
        Ok(Cloned::Parent { child, parent_tid, pidfd }) => {
            if let (Some(fd), Some(at)) = (pidfd, pidfd_at) {
                let _ = raw::ns::dup_to(&fd, at as i32);
            }
            let stored = if flags & PARENT_SETTID == 0 {
                String::new()
            } else {
                format!(" parent_tid={parent_tid}")
            };
            Turn::Answer(format!("{child}{stored}"))
        }
    }
}

/// Makes a child on shared memory that executes the actor's program at once.
fn clone_program(request: &Request, flags: u64, exit_signal: i32) -> Result<i64, i32> {
    let program = program(request.int(0) as usize).map_err(|errno| errno.0)?;
    let program: &'static Program = Box::leak(Box::new(program));
    raw::clone::clone_shared(flags, exit_signal, run_program, program)
        .map(i64::from)
        .map_err(|errno| errno.0)
}

fn run_program(program: &'static Program) -> ! {
    let _ = program.exec();
    raw::clone::exit_thread(127)
}

/// The program and arguments with which the actor in `slot` goes on.
pub(super) fn program(slot: usize) -> Result<Program, RawErrno> {
    let setup = setup();
    let channels = setup.channels.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
    Program::new(&[&setup.program, "actor", &slot.to_string(), &channels])
}

/// vfork: the child serves on the memory of its parent, which sleeps until the child executes or ends.
pub(super) fn vfork(request: &Request) -> Turn {
    let slot: &'static usize = Box::leak(Box::new(request.int(0) as usize));
    let child = raw::clone::clone_shared(VFORK, SIGCHLD as i32, serve_on_borrowed_memory, slot);
    Turn::Answer(answer::number(child.map(i64::from).map_err(|errno| errno.0)))
}

fn serve_on_borrowed_memory(slot: &'static usize) -> ! {
    let child = Actor { slot: *slot, child_tid: 0 };
    child.say_hello("hello");
    child.serve()
}

/// A thread by the means of the C library.
pub(super) fn thread(request: &Request) -> Turn {
    let slot = request.int(0) as usize;
    let (tell, told) = mpsc::channel();
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || -> () {
        let _ = tell.send(raw::ids::gettid());
        let actor = Actor { slot, child_tid: 0 };
        actor.say_hello("hello");
        actor.serve()
    });
    Turn::Answer(match thread {
        Ok(_) => told.recv().unwrap_or(0).to_string(),
        Err(error) => answer::error(error.raw_os_error().unwrap_or(0)),
    })
}

/// Makes children that only sleep.
pub(super) fn crowd(request: &Request) -> Turn {
    let wanted = CloneRequest { exit_signal: SIGCHLD as i32, ..CloneRequest::default() };
    for made in 0..request.int(0) {
        match raw::clone::clone3(&wanted) {
            Ok(Cloned::Parent { .. }) => {}
            Ok(Cloned::Child { .. }) => sleep_for_ever(),
            Err(errno) => return Turn::Answer(format!("{made} {}", answer::error(errno.0))),
        }
    }
    Turn::Answer(request.int(0).to_string())
}

fn sleep_for_ever() -> ! {
    loop {
        let _ = raw::signal::take(0, Waiting::Yes);
    }
}
