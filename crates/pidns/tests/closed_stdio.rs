//! Callers without standard descriptors, as daemons may be.
#![forbid(unsafe_code)]

mod support;

use std::fs;

use pidns::Stdio;
use pidns_testkit::{again, user};
use support::both;

/// Closes the standard descriptor `n`, in a process that plays a role with nothing else in it.
fn close(n: i32) {
    nix::unistd::close(n).expect("it is open");
}

/// Writes to `$OUT` which of 0, 1 and 2 are open, with nothing but what the shell does by itself.
const OPEN: &str = "open=; for n in 0 1 2; do [ -L /proc/self/fd/$n ] && open=$open$n; done; echo $open: >\"$OUT\"";

#[test]
fn what_is_closed_stays_closed() {
    const NAME: &str = "what_is_closed_stays_closed";
    let out =
        |name: &str| std::env::temp_dir().join(format!("pidns-{name}-{}", std::process::id()));
    if let Some(role) = again::role() {
        let out = out("closed");
        for n in [0, 1, 2].into_iter().filter(|n| role.contains(&n.to_string())) {
            close(n);
        }
        both_silently(|mode| {
            let status = mode.shell(OPEN).env("OUT", &out).status().unwrap();
            let open = fs::read_to_string(&out).unwrap();
            fs::remove_file(&out).unwrap();
            assert!(status.success());
            let expected: String = "012".chars().filter(|n| !role.contains(*n)).collect();
            assert_eq!(open, format!("{expected}:\n"));
        });
        return;
    }
    for role in ["0", "1", "2", "01", "02", "12", "012"] {
        let status = again::command(NAME, role).status().unwrap();
        assert!(status.success(), "without {role}: {status}");
    }
}

/// As [`both`], for those who cannot say anything.
fn both_silently(mut test: impl FnMut(support::Mode)) {
    for mode in [support::Mode::Init, support::Mode::AsInit] {
        test(mode);
    }
}

#[test]
fn a_pipe_does_not_get_into_a_closed_place() {
    const NAME: &str = "a_pipe_does_not_get_into_a_closed_place";
    if again::role().is_none() {
        return again::run(&mut again::command(NAME, "caller"));
    }
    let out = std::env::temp_dir().join(format!("pidns-pipe-{}", std::process::id()));
    close(0);
    both(|mode| {
        let mut command = mode.shell(&format!("{OPEN}; echo out"));
        let output = command.env("OUT", &out).stdin(Stdio::inherit()).output().unwrap();
        let open = fs::read_to_string(&out).unwrap();
        fs::remove_file(&out).unwrap();
        assert_eq!((open.as_str(), &output.stdout[..]), ("12:\n", &b"out\n"[..]));
    });
}

#[test]
fn what_an_exec_is_to_close_does_not_become_standard_input() {
    const NAME: &str = "what_an_exec_is_to_close_does_not_become_standard_input";
    if again::role().is_none() {
        return again::run(&mut again::command(NAME, "caller"));
    }
    let out = std::env::temp_dir().join(format!("pidns-secret-{}", std::process::id()));
    close(0);
    // std opens files to be closed at an exec, and this one takes the lowest number.
    let _secret = fs::File::open("/dev/zero").unwrap();
    assert_eq!(fs::read_link("/proc/self/fd/0").unwrap().to_str(), Some("/dev/zero"));
    both(|mode| {
        let status = mode.shell(OPEN).env("OUT", &out).status().unwrap();
        let open = fs::read_to_string(&out).unwrap();
        fs::remove_file(&out).unwrap();
        assert!(status.success());
        assert_eq!(open, "12:\n");
    });
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[]);
}
