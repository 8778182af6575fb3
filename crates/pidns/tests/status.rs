//! The caller gets the command's own end.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::os::unix::process::ExitStatusExt;

use pidns::Signal;
use pidns_testkit::{proc, user};
use support::{Mode, both};

#[test]
fn every_exit_code() {
    both(|mode| {
        for code in 0..=255 {
            let status = mode.shell(&format!("exit {code}")).status().unwrap();
            assert_eq!((status.code(), status.signal()), (Some(code), None));
            assert_eq!(std::process::ExitStatus::from(status).code(), Some(code));
        }
    });
}

/// Signals that end a process, if they are not ignored here (glibc's posix_spawn(3) leaves 32 and 33 ignored).
fn deadly() -> impl Iterator<Item = i32> {
    let harmless = [17, 18, 19, 20, 21, 22, 23, 28];
    let ignored = proc::status(std::process::id(), "SigIgn").unwrap();
    let ignored = u64::from_str_radix(&ignored, 16).unwrap() & !(1 << (Signal::PIPE.number() - 1));
    let is_ignored = move |number: &i32| ignored & 1 << (number - 1) != 0;
    (1..=64).filter(move |number| !harmless.contains(number) && !is_ignored(number))
}

#[test]
fn every_signal_that_a_command_sends_to_itself() {
    for number in deadly() {
        let script = format!("ulimit -c 0; kill -{number} $$; exit 77");
        let status = Mode::Init.shell(&script).status().unwrap();
        assert_eq!((status.code(), status.signal()), (None, Signal::new(number)));
        assert_eq!(std::process::ExitStatus::from(status).signal(), Some(number));
        assert_eq!(i32::from(status.shell_code()), 128 + number);
    }
}

#[test]
fn every_signal_from_outside() {
    for number in deadly() {
        let mut child = Mode::Init.command("sleep").arg("300").spawn().unwrap();
        child.signal(Signal::new(number).unwrap()).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Signal::new(number));
    }
}

#[test]
fn a_number_1_is_not_hurt_by_signals_it_does_not_handle() {
    let script = "for n in 1 3 6 9 10 13 14 15 34 64; do kill -$n $$; done; exit 3";
    assert_eq!(Mode::AsInit.shell(script).status().unwrap().code(), Some(3));
}

#[test]
fn a_fault_ends_even_number_1() {
    let Some(_) = pidns_testkit::find("python3") else { return };
    both(|mode| {
        let script = "ulimit -c 0; exec python3 -c 'import ctypes; ctypes.string_at(0)'";
        let status = mode.shell(script).status().unwrap();
        assert_eq!(status.signal().map(Signal::number), Some(11), "{status}");
    });
}

#[test]
fn a_core_dump_is_told() {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with(['|', '/', '@']) {
        pidns_testkit::skipped!("cores go to {pattern}");
        return;
    }
    let directory = std::env::temp_dir().join(format!("pidns-core-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let mut command = Mode::Init.shell("ulimit -c unlimited && kill -QUIT $$; exit 77");
    let status = command.current_dir(&directory).status().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    if status.code() == Some(77) {
        pidns_testkit::skipped!("cores are limited");
        return;
    }
    assert_eq!((status.signal().map(Signal::number), status.core_dumped()), (Some(3), true));
}

#[test]
fn the_end_of_number_1_is_the_status_if_it_comes_first() {
    both(|mode| {
        let mut child = mode.shell("sleep 300; :").spawn().unwrap();
        child.namespace().unwrap().destroy().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(Signal::KILL));
        assert_eq!(child.wait().unwrap(), status, "it can be asked again");
    });
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[]);
}
