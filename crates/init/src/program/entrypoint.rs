//! The entrypoint of a container, or a subreaper: what tini is.
//!
//! All signals but those that a fault raises are blocked and taken one by one: SIGCHLD means that there is something to
//! reap, the others go to the command. Nothing ever runs at the same time as anything else.

use core::ffi::CStr;

use super::args::{self, Asked, Options, Wrong};
use super::exec;
use super::message::{self, Part, Part::Number, Part::Text, Part::Why};
use super::spawn::{self, Failure, Launch, Place};
use super::strings::Strings;
use super::sys::{self, Change, Changes, Disposition, Errno, SignalSet, Usage};

/// Raised by what a program itself does wrong: not to be blocked, not to be passed on.
const FAULTS: SignalSet = SignalSet::of(&[
    sys::SIGILL,
    sys::SIGTRAP,
    sys::SIGABRT,
    sys::SIGBUS,
    sys::SIGFPE,
    sys::SIGSEGV,
    sys::SIGSYS,
]);

/// Meant for a process in the background of a terminal, so for this one alone. Blocked, they are without effect.
const BACKGROUND: SignalSet = SignalSet::of(&[sys::SIGTTIN, sys::SIGTTOU]);

const BLOCKED: SignalSet = SignalSet::ALL.without(FAULTS);
const TAKEN: SignalSet = BLOCKED.without(BACKGROUND);

/// The exit code for what has gone wrong here, as tini's.
const FAILED: i32 = 1;

/// Does what the command line says.
pub(crate) fn run(arguments: Strings, environment: Strings) -> ! {
    let code = match args::parse(arguments) {
        Ok(Asked::Run { mut options, program }) => {
            options.apply_environment(environment);
            Entrypoint { options, environment }.run(arguments, program)
        }
        Ok(Asked::Print(text)) => {
            message::write_all(sys::STDOUT, text);
            0
        }
        Err(wrong) => {
            complain(wrong);
            FAILED
        }
    };
    sys::exit(code)
}

fn complain(wrong: Wrong) {
    match wrong {
        Wrong::UnknownOption(letter) => {
            message::say(&[Text(b"invalid option -- '"), Text(&[letter]), Text(b"'")])
        }
        Wrong::NoArgument(letter) => {
            message::say(&[Text(b"option requires an argument -- '"), Text(&[letter]), Text(b"'")]);
        }
        Wrong::NotASignal(value) => {
            return message::say(&[Text(b"-p: not a signal: "), Text(value.to_bytes())]);
        }
        Wrong::NotAnExitCode(value) => {
            return message::say(&[
                Text(b"-e: not an exit code from 0 to 255: "),
                Text(value.to_bytes()),
            ]);
        }
        Wrong::NoProgram => {}
    }
    message::write_all(sys::STDERR, args::USAGE);
}

/// How many children are reaped before a signal is passed on again. In a storm of forks there may always be one more.
const BATCH: u32 = 64;

/// What has been reaped.
enum Reaped {
    /// The command, which ends with this exit code, and others.
    Command(i32),
    /// All that there was.
    All,
    /// As much as is done at once.
    Some,
}

/// What there is to say, the more the higher: `-v` and TINI_VERBOSITY.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
enum Level {
    Warning = 1,
    Info = 2,
    Debug = 3,
    Trace = 4,
}

const WARNING: Part<'_> = Text(b"warning: ");

struct Entrypoint {
    options: Options,
    environment: Strings,
}

impl Entrypoint {
    /// Runs the command to its end and returns what to exit with.
    fn run(&self, arguments: Strings, program: usize) -> i32 {
        let mask = sys::set_mask(BLOCKED);
        let on_sigchld = sys::set_disposition(sys::SIGCHLD, Disposition::Default);
        if let Err(code) = self.take_position() {
            return code;
        }
        let Some(command) = args::command(arguments, program) else { return FAILED };
        let launch = Launch {
            command,
            environment: self.environment,
            mask,
            on_sigchld,
            place: Place::OwnGroup,
            cgroup: None,
        };
        let name = command.name();
        let code = match spawn::spawn(&launch) {
            Ok(pid) => {
                self.say(
                    Level::Info,
                    &[Text(b"started "), Text(name.to_bytes()), Text(b" as "), Number(pid)],
                );
                self.attend(pid)
            }
            Err(failure) => explain(failure, name),
        };
        if self.options.forgiven.contains(code) { 0 } else { code }
    }

    /// Makes this process what it is to be among the others.
    fn take_position(&self) -> Result<(), i32> {
        let failed = |what: &[u8], errno| {
            message::say(&[Text(what), Why(errno)]);
            FAILED
        };
        if let Some(signal) = self.options.parent_death_signal {
            sys::set_parent_death_signal(signal).map_err(|errno| failed(b"-p: ", errno))?;
        }
        if self.options.subreaper {
            sys::become_subreaper().map_err(|errno| failed(b"-s: ", errno))?;
            self.say(Level::Trace, &[Text(b"is a subreaper")]);
        }
        if self.hears(Level::Warning) && sys::pid() != 1 && !sys::is_subreaper() {
            message::say(&[
                WARNING,
                Text(b"neither number 1 nor a subreaper: orphans go elsewhere and are not reaped"),
            ]);
            message::say(&[WARNING, Text(b"use -s or TINI_SUBREAPER, or run this as number 1")]);
        }
        Ok(())
    }

    /// Takes signals until the command has ended, and returns its exit code.
    fn attend(&self, command: i32) -> i32 {
        let mut unreaped = false;
        loop {
            // With children to reap, only a signal that is there already.
            match sys::take_signal(TAKEN, unreaped.then_some(0)) {
                Ok(sys::SIGCHLD) => {
                    self.say(Level::Debug, &[Text(b"got SIGCHLD")]);
                    unreaped = true;
                }
                Ok(signal) => self.forward(signal, command),
                // No signal, or stopped and continued.
                Err(_) => {}
            }
            if unreaped {
                match self.reap(command) {
                    Reaped::Command(code) => return code,
                    Reaped::All => unreaped = false,
                    Reaped::Some => {}
                }
            }
        }
    }

    /// Reaps children, up to a [`BATCH`].
    fn reap(&self, command: i32) -> Reaped {
        let mut code = None;
        let mut usage = Usage::default();
        for _ in 0..BATCH {
            let Ok(Some((pid, change))) = sys::wait(Changes::Ends, &mut usage) else {
                return code.map_or(Reaped::All, Reaped::Command);
            };
            self.say(Level::Debug, &[Text(b"reaped "), Number(pid)]);
            if pid == command {
                code = self.exit_code(change);
            } else if self.options.warn_on_reap {
                self.say(Level::Warning, &[WARNING, Text(b"reaped an orphan: "), Number(pid)]);
            }
        }
        code.map_or(Reaped::Some, Reaped::Command)
    }

    fn exit_code(&self, change: Change) -> Option<i32> {
        match change {
            Change::Exited { code } => {
                self.say(Level::Info, &[Text(b"the command exited with "), Number(code)]);
                Some(code)
            }
            Change::Signaled { signal, .. } => {
                self.say(Level::Info, &[Text(b"the command was ended by signal "), Number(signal)]);
                Some(128 + signal)
            }
            Change::Stopped { .. } | Change::Continued => None,
        }
    }

    fn forward(&self, signal: i32, command: i32) {
        self.say(Level::Debug, &[Text(b"passes on signal "), Number(signal)]);
        let target = if self.options.to_group { -command } else { command };
        match sys::kill(target, signal) {
            Ok(()) => {}
            Err(Errno::ESRCH) => {
                self.say(Level::Warning, &[WARNING, Text(b"nobody left to pass a signal on to")]);
            }
            Err(errno) => self.say(
                Level::Warning,
                &[WARNING, Text(b"signal "), Number(signal), Text(b" not passed on: "), Why(errno)],
            ),
        }
    }

    fn hears(&self, level: Level) -> bool {
        self.options.verbosity >= level as i32
    }

    fn say(&self, level: Level, parts: &[Part<'_>]) {
        if self.hears(level) {
            message::say(parts);
        }
    }
}

/// Says why there is no command, and returns what to exit with, as tini does.
fn explain(failure: Failure, name: &CStr) -> i32 {
    let (what, errno): (&[u8], Errno) = match failure {
        Failure::Fork(errno) => (b"cannot make a process: ", errno),
        Failure::Group(errno) => (b"setpgid: ", errno),
        Failure::Foreground(errno) => (b"cannot come to the foreground of the terminal: ", errno),
        Failure::Exec(errno) => (b"", errno),
    };
    message::say(&[Text(name.to_bytes()), Text(b": "), Text(what), Why(errno)]);
    match failure {
        Failure::Exec(Errno::ENOENT) => exec::NOT_FOUND,
        Failure::Exec(Errno::EACCES) => exec::NOT_EXECUTABLE,
        _ => FAILED,
    }
}
