//! Descriptors: copies, packets, programs without a name, waiting; and the environment.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use pidns_sys::socket::{self, Mode};
use pidns_sys::{Errno, environ, fd, poll, program};
use pidns_testkit::{again, find};
use rustix::fs::SealFlags;
use rustix::io::{FdFlags, fcntl_getfd};

fn closes_at_exec(fd: &OwnedFd) -> bool {
    fcntl_getfd(fd).unwrap().contains(FdFlags::CLOEXEC)
}

#[test]
fn copies_are_at_or_above_the_number_that_is_asked_for() {
    let null = fd::dev_null().unwrap();
    assert!(closes_at_exec(&null));
    let copy = fd::copy_above(&null, 100).unwrap();
    assert!(copy.as_raw_fd() >= 100 && closes_at_exec(&copy));
    let number = copy.as_raw_fd();
    assert_eq!(fd::at_or_above(copy, 50).unwrap().as_raw_fd(), number, "it is high enough");
    let moved = fd::at_or_above(null, 200).unwrap();
    assert!(moved.as_raw_fd() >= 200 && closes_at_exec(&moved));
}

#[test]
fn a_pipe_leads_from_its_second_end_to_its_first() {
    let (read, write) = fd::pipe().unwrap();
    assert!(closes_at_exec(&read) && closes_at_exec(&write));
    std::fs::File::from(write).write_all(b"through").unwrap();
    let mut text = String::new();
    std::fs::File::from(read).read_to_string(&mut text).unwrap();
    assert_eq!(text, "through");
}

#[test]
fn packets_stay_apart_and_an_end_is_an_end() {
    let (a, b) = socket::pair().unwrap();
    assert!(closes_at_exec(&a) && closes_at_exec(&b));
    let mut buffer = [0; 8];
    assert_eq!(socket::receive(&b, &mut buffer, Mode::NonBlock), Err(Errno::AGAIN));
    socket::send(&a, b"one").unwrap();
    socket::send(&a, b"three").unwrap();
    assert_eq!(socket::receive(&b, &mut buffer, Mode::Block), Ok(3));
    assert_eq!(socket::receive(&b, &mut buffer, Mode::NonBlock), Ok(5));
    assert_eq!(&buffer[..5], b"three");
    drop(a);
    assert_eq!(socket::receive(&b, &mut buffer, Mode::Block), Ok(0));
    assert_eq!(socket::send(&b, b"x"), Err(Errno::PIPE), "and no SIGPIPE");
}

#[test]
fn a_program_in_memory_cannot_be_changed() {
    let program = program::in_memory("sealed", b"content").unwrap();
    assert!(closes_at_exec(&program));
    let seals = rustix::fs::fcntl_get_seals(&program).unwrap();
    assert!(
        seals.contains(SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)
    );
    assert_eq!(rustix::io::write(&program, b"x"), Err(Errno::PERM));
    assert_eq!(rustix::fs::ftruncate(&program, 3), Err(Errno::PERM));
}

#[test]
fn a_program_in_an_unnamed_file_can_be_read_only() {
    let program = match program::in_unnamed_file("/tmp", b"content") {
        Err(errno @ (Errno::ACCESS | Errno::OPNOTSUPP)) => {
            pidns_testkit::skipped!("/tmp takes none: {errno}");
            return;
        }
        program => program.unwrap(),
    };
    assert_eq!(rustix::io::write(&program, b"x"), Err(Errno::BADF));
    assert_eq!(rustix::fs::fstat(&program).unwrap().st_nlink, 0);
    assert_eq!(program::in_unnamed_file("/nonexistent", b"").unwrap_err(), Errno::NOENT);
}

#[test]
fn a_wait_says_which_descriptor_it_was_for() {
    let (a, mut b) = UnixStream::pair().unwrap();
    let (idle, _other) = UnixStream::pair().unwrap();
    let fds = || [a.as_fd(), idle.as_fd()];
    let start = Instant::now();
    assert_eq!(poll::readable(fds(), Some(Duration::from_millis(20))), Ok([false, false]));
    assert!(start.elapsed() >= Duration::from_millis(20));
    b.write_all(b"x").unwrap();
    assert_eq!(poll::readable(fds(), None), Ok([true, false]));
    drop(b);
    assert_eq!(poll::readable(fds(), Some(Duration::MAX)), Ok([true, false]), "an end is one too");
    assert_eq!(poll::hung_up(a.as_fd(), Duration::ZERO), Ok(true));
    assert_eq!(poll::hung_up(idle.as_fd(), Duration::ZERO), Ok(false));
}

#[test]
fn the_environment_is_copied_to_the_last_odd_entry() {
    const NAME: &str = "the_environment_is_copied_to_the_last_odd_entry";
    if again::role().is_some() {
        let copy = environ::snapshot();
        let copy: Vec<u8> =
            copy.iter().flat_map(|entry| entry.to_bytes_with_nul()).copied().collect();
        assert_eq!(copy, std::fs::read("/proc/self/environ").unwrap());
        assert!(copy.split(|byte| *byte == 0).any(|entry| entry == b"no equals sign"));
        return;
    }
    // No shell makes such an environment.
    let Some(python) = find("python3") else { return };
    let (key, role) = again::variable("caller");
    let script = format!(
        "import ctypes, sys
def array(list): return (ctypes.c_char_p * (len(list) + 1))(*list, None)
program = sys.argv[1].encode()
env = [b'{key}={role}', b'no equals sign', b'', b'=x', b'same=1', b'same=2', b'b=\\xff\\xfe', b'e=']
ctypes.CDLL(None).execve(program, array([program] + [word.encode() for word in sys.argv[2:]]), array(env))"
    );
    let mut command = std::process::Command::new(python);
    command.args(["-c", &script]).arg(std::env::current_exe().unwrap());
    again::run(command.args(again::arguments(NAME)));
}
