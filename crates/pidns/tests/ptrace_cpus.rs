//! On which cpus guests of the ptrace engine run: its tracer has some of them share its own for a while.
#![cfg(target_arch = "x86_64")]

#[path = "ptrace_support/mod.rs"]
mod support;

use pidns::{Command, Engine};
use pidns_testkit::{Mark, eventually, proc};
use support::{built, inside, output_of};

/// Where `pid` may run.
fn cpus(pid: u32) -> Option<String> {
    proc::status(pid, "Cpus_allowed_list")
}

#[test]
fn a_guest_sees_all_its_cpus() {
    let own = cpus(std::process::id()).unwrap();
    let look = "while read key value; do case $key in Cpus_allowed_list:) echo $value;; esac; \
                done </proc/self/status";
    // In a program, in a child without a program of its own, and in one that others wait for.
    let script = format!("sh -c '{look}'; ({look}); x=$(sh -c 'true; {look}'); echo $x");
    assert_eq!(output_of(&script), format!("{own}\n").repeat(3));
}

#[test]
fn who_is_at_work_may_run_anywhere() {
    let own = cpus(std::process::id());
    let mark = Mark::new();
    let (key, value) = mark.env();
    let work = "while :; do :; done";
    let script = format!("true; (true; {work}) & true; sh -c 'true; {work}' & true; {work}");
    let mut child = inside(&script).env(key, value).spawn().unwrap();
    eventually("three are at work, wherever they may", || {
        let at_work =
            |seen: &proc::Seen| proc::state(seen.pid) == Some('R') && cpus(seen.pid) == own;
        mark.processes().iter().filter(|seen| at_work(seen)).count() == 3
    });
    child.kill().unwrap();
    child.wait().unwrap();
    mark.assert_gone();
}

#[test]
fn a_thread_that_executes_a_program_may_run_anywhere() {
    let Some(place) = built("thread_execs") else { return };
    let own = cpus(std::process::id());
    let mark = Mark::new();
    let (key, value) = mark.env();
    let mut command = Command::new(place.path().join("thread_execs"));
    command.args(["sh", "-c", "while :; do :; done"]).engine(Engine::Ptrace).env(key, value);
    let mut child = command.spawn().unwrap();
    eventually("the shell is at work, wherever it may", || {
        let is_it = |seen: &proc::Seen| {
            proc::name(seen.pid).as_deref() == Some("sh") && cpus(seen.pid) == own
        };
        mark.processes().iter().any(is_it)
    });
    child.kill().unwrap();
    child.wait().unwrap();
}
