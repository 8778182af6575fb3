//! Begins the work for a supervisor: learns which [`Role`] it has in mind.

use super::message;
use super::report::Gone;
use super::strings::Strings;
use super::sys::{self, Errno, PollFd};
use super::{guard, guest, init, keeper, visitor};
use crate::protocol::{CONTROL_FD, Config, MAGIC, Role, TARGET_FD, WATCH_FD};

/// Ends in place of a command that never was: pidns itself has failed.
pub(crate) const FAILED: i32 = 125;

/// Plays the role that the supervisor asks for, to the end.
pub(crate) fn run(arguments: Strings, environment: Strings) -> ! {
    let config = match receive_config() {
        Ok(config) => config,
        Err(Problem::Gone) => sys::exit(FAILED),
        Err(Problem::Unsupervised) => {
            message::say(&[message::Part::Text(
                b"--supervised is for pidns itself: there is no supervisor on descriptor 3",
            )]);
            sys::exit(FAILED)
        }
    };
    const GUARD: u32 = Role::Guard as u32;
    const KEEPER: u32 = Role::Keeper as u32;
    const VISITOR: u32 = Role::Visitor as u32;
    const GUEST: u32 = Role::Guest as u32;
    let command = arguments.command(command_index(arguments));
    match config.role {
        GUARD => guard::run(&config),
        KEEPER => keeper::run(&config, command, environment),
        VISITOR => visitor::run(&config, command, environment),
        GUEST => guest::run(&config),
        _ => init::run(&config, command, environment),
    }
}

/// Where the command begins: after `pidns-init --supervised` and possibly `--`.
fn command_index(arguments: Strings) -> usize {
    if arguments.get(2).is_some_and(|argument| argument.to_bytes() == b"--") { 3 } else { 2 }
}

enum Problem {
    /// The supervisor has gone before it said anything.
    Gone,
    /// Nobody who speaks the protocol is there.
    Unsupervised,
}

fn receive_config() -> Result<Config, Problem> {
    match sys::receive(CONTROL_FD) {
        Err(Errno::EAGAIN) => {}
        received => return check_config(received),
    }
    wait_for_record().map_err(|Gone| Problem::Gone)?;
    check_config(sys::receive(CONTROL_FD))
}

fn check_config(received: sys::Result<Option<Config>>) -> Result<Config, Problem> {
    const ROLES: [u32; 5] = [
        Role::Init as u32,
        Role::Guard as u32,
        Role::Keeper as u32,
        Role::Visitor as u32,
        Role::Guest as u32,
    ];
    match received {
        Ok(Some(config)) if config.magic == MAGIC && ROLES.contains(&config.role) => Ok(config),
        Ok(None) | Err(Errno::ECONNRESET) => Err(Problem::Gone),
        Ok(Some(_)) | Err(_) => Err(Problem::Unsupervised),
    }
}

/// Waits until the supervisor has sent something or has gone.
pub(crate) fn wait_for_record() -> Result<(), Gone> {
    let mut fds = [PollFd::input(CONTROL_FD), PollFd::input(WATCH_FD)];
    loop {
        let ready = sys::poll(&mut fds, None);
        let [control, watch] = &fds;
        match ready {
            Ok(_) if watch.is_ready() => return Err(Gone),
            Ok(_) if control.is_ready() => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return Err(Gone),
        }
    }
}

/// Asks for now.
pub(crate) fn supervisor_is_gone() -> bool {
    let mut watch = [PollFd::input(WATCH_FD)];
    let _ = sys::poll(&mut watch, Some(0));
    watch.iter().any(PollFd::is_ready)
}

/// Closes 0, 1 and 2. What the command or number 1 has closed is then closed for those at the other end, too.
pub(crate) fn close_standard_fds() {
    if sys::close_range(0, 2).is_err() {
        (0..=2).for_each(sys::close);
    }
}

/// Closes all descriptors that nobody has meant for us: those after [`WATCH_FD`] but our `own`, of which negative ones
/// are none. Without that call there is nothing to be done about them.
pub(crate) fn close_strangers<const N: usize>(own: [i32; N]) {
    let mut last = WATCH_FD;
    loop {
        let next = own.iter().copied().filter(|&fd| fd > last).min();
        let end = next.map_or(u32::MAX, |fd| fd as u32 - 1);
        if (last as u32) < end {
            let _ = sys::close_range(last as u32 + 1, end);
        }
        match next {
            Some(fd) => last = fd,
            None => return,
        }
    }
}

/// The descriptor of the process, besides the supervisor, that we are to end with; negative if there is none.
pub(crate) fn target(config: &Config) -> i32 {
    if config.flags & Config::WITH_TARGET == 0 { -1 } else { TARGET_FD }
}
