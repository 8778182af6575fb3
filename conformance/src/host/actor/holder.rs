//! The process outside the stage: makes a namespace with the first actor in it for each case, and clears it away.
//!
//! Everything an actor makes lives in that namespace, which ends with the first actor, which ends with the holder
//! (PDEATHSIG), which ends with its own parent. So whoever dies, nothing is left.

use super::{Actor, SETUP, Setup};
use pidns_sys::raw;
use pidns_sys::raw::clone::{CloneRequest, Cloned};
use pidns_sys::raw::errno::RawErrno;
use std::fs;

const NEWNS: u64 = 0x2_0000;
const NEWPID: u64 = 0x2000_0000;
const NEWUSER: i32 = 0x1000_0000;
const EPERM: i32 = 1;
const SIGKILL: i32 = 9;
const SIGCHLD: i32 = 17;
const SET_MASK: i32 = 2;

/// Runs the holder: `control` is its own channel, `channels` are those of the slots.
pub fn run(program: &str, control: i32, channels: Vec<i32>) -> ! {
    SETUP.get_or_init(|| Setup { program: program.to_owned(), channels });
    stand_apart();
    say(control, &format!("hello {}", raw::ids::getpid()));
    let mut top = None;
    loop {
        match next(control).as_str() {
            "begin" => top = begin(control, 0),
            "begin proc" => top = begin(control, NEWNS),
            "end" => end(control, top.take()),
            _ => raw::clone::exit_group(0),
        }
    }
}

/// Keeps signals of the actors' group away from the director and from the holder itself.
fn stand_apart() {
    let _ = raw::ids::set_parent_death_signal(SIGKILL);
    let _ = raw::ids::setsid();
    let _ = raw::signal::set_mask(SET_MASK, u64::MAX);
    raw::ids::forbid_core_dumps();
}

fn next(control: i32) -> String {
    let mut buffer = [0u8; raw::channel::MAX_MESSAGE];
    let len = raw::channel::read_far(control, &mut buffer).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..len]).into_owned()
}

fn say(control: i32, text: &str) {
    if raw::channel::write_far(control, text).is_err() {
        raw::clone::exit_group(0);
    }
}

fn begin(control: i32, more: u64) -> Option<i32> {
    match make_top(more) {
        Ok(top) => {
            say(control, "begun");
            Some(top)
        }
        Err(errno) => {
            say(control, &format!("failed {}", errno.0));
            None
        }
    }
}

/// Makes the first actor, in a user namespace if it cannot be had otherwise.
fn make_top(more: u64) -> Result<i32, RawErrno> {
    match clone_top(more) {
        Err(RawErrno(EPERM)) => {
            become_root_of_a_user_namespace()?;
            clone_top(more)
        }
        other => other,
    }
}

fn clone_top(more: u64) -> Result<i32, RawErrno> {
    let request =
        CloneRequest { flags: NEWPID | more, exit_signal: SIGCHLD, ..CloneRequest::default() };
    match raw::clone::clone3(&request)? {
        Cloned::Parent { child, .. } => Ok(child),
        Cloned::Child { .. } => start_top(more),
    }
}

/// Goes on as the first actor.
fn start_top(more: u64) -> ! {
    let _ = raw::ids::set_parent_death_signal(SIGKILL);
    if more & NEWNS != 0 {
        // Where mounting is refused the /proc that is there has to do.
        let _ = raw::ns::make_mounts_private().and_then(|_| raw::ns::mount_proc());
    }
    super::forget_runtime_handlers();
    let _ = raw::signal::set_mask(SET_MASK, 0);
    let top = Actor { slot: 0, child_tid: 0 };
    top.say_hello("hello");
    top.serve()
}

fn become_root_of_a_user_namespace() -> Result<(), RawErrno> {
    let ids = fs::read_to_string("/proc/self/status").unwrap_or_default();
    raw::ns::unshare(NEWUSER)?;
    let _ = fs::write("/proc/self/setgroups", "deny");
    for (file, key) in [("/proc/self/uid_map", "Uid:"), ("/proc/self/gid_map", "Gid:")] {
        let id = ids
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .and_then(|rest| rest.split_whitespace().next());
        let map = format!("0 {} 1", id.unwrap_or("0"));
        fs::write(file, map).map_err(|error| RawErrno(error.raw_os_error().unwrap_or(EPERM)))?;
    }
    Ok(())
}

/// Ends the first actor, and with it everything on the stage.
fn end(control: i32, top: Option<i32>) {
    if let Some(top) = top {
        let _ = raw::signal::kill(top, SIGKILL);
        let _ = raw::wait::wait4(top, 0);
    }
    say(control, "ended");
}
