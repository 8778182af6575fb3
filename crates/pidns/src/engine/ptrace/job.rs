//! A job of this engine, as the library sees it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

use pidns_init::protocol::{RequestKind, Role};
use pidns_sys::launch::{Namespaces, Strings};
use pidns_sys::signal::{Blocked, Signal};
use pidns_sys::{Errno, cpu, twin};

use super::asked::{self, Questions};
use super::locks::lock_soon;
use super::precedence::Precedence;
use super::start::{self, First, Started};
use super::tracer::Roster;
use crate::engine::control::Control;
use crate::engine::enter::Behind;
use crate::engine::image::Image;
use crate::engine::reap::{collect, give_up, send_signal};
use crate::engine::steps::{Steps, as_c_strs};
use crate::engine::{Event, Job, Members, NumberOne, Spec};
use crate::error::{SpawnError, Stage};
use crate::report::Usage;
use crate::status::ExitStatus;

/// A tracer at work, and the way to its number 1.
#[derive(Debug)]
struct Traced {
    init: u32,
    number: u32,
    pidfd: OwnedFd,
    /// The socket to `pidns-init`: number 1, or the guard.
    control: Control,
    /// Watches over a command that is number 1 itself.
    guard: Option<Guard>,
    /// Somebody is at the other end of the socket, as far as we know.
    watched: bool,
    roster: Roster,
    tracer: Option<Tracing>,
    /// Those who answer the filter.
    paths: Vec<JoinHandle<()>>,
    status: Option<ExitStatus>,
}

/// What the tracer tells when number 1 has executed its program.
type Launched = Result<Started, SpawnError>;

/// Starts `spec` in a PID namespace of ours, and returns once the command's program has been executed.
pub(crate) fn launch(spec: &Arc<Spec>) -> Result<Box<dyn Job>, SpawnError> {
    let (first, control, guard) = first(spec)?;
    let supervised = guard.is_none();
    let roster = Roster::default();
    match follow(Arc::clone(spec), first, Arc::clone(&roster)) {
        Ok((started, tracer)) => {
            let paths = started.questions.map_or(Ok(Vec::new()), answer);
            let mut traced = Traced {
                init: started.init,
                number: 1,
                pidfd: started.pidfd,
                control,
                guard,
                watched: true,
                roster,
                tracer: Some(tracer),
                paths: Vec::new(),
                status: None,
            };
            match paths {
                Ok(paths) => traced.paths = paths,
                Err(error) => return Err(traced.abandon(error)),
            }
            if supervised {
                traced.await_command()?;
            }
            Ok(Box::new(traced))
        }
        Err(error) => {
            if let Some(guard) = guard {
                give_up(guard.pidfd);
            }
            Err(error)
        }
    }
}

/// What there has to be before number 1, who it is, and our end of the socket to whom watches over the command.
fn first(spec: &Spec) -> Result<(First, Control, Option<Guard>), SpawnError> {
    if spec.number_one == NumberOne::Init {
        let (image, control) = Image::new(Role::Init, spec)?;
        return Ok((First::Init(image), control, None));
    }
    let env = Strings::new(as_c_strs(&spec.env));
    let (image, control) = Image::new(Role::Guard, spec)?;
    let guard = image
        .start(Namespaces::empty(), Steps::none(), &[], &env)
        .map_err(|error| SpawnError::from_raw(Stage::Guard, error.errno()))?;
    let descriptors = |error: io::Error| {
        SpawnError::from_raw(Stage::Descriptors, error.raw_os_error().unwrap_or_default())
    };
    let socket = control.as_fd().try_clone_to_owned().map_err(descriptors)?;
    Ok((First::Command { guard: socket }, control, Some(guard)))
}

/// Starts a tracer, and waits until it has started number 1.
fn follow(spec: Arc<Spec>, first: First, roster: Roster) -> Result<(Started, Tracing), SpawnError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let tracer = thread::Builder::new()
        .name("pidns-tracer".into())
        .spawn(move || trace(spec, first, roster, sender))
        .map_err(no_thread)?;
    let gone = |_| SpawnError::new(Stage::Engine, Errno::SRCH);
    Ok((receiver.recv().map_err(gone)??, tracer))
}

fn no_thread(error: io::Error) -> SpawnError {
    SpawnError::from_raw(Stage::Engine, error.raw_os_error().unwrap_or_default())
}

/// Answers what the filter asks, until nobody is left to ask. Not more than two threads, and that where there is room for
/// them: a question wakes all that are idle, on the cpu of who asks.
fn answer((listener, shared): Questions) -> Result<Vec<JoinHandle<()>>, SpawnError> {
    let count = cpu::allowed(None).map_or(1, |cpus| (cpus.count() / 2).clamp(1, 2));
    let listener = Arc::new(listener);
    let start = |_| {
        let (listener, shared) = (Arc::clone(&listener), Arc::clone(&shared));
        let serve = move || {
            let _signals = Blocked::new();
            let _precedence = Precedence::take();
            asked::serve(&listener, &shared);
        };
        thread::Builder::new().name("pidns-paths".into()).spawn(serve).map_err(no_thread)
    };
    (0..count).map(start).collect()
}

type Tracing = JoinHandle<io::Result<ExitStatus>>;
type Guard = pidns_sys::launch::Launched;

/// The tracer's thread, and what its twin does.
fn trace(
    spec: Arc<Spec>,
    first: First,
    roster: Roster,
    told: SyncSender<Launched>,
) -> io::Result<ExitStatus> {
    let failed = told.clone();
    let ended = twin::run(move || {
        let started = start::start(&spec, &first, roster);
        // What was the command's is no longer ours: a pipe closes when the command's end does.
        drop((spec, first));
        let (started, tracer) = match started {
            Ok((tracer, started)) => (Ok(started), Ok(tracer)),
            Err(error) => (Err(error), Err(Errno::SRCH)),
        };
        // If nobody listens any more, the job is to be killed, which happens by its pidfd.
        let _ = told.send(started);
        drop(told);
        tracer.and_then(|mut tracer| tracer.run())
    });
    if let Err(errno) = ended {
        // There was no twin, or it was killed: before it has told anything, or after that.
        let _ = failed.try_send(Err(SpawnError::new(Stage::Engine, errno)));
    }
    let status = ended.and_then(|status| status)?;
    status_of(status).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

fn status_of(status: pidns_core::ExitStatus) -> Option<ExitStatus> {
    match (status.code(), status.signal()) {
        (Some(code), _) => Some(ExitStatus::exited(code)),
        (None, Some(signal)) => {
            let dumped = status.raw() & 0x80 != 0;
            Signal::new(signal.raw()).map(|signal| ExitStatus::killed(signal, dumped))
        }
        (None, None) => None,
    }
}

impl Traced {
    /// The guard has gone: because the command has ended, or somebody has killed it. Nobody else would see to it that
    /// nothing survives us.
    fn unguarded(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.watched) { self.kill() } else { Ok(()) }
    }

    /// Waits until `pidns-init` has started the command.
    fn await_command(&mut self) -> Result<(), SpawnError> {
        match self.control.await_start() {
            Ok(number) => {
                self.number = number;
                Ok(())
            }
            Err(error) => Err(self.abandon(error)),
        }
    }

    /// Ends what has started, because of an error.
    fn abandon(&mut self, error: SpawnError) -> SpawnError {
        if self.kill().is_ok() {
            let _ = self.reap();
        }
        error
    }
}

impl Job for Traced {
    fn init_pid(&self) -> u32 {
        self.init
    }

    fn number(&self) -> Option<u32> {
        Some(self.number)
    }

    fn members(&self) -> Option<Members> {
        members(&self.roster)
    }

    fn door(&self) -> Option<Box<dyn Behind>> {
        // A command that is number 1 takes nobody in.
        if self.guard.is_some() {
            return None;
        }
        let control = self.control.try_clone().ok()?;
        Some(Box::new(Office { control, roster: Arc::clone(&self.roster), init: self.init }))
    }

    fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    fn news(&self) -> BorrowedFd<'_> {
        // A socket whose other end has gone would be readable for ever.
        if self.watched { self.control.as_fd() } else { self.pidfd() }
    }

    fn next_event(&mut self) -> io::Result<Option<Event>> {
        match self.control.next_event()? {
            Some(Event::Gone) if self.guard.is_some() => self.unguarded()?,
            None if self.guard.is_none() => return Ok(None),
            None => {}
            event => return Ok(event),
        }
        // The command is number 1, and its end the tracer's.
        if self.status.is_some() {
            return Ok(Some(Event::Gone));
        }
        if !self.tracer.as_ref().is_some_and(JoinHandle::is_finished) {
            return Ok(None);
        }
        let status = self.join()?;
        Ok(Some(Event::Ended(status, Usage::default())))
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        match self.guard {
            None => Ok(self.control.signal(signal)?),
            Some(_) => send_signal(&self.pidfd, signal),
        }
    }

    fn end(&self) -> io::Result<()> {
        Ok(self.control.request(RequestKind::End, 0)?)
    }

    fn release(&self) -> io::Result<()> {
        Ok(self.control.request(RequestKind::Go, 0)?)
    }

    /// Once it has ended, the tracer may have collected it.
    fn kill(&self) -> io::Result<()> {
        send_signal(&self.pidfd, Signal::KILL)
    }

    fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.join()?;
        if let Some(guard) = self.guard.take() {
            // It would end by itself, if nobody has stopped it.
            send_signal(&guard.pidfd, Signal::KILL)?;
            collect(&guard.pidfd)?;
        }
        Ok(Some(status))
    }
}

fn members(roster: &Roster) -> Option<Members> {
    lock_soon(roster).map(|roster| roster.clone())
}

/// Answers what others ask.
struct Office {
    control: Control,
    roster: Roster,
    init: u32,
}

impl Behind for Office {
    fn members(&self) -> Option<Members> {
        let mut members = members(&self.roster)?;
        members.insert(self.init, 1);
        Some(members)
    }

    fn take_in(&self, descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        self.control.send_guest(descriptors)
    }
}

impl Traced {
    /// Waits for the tracer, which goes when all that it has traced is gone.
    fn join(&mut self) -> io::Result<ExitStatus> {
        if let Some(tracer) = self.tracer.take() {
            let ended = tracer.join().map_err(|_| io::Error::other("the tracer has panicked"))?;
            self.status = Some(ended?);
        }
        for thread in self.paths.drain(..) {
            thread.join().map_err(|_| io::Error::other("a thread for paths has panicked"))?;
        }
        self.status.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}
