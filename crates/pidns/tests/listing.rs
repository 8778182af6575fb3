//! Who is in a namespace, and who was left behind.
#![forbid(unsafe_code)]

mod support;

use std::time::Duration;

use pidns::{Leftovers, Process, Stage};
use pidns_testkit::{eventually, find, proc, user};
use support::{Mode, Running, both};

fn words(process: &Process) -> String {
    let words: Vec<_> = process.command.iter().map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

#[test]
fn everybody_is_listed_but_number_1() {
    both(|mode| {
        let running =
            Running::start(mode, "sleep 301 & setsid sleep 302 & (true & exec sleep 303) &");
        let namespace = running.child.namespace().unwrap();
        let mut all = Vec::new();
        eventually("three sleeps and a zombie", || {
            all = namespace.processes().unwrap();
            let sleeps = all.iter().filter(|process| words(process).starts_with("sleep 30"));
            sleeps.count() == 3 && all.iter().any(|process| process.state == 'Z')
        });
        let own = if mode == Mode::Init { 2 } else { 1 };
        assert_eq!(all.iter().any(|process| process.number == Some(own)), mode == Mode::Init);
        for process in &all {
            assert_ne!(process.pid, running.child.init_pid());
            assert_eq!(process.number, proc::numbers(process.pid).last().copied());
            assert_eq!(Some(process.ppid), proc::parent(process.pid));
            assert!(process.age < Duration::from_secs(600), "{process:?}");
        }
        let zombie = all.iter().find(|process| process.state == 'Z').unwrap();
        assert!(words(zombie).starts_with('['), "{zombie:?}");
        assert!(all.is_sorted_by_key(|process| std::cmp::Reverse(process.age)));
    });
}

#[test]
fn those_in_nested_namespaces_are_listed_by_the_numbers_they_have_here() {
    let Some(_) = find("unshare") else { return };
    both(|mode| {
        let running = Running::start(
            mode,
            "unshare --user --map-root-user --pid --fork sh -c 'sleep 304 & sleep 305; :' &",
        );
        let namespace = running.child.namespace().unwrap();
        let mut inner = None;
        eventually("the nested sleep", || {
            let all = namespace.processes().unwrap();
            inner = all.into_iter().find(|process| words(process) == "sleep 304");
            inner.is_some()
        });
        let inner = inner.unwrap();
        let numbers = proc::numbers(inner.pid);
        assert_eq!(inner.number, numbers.get(numbers.len() - 2).copied(), "{numbers:?}");
    });
}

#[test]
fn leftovers_are_listed_as_they_were_when_the_command_ended() {
    // It ends when both have become what they are listed as.
    let script = "setsid sleep 306 & (sleep 307; :) & true & \
                  until [ \"$(cat /proc/[0-9]*/comm | grep -c ^sleep)\" = 2 ]; do :; done; exit 3";
    let mut child = Mode::Init.shell(script).leftovers(Leftovers::List).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let leaks = child.report().leaks.clone().unwrap();
    let mut commands: Vec<String> = leaks.iter().map(words).collect();
    commands.sort();
    assert_eq!(commands.len(), 3, "{commands:?}");
    assert_eq!(commands[1..], ["sleep 306", "sleep 307"]);
    assert!(leaks.iter().all(|leak| leak.number > Some(2)), "{leaks:?}");
}

#[test]
fn no_leftovers_are_an_empty_list() {
    // Children that are just ending are none.
    let script = "sleep 0.01 & sleep 0.01 & exec true";
    let mut child = Mode::Init.shell(script).leftovers(Leftovers::List).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    let mut child = Mode::Init.command("true").leftovers(Leftovers::List).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(child.report().leaks, Some(Vec::new()));
}

#[test]
fn a_list_is_refused_where_there_is_no_moment_for_one() {
    let error = Mode::AsInit.command("true").leftovers(Leftovers::List).spawn().unwrap_err();
    assert_eq!(error.stage(), Stage::Arguments);
}

#[test]
fn a_namespace_that_is_gone_cannot_be_listed() {
    both(|mode| {
        let mut child = mode.command("true").spawn().unwrap();
        let namespace = child.namespace().unwrap();
        child.wait().unwrap();
        assert!(namespace.processes().is_err());
        namespace.destroy().unwrap();
    });
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[]);
}
