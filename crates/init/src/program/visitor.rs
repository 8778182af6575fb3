//! Runs a command in a PID namespace that is there already, from outside of it.
//!
//! This process enters the other namespaces of the one who is number 1 there, and has its children made in that PID
//! namespace; itself it stays outside, as setns(2) has it. So nothing inside can name it, and the supervisor's memory is
//! never seen there. The command is killed when this process or its supervisor is gone; what the command has started
//! belongs to the namespace and stays.

use super::job::{self, Crowd, Job};
use super::report::{self, Gone};
use super::spawn::Place;
use super::strings::{Command, Strings};
use super::supervise::{self, FAILED};
use super::sys::{self, Changes, Errno, PollFd, SignalSet, Usage};
use crate::protocol::{CONTROL_FD, Config, Entry, EntryStep, EventKind, ROOT_FD, TARGET_FD};

/// Enters, and runs the command to its end.
pub(crate) fn run(config: &Config, command: Option<Command>, environment: Strings) -> ! {
    // What comes from the terminal is for the command.
    sys::set_mask(SignalSet::ALL);
    // Whoever is inside has no business in this memory, whatever ids it takes on.
    let _ = sys::deny_tracing();
    let entered = receive_entry().and_then(|entry| enter(&entry));
    if let Err((step, errno)) = entered {
        let _ = report::send(&report::event(EventKind::EnterFailed, step as i32, errno.0));
        sys::exit(FAILED)
    }
    supervise::close_strangers([]);
    sys::exit(visit(config, command, environment).unwrap_or_else(|failed| failed))
}

type Failure = (EntryStep, Errno);

fn receive_entry() -> Result<Entry, Failure> {
    let failed = |errno| (EntryStep::Namespaces, errno);
    let received = match sys::receive(CONTROL_FD) {
        Err(Errno::EAGAIN) => {
            supervise::wait_for_record().map_err(|Gone| failed(Errno::ESRCH))?;
            sys::receive(CONTROL_FD)
        }
        received => received,
    };
    received.map_err(failed)?.ok_or(failed(Errno::ESRCH))
}

/// Takes on what number 1 has: namespaces, root directory, ids if ours mean nothing there, and a working directory.
fn enter(entry: &Entry) -> Result<(), Failure> {
    let changes_ids = entry.flags & Entry::SET_IDS != 0;
    if changes_ids {
        // Inside, it may be forbidden. Without privilege, there is nothing to give up.
        let _ = sys::drop_groups();
    }
    sys::enter_namespaces(TARGET_FD, entry.namespaces).map_err(at(EntryStep::Namespaces))?;
    if entry.flags & Entry::CHANGE_ROOT != 0 {
        sys::change_root(ROOT_FD).map_err(at(EntryStep::Root))?;
    }
    if changes_ids {
        sys::set_ids(entry.uid, entry.gid).map_err(at(EntryStep::Ids))?;
    }
    let changed = sys::change_directory(&entry.directory);
    if entry.flags & Entry::DIRECTORY_IF_POSSIBLE != 0 {
        return Ok(());
    }
    changed.map_err(at(EntryStep::Directory))
}

fn at(step: EntryStep) -> impl Fn(Errno) -> Failure {
    move |errno| (step, errno)
}

/// Runs the command; says what to exit with.
pub(crate) fn visit(
    config: &Config,
    command: Option<Command>,
    environment: Strings,
) -> Result<i32, i32> {
    let own = sys::pidfd_open(sys::pid()).map_err(|_| FAILED)?;
    let place = Place::Below { parent: own };
    let pid = job::start(config, command, environment, SignalSet::ALL, place, None)?;
    sys::close(own);
    // Not reaped yet, so the number is its own. Without a descriptor, our end kills it.
    let command = sys::pidfd_open(pid);
    let code = Job::new(config, pid, Nobody).ok_or(FAILED)?.live();
    if let Ok(command) = command {
        // If it has not ended, the supervisor has gone.
        if sys::pidfd_kill(command, sys::SIGKILL).is_ok() {
            let _ = sys::poll(&mut [PollFd::input(command)], None);
            // Nobody inside might do it.
            let _ = sys::wait(Changes::All, &mut Usage::default());
        }
    }
    Ok(code)
}

/// The others in the namespace are not ours.
struct Nobody;

impl Crowd for Nobody {
    fn signal(&mut self, _signal: i32) {}

    fn kill(&mut self) {}

    fn watch(&self) -> i32 {
        -1
    }
}
