//! Files, locks, and descriptors that travel.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use pidns_sys::file::{self, Lock, Wait};
use pidns_sys::{Errno, pidfd, poll, socket, system, tty};

/// A file that is removed at the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pidns-sys-{name}-{}", std::process::id()));
        fs::write(&path, "x").expect("the directory for temporary files is writable");
        Self(path)
    }

    fn open(&self) -> File {
        File::options().read(true).write(true).open(&self.0).expect("it is there")
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_lock_keeps_others_out_until_its_file_is_closed() {
    let path = Temporary::new("lock");
    let (first, second) = (path.open(), path.open());
    file::lock(&first, 0, Lock::Exclusive, Wait::No).expect("nobody has it");
    assert_eq!(file::lock(&second, 0, Lock::Exclusive, Wait::No), Err(Errno::AGAIN));
    assert_eq!(file::is_locked(&second, 0), Ok(true));
    assert_eq!(file::is_locked(&second, 1), Ok(false), "another byte");
    assert_eq!(file::is_locked(&first, 0), Ok(false), "its own is no other's");
    // A copy of the descriptor is the same open file.
    let copy = first.try_clone().expect("descriptors are left");
    drop(first);
    assert_eq!(file::is_locked(&second, 0), Ok(true));
    drop(copy);
    assert_eq!(file::is_locked(&second, 0), Ok(false));
}

#[test]
fn those_who_wait_for_a_lock_do_not_look_like_who_has_it() {
    let path = Temporary::new("shared");
    let (holder, waiter, observer) = (path.open(), path.open(), path.open());
    file::lock(&holder, 0, Lock::Exclusive, Wait::No).expect("nobody has it");
    let thread = std::thread::spawn(move || {
        file::lock(&waiter, 0, Lock::Shared, Wait::Yes).expect("it can be waited for");
        waiter
    });
    drop(holder);
    let waiter = thread.join().expect("it does not panic");
    assert_eq!(file::is_locked(&observer, 0), Ok(false));
    drop(waiter);
}

#[test]
fn a_lock_ends_with_a_process_that_is_killed() {
    let path = Temporary::new("killed");
    let held = path.open();
    file::lock(&held, 0, Lock::Exclusive, Wait::No).expect("nobody has it");
    // The child gets the only other descriptor, as standard input.
    let copy = OwnedFd::from(held.try_clone().expect("descriptors are left"));
    let mut child = Command::new("sleep").arg("1000").stdin(copy).spawn().expect("it is there");
    drop(held);
    let other = path.open();
    assert_eq!(file::is_locked(&other, 0), Ok(true));
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    assert_eq!(file::is_locked(&other, 0), Ok(false));
}

#[test]
fn a_file_in_memory_holds_what_it_is_given() {
    let bytes: Vec<u8> = (0..100_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let file = file::in_memory("test", &bytes).expect("there is memory");
    let mut read = Vec::new();
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    File::open(path).expect("it is there").read_to_end(&mut read).expect("it can be read");
    assert!(read == bytes);
}

#[test]
fn who_may_write_is_told_and_places_are_directories() {
    let path = Temporary::new("place");
    assert_eq!(file::may_write(&path.0), Ok(()));
    assert_eq!(file::may_write(&path.0.join("x")), Err(Errno::NOTDIR));
    assert_eq!(file::open_place(&path.0).map(drop), Err(Errno::NOTDIR));
    assert!(file::open_place(std::path::Path::new("/")).is_ok());
}

#[test]
fn descriptors_travel_with_bytes() {
    let (mut here, there) = UnixStream::pair().expect("descriptors are left");
    let pipes: Vec<_> = (0..7).map(|_| std::io::pipe().expect("descriptors are left")).collect();
    let fds: Vec<_> = pipes.iter().map(|(_, writer)| writer.as_fd()).collect();
    socket::send_with_descriptors(&here, b"g", &fds).expect("there is room");
    let mut byte = [0];
    let got = socket::receive_with_descriptors::<7>(&there, &mut byte).expect("it is there");
    assert_eq!((byte, got.len()), ([b'g'], 7));
    for (n, ((mut reader, writer), fd)) in (0u8..).zip(pipes.into_iter().zip(got)) {
        drop(writer);
        File::from(fd).write_all(&[n]).expect("it reads");
        let mut text = Vec::new();
        reader.read_to_end(&mut text).expect("it can be read");
        assert_eq!(text, [n]);
    }
    // Without any, and the end.
    here.write_all(b"m").expect("it reads");
    let got = socket::receive_with_descriptors::<7>(&there, &mut byte).expect("it is there");
    assert_eq!((byte, got.len()), ([b'm'], 0));
    let many = vec![here.as_fd(); 17];
    let refused = socket::send_with_descriptors(&here, b"x", &many);
    assert_eq!(refused, Err(Errno::TOOBIG));
}

#[test]
fn a_pidfd_hangs_up_once_its_process_is_collected() {
    let mut child = Command::new("true").spawn().expect("it is there");
    let pidfd = pidfd::open(child.id()).expect("it is ours");
    poll::readable([pidfd.as_fd()], None).expect("it can be waited for");
    assert_eq!(poll::hung_up(pidfd.as_fd(), Duration::ZERO), Ok(false), "a zombie is still there");
    child.wait().expect("it is ours");
    if poll::hung_up(pidfd.as_fd(), Duration::ZERO) != Ok(true) {
        println!("skipped: pidfds do not hang up on this kernel");
    }
}

#[test]
fn the_machine_has_a_name_and_a_file_no_columns() {
    let name = system::name();
    assert!(name.release.starts_with(|c: char| c.is_ascii_digit()), "{name:?}");
    assert!(!name.machine.is_empty());
    let path = Temporary::new("columns");
    assert_eq!(tty::columns(path.open()), None);
}
