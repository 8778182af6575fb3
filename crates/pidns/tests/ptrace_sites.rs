//! Call sites that look at paths themselves, in the ptrace engine: nothing but the time that a call takes is to tell.
#![cfg(target_arch = "x86_64")]

#[path = "ptrace_support/mod.rs"]
mod support;

use std::time::Duration;

use pidns::{Command, Engine};
use pidns_sys::landlock::Ruleset;
use support::built;

/// What the program inside writes; `None` where it cannot be built, or sites are left as they are.
fn sites(what: &str) -> Option<String> {
    if Ruleset::signals_stay_inside().is_err() {
        println!("skipped: no Landlock that keeps signals inside, so sites are left as they are");
        return None;
    }
    let place = built("sites")?;
    let output = Command::new(place.path().join("sites"))
        .arg(what)
        .engine(Engine::Ptrace)
        .timeout(Duration::from_secs(60))
        .output()
        .expect("it runs inside");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{:?}", output.status);
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What it writes is this, and so it does outside, but for the first words.
fn shows(what: &str, wanted: &str) {
    if let Some(shown) = sites(what) {
        assert_eq!(shown, wanted, "{what}");
    }
}

#[test]
fn a_call_leaves_registers_and_the_red_zone_alone() {
    shows("often", "equipped\n");
}

#[test]
fn a_bad_path_is_the_kernels_to_fail() {
    // EFAULT and ENAMETOOLONG; and no signal.
    shows("bad-paths", "-14 -14 -14 -14 -14 -14 -36 0 equipped\n");
}

#[test]
fn a_stack_without_room_is_enough() {
    shows("end-of-stack", "0 0 -2 equipped\n");
}

#[test]
fn numbers_are_those_of_the_inside() {
    shows("in-proc", "2 2 2 2 2 2 equipped\n");
}

#[test]
fn forks_and_threads_go_on_with_it() {
    shows("crowd", "0 equipped\n");
}

#[test]
fn a_child_has_it_and_the_next_program_gets_it_at_once() {
    // A static program says when it starts; this one, when it has loaded its libraries.
    shows("child", "equipped\nequipped\n");
}

#[test]
fn memory_in_which_others_may_run_is_left_alone() {
    shows("borrowed", "equipped\n");
    shows("borrowed-beside-threads", "plain\n");
}

#[test]
fn a_signal_ends_a_call_that_waits() {
    // EINTR.
    shows("interrupted", "-4 equipped\n");
}
