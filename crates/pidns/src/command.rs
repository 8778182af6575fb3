//! Building a command.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pidns_sys::Errno;
use pidns_sys::environ;
use pidns_sys::signal::{Signal, SignalSet};

use crate::child::Child;
use crate::engine::{self, Engine, NumberOne, Spec, enter};
use crate::error::{SpawnError, Stage};
use crate::namespace::PidNamespace;
use crate::registry::Claim;
use crate::status::ExitStatus;
use crate::stdio::{Direction, Opened, Stdio};
use crate::trace;

/// Whom the caller is in a user namespace, where one is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Map {
    /// The user and group that it is outside.
    #[default]
    Same,
    /// User 0 and group 0, with all capabilities over the new namespaces.
    Root,
}

/// What the command finds at /proc.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proc {
    /// A procfs of its namespace, where it can be mounted.
    #[default]
    IfPossible,
    /// A procfs of its namespace, or the launch fails.
    Fresh,
    /// What the caller has; no mount namespace is made.
    Never,
}

/// What happens to processes that are left when the command has ended, before they are killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leftovers {
    /// Nothing.
    #[default]
    Ignore,
    /// They are listed, in [`Report::leaks`](crate::Report::leaks).
    List,
}

/// Which of the caller's descriptors reach the command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Descriptors {
    /// The standard ones, 0, 1 and 2, as [`Command::stdin`] and its neighbours say.
    #[default]
    Standard,
    /// Besides, all of the caller's that are not close-on-exec, at their numbers: what a shell, make or systemd passes
    /// on by number. See execve(2).
    All,
}

/// A command to be run in a PID namespace of its own. Reads like [`std::process::Command`].
///
/// ```no_run
/// let output = pidns::Command::new("sh").args(["-c", "echo $$"]).output()?;
/// assert_eq!(output.stdout, b"2\n"); // number 1 is pidns-init
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Command {
    args: Vec<OsString>,
    env_clear: bool,
    env: BTreeMap<OsString, Option<OsString>>,
    directory: Option<PathBuf>,
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
    engine: Engine,
    number_one: NumberOne,
    proc: Proc,
    map: Map,
    mask: SignalSet,
    timeout: Option<Duration>,
    signal: Signal,
    grace: Duration,
    leftovers: Leftovers,
    name: Option<String>,
    descriptors: Descriptors,
    bound: bool,
}

/// What a command wrote, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl Command {
    /// A command that executes `program`, which is looked for by PATH unless it has a slash, without arguments, with
    /// the caller's environment, directory and standard descriptors.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            args: vec![program.as_ref().to_owned()],
            env_clear: false,
            env: BTreeMap::new(),
            directory: None,
            stdin: None,
            stdout: None,
            stderr: None,
            engine: Engine::Auto,
            number_one: NumberOne::Init,
            proc: Proc::IfPossible,
            map: Map::Same,
            mask: SignalSet::EMPTY,
            timeout: None,
            signal: Signal::TERM,
            grace: Duration::ZERO,
            leftovers: Leftovers::Ignore,
            name: None,
            descriptors: Descriptors::Standard,
            bound: false,
        }
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.env.insert(key.as_ref().to_owned(), Some(value.as_ref().to_owned()));
        self
    }

    /// Removes an environment variable.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Self {
        self.env.insert(key.as_ref().to_owned(), None);
        self
    }

    /// Removes all environment variables, those set before too.
    pub fn env_clear(&mut self) -> &mut Self {
        self.env_clear = true;
        self.env.clear();
        self
    }

    /// Sets the working directory.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// Says where standard input comes from.
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.stdin = Some(stdin.into());
        self
    }

    /// Says where standard output goes to.
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// Says where standard error goes to.
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.stderr = Some(stderr.into());
        self
    }

    /// Chooses the engine; [`Engine::Auto`] unless called.
    pub fn engine(&mut self, engine: Engine) -> &mut Self {
        self.engine = engine;
        self
    }

    /// Makes the command number 1 itself, with no `pidns-init` above it. It has to reap orphans then, and signals with
    /// a default action do nothing to it: see pid_namespaces(7), "The namespace init process".
    pub fn as_init(&mut self) -> &mut Self {
        self.number_one = NumberOne::Command;
        self
    }

    /// Chooses what the command finds at /proc; [`Proc::IfPossible`] unless called.
    pub fn proc(&mut self, proc: Proc) -> &mut Self {
        self.proc = proc;
        self
    }

    /// Chooses whom the command runs as where a user namespace is needed; [`Map::Same`] unless called.
    pub fn map(&mut self, map: Map) -> &mut Self {
        self.map = map;
        self
    }

    /// Sets the command's signal mask; empty unless called.
    pub fn signal_mask(&mut self, mask: SignalSet) -> &mut Self {
        self.mask = mask;
        self
    }

    /// Ends the command after `timeout`, by its [`signal`](Self::signal) if there is [`grace`](Self::grace), and then
    /// by the end of the namespace. The limit holds whether or not anybody waits.
    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the signal for a command that is out of time, and for processes that it has left; SIGTERM unless called.
    /// It is sent only if there is [`grace`](Self::grace).
    pub fn signal(&mut self, signal: Signal) -> &mut Self {
        self.signal = signal;
        self
    }

    /// Sets how long the [`signal`](Self::signal) may take to work before all are killed; none unless called.
    pub fn grace(&mut self, grace: Duration) -> &mut Self {
        self.grace = grace;
        self
    }

    /// Says what happens to processes that are left when the command has ended, before they are killed.
    pub fn leftovers(&mut self, leftovers: Leftovers) -> &mut Self {
        self.leftovers = leftovers;
        self
    }

    /// Registers the job under `name`, for other processes of the same user to find it by
    /// [`PidNamespace::named`](crate::PidNamespace::named) and `pidns ps`, `exec`, `kill` and `wait`. Only one job at a
    /// time has a name; [`check_name`](crate::check_name) says what can be one. It is free again when the job has been
    /// waited for, or when this process ends, however that comes.
    pub fn name(&mut self, name: impl Into<String>) -> &mut Self {
        self.name = Some(name.into());
        self
    }

    /// Says which of the caller's descriptors reach the command: the standard ones unless called.
    pub fn descriptors(&mut self, descriptors: Descriptors) -> &mut Self {
        self.descriptors = descriptors;
        self
    }

    /// Binds the command to the calling thread too: when that ends, number 1 is killed, by a parent-death signal
    /// (`PR_SET_PDEATHSIG`). For callers whose thread lives as long as they do, as a main thread does.
    ///
    /// The death of the caller is the command's without that. But it takes a number 1 or a guard that notices, and
    /// somebody outside may have stopped number 1, or may kill caller and guard at once. The kernel needs nobody. Only
    /// the engine [`Kernel`](Engine::Kernel) does it.
    pub fn bind_to_thread(&mut self) -> &mut Self {
        self.bound = true;
        self
    }

    /// Starts the command and returns once its program has been executed.
    ///
    /// # Errors
    /// The stage that failed, and why. Nothing is left running then.
    pub fn spawn(&mut self) -> Result<Child, SpawnError> {
        self.spawn_with(Stdio::inherit, Stdio::inherit)
    }

    /// Runs the command to its end, and all that it started.
    ///
    /// # Errors
    /// A [`SpawnError`] inside an [`io::Error`], or that of the wait.
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait()
    }

    /// Runs the command to its end with standard output and error collected and nothing on standard input, unless said
    /// otherwise.
    ///
    /// A process that was left behind cannot keep this waiting: it is gone before.
    ///
    /// # Errors
    /// As [`status`](Self::status), and those of reading.
    pub fn output(&mut self) -> io::Result<Output> {
        let mut child = self.spawn_with(Stdio::null, Stdio::piped)?;
        drop(child.stdin.take());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        thread::scope(|scope| {
            let stderr = scope.spawn(move || read_all(stderr));
            let stdout = scope.spawn(move || read_all(stdout));
            let status = child.wait()?;
            let join = |reader: thread::ScopedJoinHandle<'_, _>| {
                reader.join().expect("reading does not panic")
            };
            Ok(Output { status, stdout: join(stdout)?, stderr: join(stderr)? })
        })
    }

    /// Starts the command, with what stands for the descriptors of which nothing was said.
    pub(crate) fn spawn_with(
        &mut self,
        stdin: fn() -> Stdio,
        outputs: fn() -> Stdio,
    ) -> Result<Child, SpawnError> {
        let start = Instant::now();
        self.traced(|command| {
            let (spec, ours) = command.ready(stdin, outputs)?;
            let spec = Arc::new(spec);
            let claim = command.name.as_deref().map(Claim::name).transpose().map_err(no_name)?;
            let chosen = engine::launch(command.engine, &spec)?;
            let mut child = Child::new(chosen, ours, spec.hold, start);
            child.register(claim, &command.args)?;
            Ok(child)
        })
    }

    /// Starts the command in a namespace that is there.
    pub(crate) fn spawn_in(&mut self, namespace: &PidNamespace) -> Result<Child, SpawnError> {
        let start = Instant::now();
        self.traced(|command| {
            let (spec, ours) = command.ready(Stdio::inherit, Stdio::inherit)?;
            let visited = namespace.try_clone();
            let visited = visited.map_err(|error| SpawnError::of_io(Stage::Descriptors, &error))?;
            let chosen = enter::launch(namespace, spec)?;
            Ok(Child::new(chosen, ours, false, start).visiting(visited))
        })
    }

    fn traced(
        &self,
        spawn: impl FnOnce(&Self) -> Result<Child, SpawnError>,
    ) -> Result<Child, SpawnError> {
        let spawned = spawn(self);
        match &spawned {
            Ok(child) => trace::launched(child.report(), &self.args[0]),
            Err(error) => trace::not_launched(*error, &self.args[0]),
        }
        spawned
    }

    /// What an engine has to know, and the caller's ends of pipes.
    fn ready(
        &self,
        stdin: fn() -> Stdio,
        outputs: fn() -> Stdio,
    ) -> Result<(Spec, [Option<OwnedFd>; 3]), SpawnError> {
        let open = |stdio: &Option<Stdio>, direction, default: fn() -> Stdio| match stdio {
            Some(stdio) => stdio.open(direction),
            None => default().open(direction),
        };
        let stdin = open(&self.stdin, Direction::Read, stdin)?;
        let stdout = open(&self.stdout, Direction::Write, outputs)?;
        let stderr = open(&self.stderr, Direction::Write, outputs)?;
        let (theirs, ours): (Vec<_>, Vec<_>) = [stdin, stdout, stderr]
            .into_iter()
            .map(|Opened { theirs, ours }| (theirs, ours))
            .unzip();
        let stdio = theirs.try_into().expect("three descriptors");
        Ok((self.spec(stdio)?, ours.try_into().expect("three descriptors")))
    }

    fn spec(&self, stdio: [Option<OwnedFd>; 3]) -> Result<Spec, SpawnError> {
        let hold = self.leftovers == Leftovers::List;
        if hold && self.number_one == NumberOne::Command {
            // When number 1 ends, the others are killed with it: there is no moment for a look.
            return Err(SpawnError::new(Stage::Arguments, Errno::NOTSUP));
        }
        Ok(Spec {
            args: self.args.iter().map(|arg| c_string(arg.clone())).collect::<Result<_, _>>()?,
            env: self.environment()?,
            directory: self.directory.clone().map(|d| c_string(d.into_os_string())).transpose()?,
            stdio,
            number_one: self.number_one,
            proc: self.proc,
            map: self.map,
            mask: self.mask,
            descriptors: self.descriptors,
            timeout: self.timeout,
            signal: self.signal,
            grace: self.grace,
            hold,
            bound: self.bound,
            beside: None,
        })
    }

    /// The caller's environment to the last odd entry, with the changes.
    fn environment(&self) -> Result<Vec<CString>, SpawnError> {
        let mut all = if self.env_clear { Vec::new() } else { environ::snapshot() };
        if !self.env.is_empty() {
            all.retain(|entry| !self.env.contains_key(OsStr::from_bytes(key(entry.to_bytes()))));
        }
        for (key, value) in &self.env {
            let Some(value) = value else { continue };
            let entry = [key.as_bytes(), b"=", value.as_bytes()].concat();
            all.push(c_string(OsString::from_vec(entry))?);
        }
        Ok(all)
    }
}

fn no_name(error: io::Error) -> SpawnError {
    SpawnError::of_io(Stage::Name, &error)
}

/// The name in `name=value`. A first `=` belongs to the name, as std has it.
fn key(entry: &[u8]) -> &[u8] {
    let end = entry.iter().skip(1).position(|byte| *byte == b'=').map_or(entry.len(), |at| at + 1);
    &entry[..end]
}

fn c_string(text: OsString) -> Result<CString, SpawnError> {
    CString::new(text.into_vec()).map_err(|_| SpawnError::new(Stage::Arguments, Errno::INVAL))
}

fn read_all(pipe: Option<io::PipeReader>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
