//! A supervisor for one image: the other end of the socket.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::{io, ptr};

use pidns_init::protocol::{
    CONTROL_FD, Config, Event, EventKind, MAGIC, Request, RequestKind, Role, WATCH_FD,
};

use super::seccomp::{filter, refuse};
use super::{image, pidfd, set_disposition, unprivileged, wait_readable};

/// What is to be started, and how.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) command: Vec<CString>,
    pub(crate) environment: Vec<CString>,
    /// Descriptors 0, 1 and 2, /dev/null where there is none.
    pub(crate) stdio: [Option<OwnedFd>; 3],
    /// The supervisor has gone before the image starts.
    pub(crate) supervisor_dead: bool,
    /// How SIGCHLD is taken when the image starts.
    pub(crate) ignore_sigchld: bool,
    /// Sends no [`Config`].
    pub(crate) silent: bool,
    /// Few events fit into the socket.
    pub(crate) small_buffer: bool,
    /// System calls that fail, and how: seccomp(2).
    pub(crate) refused: Vec<(libc::c_long, i32)>,
}

/// A command to be run by number 1 of a new namespace.
pub(crate) fn command<S: AsRef<OsStr>>(command: &[S]) -> Setup {
    let c_string = |bytes: &[u8]| CString::new(bytes).unwrap();
    let environment = std::env::vars_os()
        .map(|(name, value)| c_string(&[name.as_bytes(), b"=", value.as_bytes()].concat()))
        .collect();
    Setup {
        config: Config {
            magic: MAGIC,
            role: Role::Init as u32,
            flags: 0,
            signal: libc::SIGTERM as u32,
            timeout_ns: 0,
            grace_ns: 0,
            sigmask: 0,
            moved: [-1, -1],
        },
        command: command.iter().map(|argument| c_string(argument.as_ref().as_bytes())).collect(),
        environment,
        stdio: [None, None, None],
        supervisor_dead: false,
        ignore_sigchld: false,
        silent: false,
        small_buffer: false,
        refused: Vec::new(),
    }
}

/// A shell script to be run by number 1 of a new namespace.
pub(crate) fn shell(script: &str) -> Setup {
    command(&["sh", "-c", script])
}

/// A guard of nothing yet.
pub(crate) fn guard() -> Setup {
    command::<&str>(&[]).with(|config| config.role = Role::Guard as u32)
}

/// A running image with its supervisor. Dropping it leaves nothing behind.
pub(crate) struct Job {
    /// The image's number outside.
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    /// The supervisor's end; `None` once it is closed.
    pub(crate) socket: Option<OwnedFd>,
    supervisor: Child,
    reaped: bool,
}

impl Setup {
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    pub(crate) fn timeout(self, ms: u64) -> Self {
        self.with(|config| config.timeout_ns = ms * 1_000_000)
    }

    pub(crate) fn grace(self, ms: u64) -> Self {
        self.with(|config| config.grace_ns = ms * 1_000_000)
    }

    pub(crate) fn hold(self) -> Self {
        self.with(|config| config.flags |= Config::HOLD)
    }

    /// Connects the command's descriptor `fd` with the end of a pipe that is returned.
    pub(crate) fn pipe(&mut self, fd: usize) -> File {
        let (read, write) = super::pipe();
        let (ours, theirs) = if fd == 0 { (write, read) } else { (read, write) };
        self.stdio[fd] = Some(theirs.into());
        ours
    }

    /// Starts the image as number 1, or says why the test is skipped.
    pub(crate) fn start(self) -> Option<Job> {
        let mut supervisor =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let watch = pidfd(supervisor.id() as i32);
        if self.supervisor_dead {
            supervisor.kill().unwrap();
            supervisor.wait().unwrap();
        }
        let (ours, theirs) = socket_pair();
        if !self.silent {
            send(&ours, &self.config);
        }
        if self.small_buffer {
            let least = 1_i32;
            // SAFETY: one integer.
            let set = unsafe {
                let value = (&raw const least).cast();
                libc::setsockopt(theirs.as_raw_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, value, 4)
            };
            assert_eq!(set, 0);
        }
        match self.clone_and_exec(&theirs, &watch) {
            Ok(pid) => {
                Some(Job { pid, pidfd: pidfd(pid), socket: Some(ours), supervisor, reaped: false })
            }
            Err(error) => {
                let _ = (supervisor.kill(), supervisor.wait());
                assert_eq!(error.raw_os_error(), Some(libc::EPERM), "clone: {error}");
                eprintln!("skipped: no PID namespace can be made here: {error}");
                None
            }
        }
    }

    fn clone_and_exec(&self, control: &OwnedFd, watch: &OwnedFd) -> io::Result<i32> {
        let arguments: Vec<&CString> = self.command.iter().collect();
        let (name, flag, end) =
            (c"pidns-init".to_owned(), c"--supervised".to_owned(), c"--".to_owned());
        let argv = pointers([&name, &flag, &end].into_iter().chain(arguments));
        let envp = pointers(self.environment.iter());
        let path = CString::new(image().as_os_str().as_bytes()).unwrap();
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        let stdio =
            [0, 1, 2].map(|n| self.stdio[n].as_ref().map_or(null.as_raw_fd(), AsRawFd::as_raw_fd));
        let flags = libc::SIGCHLD
            | match self.config.role == Role::Init as u32 {
                true if unprivileged() => libc::CLONE_NEWPID | libc::CLONE_NEWUSER,
                true => libc::CLONE_NEWPID,
                false => 0,
            };
        let mut filter = filter(&self.refused);
        // SAFETY: without a stack of its own the child is as after fork(2); it calls only what is allowed there, with
        // memory that has been made before.
        unsafe {
            let pid = libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) as i32;
            if pid != 0 {
                return if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid) };
            }
            // Out of the way of the targets first.
            let high = |fd| libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 100);
            let from = [
                high(stdio[0]),
                high(stdio[1]),
                high(stdio[2]),
                high(control.as_raw_fd()),
                high(watch.as_raw_fd()),
            ];
            for (to, from) in [0, 1, 2, CONTROL_FD, WATCH_FD].into_iter().zip(from) {
                libc::dup2(from, to);
            }
            // Something that the supervisor has left open, and nothing that the test was started with.
            libc::dup2(0, 9);
            libc::syscall(libc::SYS_close_range, 10, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
            for signal in 1..=64 {
                set_disposition(signal, libc::SIG_DFL);
            }
            // As in any Rust program.
            set_disposition(libc::SIGPIPE, libc::SIG_IGN);
            if self.ignore_sigchld {
                set_disposition(libc::SIGCHLD, libc::SIG_IGN);
            }
            if !self.refused.is_empty() {
                refuse(&mut filter);
            }
            libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr());
            libc::_exit(126)
        }
    }
}

fn pointers<'a>(strings: impl Iterator<Item = &'a CString>) -> Vec<*const libc::c_char> {
    strings.map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

fn socket_pair() -> (OwnedFd, OwnedFd) {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors, which are new and nobody else's.
    unsafe {
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
        assert_eq!(libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()), 0);
        (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
    }
}

fn send<T>(socket: &OwnedFd, record: &T) {
    try_send(socket, record).expect("send");
}

fn try_send<T>(socket: &OwnedFd, record: &T) -> io::Result<()> {
    // SAFETY: the records of the protocol are integers without gaps.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            ptr::from_ref(record).cast(),
            size_of::<T>(),
            libc::MSG_NOSIGNAL,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    assert_eq!(sent, size_of::<T>() as isize, "a record goes as a whole");
    Ok(())
}

impl Job {
    /// The next event; `None` at the end.
    pub(crate) fn next(&self) -> Option<Event> {
        let socket = self.socket.as_ref().unwrap();
        wait_readable("an event", socket);
        let mut event = MaybeUninit::<Event>::uninit();
        // SAFETY: at most one event is written, and any integers make one.
        unsafe {
            let size = size_of::<Event>();
            let length = libc::recv(socket.as_raw_fd(), event.as_mut_ptr().cast(), size, 0);
            let error = io::Error::last_os_error();
            match length {
                0 => None,
                n if n == size as isize => Some(event.assume_init()),
                // It has ended with requests unread, which is told once, and before what it has sent.
                -1 if error.kind() == io::ErrorKind::ConnectionReset => self.next(),
                _ => panic!("recv: {length}: {error}"),
            }
        }
    }

    /// The next event, which must be a `kind`.
    pub(crate) fn expect(&self, kind: EventKind) -> Event {
        let event = self.next().unwrap_or_else(|| panic!("the image has gone instead of {kind:?}"));
        assert_eq!(event.kind, kind as u32, "{event:?} instead of {kind:?}");
        event
    }

    pub(crate) fn request(&self, kind: RequestKind, value: i32) {
        send(self.socket.as_ref().unwrap(), &Request { kind: kind as u32, value: value as u32 });
    }

    /// As [`request`](Self::request), and says whether there is still somebody to ask.
    pub(crate) fn request_unless_ended(&self, kind: RequestKind, value: i32) -> bool {
        let request = Request { kind: kind as u32, value: value as u32 };
        match try_send(self.socket.as_ref().unwrap(), &request) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => false,
            sent => {
                sent.expect("send");
                true
            }
        }
    }

    pub(crate) fn send_raw(&self, bytes: &[u8]) {
        // SAFETY: the kernel reads the bytes.
        let sent = unsafe {
            libc::send(
                self.socket.as_ref().unwrap().as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_NOSIGNAL,
            )
        };
        assert_eq!(sent, bytes.len() as isize);
    }

    /// The next event that is no stop and no continuation.
    pub(crate) fn expect_end(&self, kind: EventKind) -> Event {
        loop {
            let event =
                self.next().unwrap_or_else(|| panic!("the image has gone instead of {kind:?}"));
            if ![EventKind::Stopped as u32, EventKind::Continued as u32].contains(&event.kind) {
                assert_eq!(event.kind, kind as u32, "{event:?} instead of {kind:?}");
                return event;
            }
        }
    }

    /// Sends a descriptor, as number 1 does to its guard.
    pub(crate) fn send_fd(&self, fd: &OwnedFd) {
        let mut byte = 0_u8;
        let mut vector = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        // SAFETY: one message with one descriptor, all of it on this stack.
        unsafe {
            let mut control = [0_u64; 4];
            let mut message: libc::msghdr = std::mem::zeroed();
            message.msg_iov = &raw mut vector;
            message.msg_iovlen = 1;
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = libc::CMSG_SPACE(4) as _;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(4) as _;
            libc::CMSG_DATA(header).cast::<i32>().write_unaligned(fd.as_raw_fd());
            let sent =
                libc::sendmsg(self.socket.as_ref().unwrap().as_raw_fd(), &raw const message, 0);
            assert_eq!(sent, 1, "sendmsg: {}", io::Error::last_os_error());
        }
    }

    pub(crate) fn kill_supervisor(&mut self) {
        self.supervisor.kill().unwrap();
        self.supervisor.wait().unwrap();
    }

    /// Waits for the image's end. When this returns, nothing is left of its namespace.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_readable("the image's end", &self.pidfd);
        let mut status = 0;
        // SAFETY: our child, waited for once.
        assert_eq!(unsafe { libc::waitpid(self.pid, &raw mut status, 0) }, self.pid);
        self.reaped = true;
        ExitStatus::from_raw(status)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let _ = (self.supervisor.kill(), self.supervisor.wait());
        if !self.reaped {
            // SAFETY: our child, not yet waited for.
            unsafe {
                libc::kill(self.pid, libc::SIGKILL);
                libc::waitpid(self.pid, ptr::null_mut(), 0);
            }
        }
    }
}
