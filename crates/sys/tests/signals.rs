//! Signals as data.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::ffi::CString;
use std::process::Command;

use pidns_sys::launch::{self, Namespaces, OnFailure, ShellArgs, Step, Strings};
use pidns_sys::signal::{self, Blocked, Signal, SignalSet, Taken};
use pidns_sys::wait::{self, Change, Wanted};
use pidns_testkit::{again, eventually};

#[test]
fn sets_hold_all_64_signals() {
    for signal in (1..=64).filter_map(Signal::new) {
        let set = SignalSet::EMPTY.with(signal);
        assert_eq!(set.bits(), 1 << (signal.number() - 1));
        assert!(set.contains(signal) && !SignalSet::FULL.without(signal).contains(signal));
        assert_eq!(set.without(signal), SignalSet::EMPTY);
    }
}

#[test]
fn a_guard_blocks_all_and_restores_what_was() {
    let before = signal::set_mask(SignalSet::EMPTY.with(Signal::WINCH));
    let own = signal::mask();
    {
        let _guard = Blocked::new();
        let unblockable = SignalSet::EMPTY.with(Signal::KILL).with(Signal::STOP);
        assert_eq!(signal::mask().bits() | unblockable.bits(), SignalSet::FULL.bits());
    }
    assert_eq!(signal::mask(), own);
    signal::set_mask(before);
}

/// The next signal, which has to come.
fn next(descriptor: &std::os::fd::OwnedFd) -> Taken {
    let mut taken = None;
    eventually("a signal", || {
        taken = signal::take(descriptor).unwrap();
        taken.is_some()
    });
    taken.unwrap()
}

#[test]
fn a_signal_is_taken_with_its_sender_and_reason() {
    const NAME: &str = "a_signal_is_taken_with_its_sender_and_reason";
    if again::role().is_none() {
        return with_all_blocked(NAME);
    }
    let usr1: Signal = "USR1".parse().unwrap();
    let last = Signal::new(64).unwrap();
    let descriptor =
        signal::descriptor(SignalSet::EMPTY.with(usr1).with(last).with(Signal::CHLD)).unwrap();
    assert_eq!(signal::take(&descriptor).unwrap(), None);

    let own = std::process::id();
    signal::send_to_self(usr1).unwrap();
    let taken = next(&descriptor);
    assert_eq!((taken.signal, taken.code, taken.sender), (usr1, 0, own));
    assert!(taken.from_process());

    // Real-time signals queue.
    for _ in 0..3 {
        signal::send_to_self(last).unwrap();
    }
    for _ in 0..3 {
        assert_eq!(next(&descriptor).signal, last);
    }

    let mut child = Command::new("sh").args(["-c", "exit 3"]).spawn().unwrap();
    let taken = next(&descriptor);
    assert_eq!((taken.signal, taken.sender), (Signal::CHLD, child.id()));
    assert!(!taken.from_process(), "the kernel makes it: {taken:?}");
    child.wait().unwrap();
}

/// Runs the test `name` again with all signals blocked in every thread, so that none but the one asked takes any.
fn with_all_blocked(name: &str) {
    let strings = |words: Vec<Vec<u8>>| -> Vec<CString> {
        words.into_iter().map(|word| CString::new(word).unwrap()).collect()
    };
    let program = std::env::current_exe().unwrap().into_os_string().into_encoded_bytes();
    let front = [program].into_iter();
    let args = strings(front.chain(again::arguments(name).map(|word| word.into())).collect());
    let (key, role) = again::variable("caller");
    let env = strings(vec![format!("{key}={role}").into_bytes()]);
    let path = args[0].as_c_str();
    let args = Strings::new(args.iter().map(CString::as_c_str));
    let env = Strings::new(env.iter().map(CString::as_c_str));
    let shell = ShellArgs::new(&args);
    let steps = [
        (Step::SignalMask(SignalSet::FULL), OnFailure::Fail),
        (Step::Execute { paths: &[path], args: &args, env: &env, shell: &shell }, OnFailure::Fail),
    ];
    let launched = launch::launch(Namespaces::empty(), &steps).unwrap();
    let end = wait::change_of(&launched.pidfd, Wanted::EXITED).unwrap();
    assert_eq!(end, Some(Change::Exited(0)));
}
