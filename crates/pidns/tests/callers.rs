//! Callers of all kinds: many threads, threads that end, ones that wait for everything, or have much memory.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pidns::Stdio;
use pidns_testkit::{Mark, again, find, proc, skipped, user};
use rustix::process::WaitOptions;
use support::{Mode, both};

#[test]
fn a_job_outlives_the_thread_that_started_it() {
    both(|mode| {
        let spawn = move || mode.command("cat").stdin(Stdio::piped()).spawn().unwrap();
        let mut child = thread::spawn(spawn).join().unwrap();
        // Whatever the thread's end would do, it has done: the thread is joined.
        assert_eq!(child.try_wait().unwrap(), None);
        child.stdin.as_mut().unwrap().write_all(b"").unwrap();
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn a_job_that_is_bound_to_its_thread_does_not_outlive_it() {
    both(|mode| {
        let spawn = move || {
            let mut command = mode.shell("setsid sleep 300 & sleep 300; :");
            command.bind_to_thread().spawn().unwrap()
        };
        let mut child = thread::spawn(spawn).join().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(pidns::Signal::KILL));
    });
}

#[test]
fn many_threads_start_jobs_at_once_and_none_holds_anothers_pipe() {
    const THREADS: u8 = 16;
    both(|mode| {
        let barrier = Barrier::new(THREADS.into());
        thread::scope(|scope| {
            for n in 0..THREADS {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    for round in 0..4 {
                        let script = format!("cat >/dev/null; exit {}", n * 4 + round);
                        let mut command = mode.shell(&script);
                        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
                        // If anybody else held the other end, this would wait for that one.
                        let status = child.wait().unwrap();
                        assert_eq!(status.code(), Some((n * 4 + round).into()));
                    }
                });
            }
        });
    });
}

#[test]
fn a_caller_that_collects_all_children_takes_no_status_away() {
    const NAME: &str = "a_caller_that_collects_all_children_takes_no_status_away";
    if again::role().is_none() {
        return again::run(&mut again::command(NAME, "caller"));
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // ECHILD at times.
                let _ = rustix::process::wait(WaitOptions::NOHANG);
            }
        });
        both(|mode| {
            for code in 0..50 {
                check_status(mode, code);
            }
        });
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_caller_that_ignores_sigchld_gets_every_status() {
    const NAME: &str = "a_caller_that_ignores_sigchld_gets_every_status";
    if again::role().is_none() {
        let Some(_) = find("bash") else { return };
        let ignore = ["bash", "-c", "trap '' CHLD; exec \"$0\" \"$@\""];
        // The shell that bash executes would reset it.
        let program = std::env::current_exe().unwrap();
        let (key, role) = again::variable("caller");
        let mut command = process::Command::new(ignore[0]);
        command.args(&ignore[1..]).arg(program).args(again::arguments(NAME)).env(key, role);
        return again::run(&mut command);
    }
    let ignored = proc::status(process::id(), "SigIgn").unwrap();
    assert_ne!(u64::from_str_radix(&ignored, 16).unwrap() & 1 << 16, 0);
    both(|mode| {
        check_status(mode, 0);
        check_status(mode, 7);
        let mut child = mode.command("sleep").arg("300").spawn().unwrap();
        child.kill().unwrap();
        match child.wait() {
            Err(error) if mode == Mode::AsInit => unknown(&error),
            status => assert_eq!(status.unwrap().signal(), Some(pidns::Signal::KILL)),
        }
    });
}

fn check_status(mode: Mode, code: i32) {
    match mode.shell(&format!("exit {code}")).status() {
        Err(error) if mode == Mode::AsInit => unknown(&error),
        status => assert_eq!(status.unwrap().code(), Some(code)),
    }
}

/// Only newer kernels tell what others have collected.
#[track_caller]
fn unknown(error: &std::io::Error) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map_while(|word| word.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    assert!(version < (6, 15), "{error} on {release}");
    skipped!("Linux {release} does not tell what others have collected: {error}");
}

#[test]
fn a_caller_with_a_gigabyte_starts_jobs() {
    const NAME: &str = "a_caller_with_a_gigabyte_starts_jobs";
    if again::role().is_none() {
        let text = std::fs::read_to_string("/proc/meminfo").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        if kilobytes < 4_000_000 {
            skipped!("{kilobytes} kB of memory are too few");
            return;
        }
        return again::run(&mut again::command(NAME, "caller"));
    }
    let memory = vec![1u8; 1 << 30];
    both(|mode| assert_eq!(mode.shell("exit 3").status().unwrap().code(), Some(3)));
    assert_eq!(memory.last(), Some(&1));
}

#[test]
fn a_caller_that_becomes_another_program_has_no_jobs() {
    const NAME: &str = "a_caller_that_becomes_another_program_has_no_jobs";
    if let Some(role) = again::role() {
        let mode = if role == "init" { Mode::Init } else { Mode::AsInit };
        let _child = mode.shell("sleep 300; :").spawn().unwrap();
        let error = process::Command::new("cat").exec();
        panic!("cat: {error}");
    }
    for role in ["init", "as-init"] {
        let mark = Mark::new();
        let (key, value) = mark.env();
        let mut caller = again::command(NAME, role)
            .env(key, value)
            .stdin(process::Stdio::piped())
            .stdout(process::Stdio::null())
            .spawn()
            .unwrap();
        pidns_testkit::eventually("only cat", || {
            let name = std::fs::read_to_string(format!("/proc/{}/comm", caller.id())).unwrap();
            name == "cat\n" && mark.processes().len() == 1
        });
        drop(caller.stdin.take());
        assert!(caller.wait().unwrap().success());
    }
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[]);
}
