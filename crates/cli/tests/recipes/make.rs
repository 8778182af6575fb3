//! GNU make with pidns as its shell.

use std::fs;
use std::process::Command;

use super::support::{Daemon, Limited, Scratch, command, file, find, skip, text};

/// `make` in a directory with the recipe's Makefile, whose daemon is ours.
fn make(directory: &Scratch, daemon: &Daemon) -> Command {
    let ours = text("Makefile").replace(" 300\n", &format!(" {}\n", daemon.seconds()));
    assert!(ours.contains(daemon.seconds()));
    directory.write("Makefile", ours);
    fs::copy(file("leave-daemon.sh"), directory.join("leave-daemon.sh")).unwrap();
    let mut make = command("make");
    make.current_dir(directory.path());
    for name in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS"] {
        make.env_remove(name);
    }
    make
}

fn is_gnu_make() -> bool {
    find("make").is_some() && command("make").arg("--version").end().stdout.starts_with("GNU Make")
}

#[test]
fn a_line_that_leaves_a_process_behind_fails_its_target() {
    if !is_gnu_make() {
        skip!("GNU make is not installed");
    }
    let (directory, daemon) = (Scratch::new(), Daemon::new());
    let leaky = make(&directory, &daemon).arg("integration").end();
    daemon.assert_gone();
    assert_eq!(leaky.code(), Some(2), "{leaky:?}");
    assert!(leaky.stderr.contains("1 process was left behind"), "{leaky:?}");
    assert!(leaky.stderr.contains("Error 123"), "{leaky:?}");
    assert_eq!(make(&directory, &daemon).arg("unit").end().succeeded(), "unit tests on Linux\n");
}

#[test]
fn without_pidns_the_same_line_succeeds_and_the_process_stays() {
    if !is_gnu_make() {
        skip!("GNU make is not installed");
    }
    let (directory, daemon) = (Scratch::new(), Daemon::new());
    make(&directory, &daemon)
        .args(["integration", "SHELL=/bin/sh", ".SHELLFLAGS=-ec"])
        .end()
        .succeeded();
    daemon.wait_until_up();
}

#[test]
fn the_job_server_reaches_a_make_below_pidns() {
    if !is_gnu_make() {
        skip!("GNU make is not installed");
    }
    let (directory, daemon) = (Scratch::new(), Daemon::new());
    let parallel = make(&directory, &daemon).args(["-j2", "everything"]).end();
    assert_eq!(parallel.code(), Some(0), "{parallel:?}");
    assert_eq!(parallel.stderr, "", "make would warn of a job server that is out of reach");
    assert_eq!(parallel.stdout, "unit tests on Linux\n".repeat(2));
}
