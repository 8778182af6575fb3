//! `pidns run` on a terminal: keys, job control, window size, the foreground.
#![forbid(unsafe_code)]

mod support;

use pidns_testkit::{Mark, Terminal, TerminalCommand, find, user};
use support::{interrupt_reaches_the_command_once, path, search};

/// A shell with job control that finds `pidns`.
fn shell() -> Option<Terminal> {
    let mut terminal = Terminal::shell()?;
    terminal.enter(&format!("export PATH={}; unset PIDNS_ENGINE PIDNS_LEAKS", search().display()));
    terminal.expect("ready$ ");
    Some(terminal)
}

const MODES: [&str; 2] = ["pidns run --engine kernel --", "pidns run --engine kernel --as-init --"];

#[test]
fn an_interrupt_reaches_the_command_once() {
    let Some(mut terminal) = shell() else { return };
    for run in MODES {
        interrupt_reaches_the_command_once(&mut terminal, run);
    }
}

#[test]
fn an_interrupt_ends_a_command_that_does_not_care() {
    let Some(mut terminal) = shell() else { return };
    terminal.enter(&format!("{} sh -c 'setsid sleep 300 & echo -up-; exec sleep 300'", MODES[0]));
    terminal.expect("-up-");
    terminal.press("\x03");
    terminal.expect("ready$ ");
    terminal.enter("echo status $?");
    terminal.expect("status 130");
}

/// Says `-on-` when it goes on, and ends when it is asked to. The shell shows the command itself too, when it lets it go
/// on. Nothing forks here: a stop between vfork and exec is one that nobody sees, with or without pidns.
const LOOP: &str =
    "trap \"echo -o${E}n-\" CONT; trap \"exit 3\" QUIT; echo -up-; while :; do read x; done";

#[test]
fn a_job_is_stopped_and_goes_on_in_the_foreground() {
    let Some(mut terminal) = shell() else { return };
    terminal.enter(&format!("{} sh -c '{LOOP}'", MODES[0]));
    terminal.expect("-up-");
    for _ in 0..3 {
        terminal.press("\x1a");
        terminal.expect("Stopped");
        terminal.expect("ready$ ");
        // The shell has its terminal back.
        terminal.enter("echo shell is $((20+3))");
        terminal.expect("shell is 23");
        terminal.expect("ready$ ");
        terminal.enter("fg");
        terminal.expect("-on-");
        terminal.await_jobs(|state| state == 'S');
    }
    terminal.press("\x1c");
    terminal.expect("ready$ ");
    terminal.enter("echo status $?");
    terminal.expect("status 3");
}

#[test]
fn a_job_reads_after_a_stop_what_is_typed() {
    let Some(mut terminal) = shell() else { return };
    terminal.enter(&format!("{} sh -c 'echo -up-; read x; echo got=$x; exit 3'", MODES[0]));
    terminal.expect("-up-");
    terminal.press("\x1a");
    terminal.expect("Stopped");
    terminal.expect("ready$ ");
    terminal.enter("fg");
    terminal.expect("pidns run");
    terminal.enter("words");
    terminal.expect("got=words");
    terminal.expect("ready$ ");
}

#[test]
fn a_job_that_ends_in_the_background_does_not_take_the_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mark = Mark::new();
    let (key, value) = mark.env();
    let Some(mut terminal) = shell() else { return };
    terminal.enter(&format!(
        "{key}={value} {} sh -c 'echo -up-; read x <{}; exit 3'",
        MODES[0],
        fifo.display()
    ));
    terminal.expect("-up-");
    terminal.press("\x1a");
    terminal.expect("Stopped");
    terminal.expect("ready$ ");
    terminal.enter("bg");
    terminal.expect("ready$ ");
    std::fs::write(&fifo, "now\n").unwrap();
    // The shell waits for a line meanwhile.
    mark.wait_gone();
    // Who has lost its memory has no mark any more, and may still be on its way to being a zombie.
    terminal.await_jobs(|state| state == 'Z');
    terminal.enter("echo typed $((50+5))");
    terminal.expect("typed 55");
    terminal.expect("Exit 3");
    terminal.expect("ready$ ");
}

#[test]
fn a_job_in_the_background_is_stopped_when_it_reads() {
    let Some(mut terminal) = shell() else { return };
    terminal.enter(&format!("{} sh -c 'read x; echo got=$x' & sleep 0; echo -started-", MODES[0]));
    terminal.expect("-started-");
    // The shell tells of it with its next prompt.
    let stopped = "jobs -l; while ! jobs | grep -q Stopped; do sleep 0.02; done; jobs";
    terminal.enter(stopped);
    terminal.expect("Stopped");
    terminal.expect("ready$ ");
    terminal.enter("fg");
    terminal.enter("words");
    terminal.expect("got=words");
    terminal.expect("ready$ ");
}

#[test]
fn the_window_size_reaches_the_command() {
    let Some(mut terminal) = shell() else { return };
    for (run, columns) in MODES.iter().zip([101, 102]) {
        terminal.enter(&format!(
            "{run} sh -c 'trap \"stty size; exit\" WINCH; stty size; while :; do sleep 0.02; done'"
        ));
        terminal.expect("24 ");
        terminal.resize(24, columns);
        terminal.expect(&format!("24 {columns}"));
        terminal.expect("ready$ ");
    }
}

#[test]
fn a_shell_inside_has_job_control_and_gives_the_terminal_back() {
    let Some(mut terminal) = shell() else { return };
    for run in MODES {
        terminal.enter(&format!("{run} env PS1='inner$ ' bash --norc --noprofile -i"));
        terminal.expect("inner$ ");
        terminal.enter("bind 'set enable-bracketed-paste off'; sh -c 'echo -in-; exec sleep 300'");
        terminal.expect("-in-");
        terminal.press("\x1a");
        terminal.expect("Stopped");
        terminal.expect("inner$ ");
        terminal.enter("exit 6");
        terminal.expect("stopped jobs");
        terminal.expect("inner$ ");
        terminal.enter("exit 6");
        terminal.expect("ready$ ");
        terminal.enter("");
        terminal.expect("ready$ ");
        terminal.enter("echo after $((40+2))");
        terminal.expect("after 42");
        terminal.expect("ready$ ");
    }
}

#[test]
fn a_hangup_ends_the_leader_of_a_session_and_all_below() {
    let Some(_) = find("sh") else { return };
    for mode in [&["--engine", "kernel"][..], &["--engine", "kernel", "--as-init"]] {
        let mark = Mark::new();
        let (key, value) = mark.env();
        // An end of its own is what number 1 needs, which a hangup does not end otherwise.
        let script = "trap 'exit 1' HUP; setsid sleep 300 & echo -up-; while :; do read x; done";
        let command = TerminalCommand::new(path())
            .arg("run")
            .args(mode)
            .args(["--", "sh", "-c", script])
            .env(key, value);
        let mut terminal = Terminal::new(command);
        terminal.expect("-up-");
        terminal.hang_up();
        mark.wait_gone();
    }
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[support::BUILT.as_ref()]);
}
