//! `pidns run --engine subreaper`: the command line, SIGKILL of the supervisor, and a terminal.
#![forbid(unsafe_code)]

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use pidns_testkit::{Lines, Mark, Terminal, proc, user};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How often a supervisor is killed.
const ROUNDS: u64 = 100;

fn pidns(args: &[&str]) -> Command {
    let mut command = Command::new(user::program(env!("CARGO_BIN_EXE_pidns")));
    command.args(["run", "--engine", "subreaper"]).args(args);
    command.env_remove("PIDNS_ENGINE").env_remove("PIDNS_LEAKS").stdin(Stdio::null());
    command
}

fn output(args: &[&str]) -> Output {
    pidns(args).output().unwrap()
}

fn code(args: &[&str]) -> Option<i32> {
    output(args).status.code()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn ends_have_their_documented_codes() {
    assert_eq!(code(&["--", "sh", "-c", "exit 77"]), Some(77));
    assert_eq!(code(&["--", "sh", "-c", "kill -9 $$"]), Some(137));
    assert_eq!(code(&["--timeout", "50ms", "--", "sleep", "300"]), Some(124));
    assert_eq!(code(&["--", "/dev/null"]), Some(126));
    assert_eq!(code(&["--", "/no/such/program"]), Some(127));
    for refused in ["--as-init", "--proc"] {
        let output = output(&[refused, "--", "true"]);
        assert_eq!(output.status.code(), Some(125), "{refused}");
        assert!(stderr(&output).starts_with("pidns: "), "{}", stderr(&output));
    }
}

#[test]
fn leaks_are_listed_and_fail() {
    let script = "setsid sleep 301 & (sleep 302 &); sleep 0.05";
    let output = output(&["--leaks", "fail", "--report", "-", "--", "sh", "-c", script]);
    assert_eq!(output.status.code(), Some(123));
    let listed = stderr(&output);
    assert!(listed.contains("sleep 301") && listed.contains("sleep 302"), "{listed}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["engine"], &report["exit_code"]), (&"subreaper".into(), &123.into()));
    let leaks = report["leaks"].as_array().unwrap();
    assert_eq!(leaks.len(), 2);
    assert!(leaks.iter().all(|leak| leak["number"] == leak["pid"] && leak["age"].is_f64()));
}

#[test]
fn signals_are_passed_on() {
    let mut run =
        pidns(&["--", "sh", "-c", "trap 'exit 9' USR1; echo up; while :; do sleep 0.01; done"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
    Lines::new(run.stdout.take().unwrap()).until("up");
    kill_process(Pid::from_child(&run), Signal::USR1).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(9));
}

/// A daemon, an orphan and one that is stopped, beside a command that stays.
const STAY: &str = "setsid sleep 300 & (sleep 300 &); sleep 300 & kill -STOP $!; exec sleep 300";

/// A moment for each round, from before the launch to after the start of all.
fn moment(round: u64) -> Duration {
    Duration::from_micros(round.wrapping_mul(2_654_435_761) % 20_000)
}

#[test]
fn sigkill_of_the_supervisor_at_any_moment_leaves_nothing() {
    for round in 0..ROUNDS {
        let mark = Mark::new();
        let (key, value) = mark.env();
        let mut run = pidns(&["--", "sh", "-c", STAY]).env(key, value).spawn().unwrap();
        thread::sleep(moment(round));
        run.kill().unwrap();
        assert_eq!(run.wait().unwrap().signal(), Some(9));
        mark.wait_gone();
    }
}

#[test]
fn sigkill_of_its_whole_group_at_any_moment_leaves_nothing() {
    for round in 0..ROUNDS {
        let mark = Mark::new();
        let (key, value) = mark.env();
        let mut command = pidns(&["--", "sh", "-c", STAY]);
        let mut run = command.env(key, value).process_group(0).spawn().unwrap();
        thread::sleep(moment(round));
        kill_process_group(Pid::from_child(&run), Signal::KILL).unwrap();
        assert_eq!(run.wait().unwrap().signal(), Some(9));
        mark.wait_gone();
    }
}

#[test]
fn without_proc_or_with_that_of_others_nothing_is_left() {
    let Some(unshare) = pidns_testkit::find("unshare") else { return };
    let leave = "setsid sleep 300 & (sleep 300 & sleep 300; :) & exit 7";
    let places = [("--mount", "mount -t tmpfs none /proc"), ("--pid", ":")];
    for (option, setup) in places {
        let program = user::program(env!("CARGO_BIN_EXE_pidns"));
        let run = |setup: &str, mark: &Mark, command: &[&str]| {
            let (key, value) = mark.env();
            Command::new(&unshare)
                .args(["--user", "--map-root-user", option, "--fork", "sh", "-ec"])
                .args([&format!("{setup}; exec \"$@\""), "sh"])
                .args(command)
                .env(key, value)
                .output()
                .unwrap()
        };
        let mark = Mark::new();
        if !run(setup, &mark, &["true"]).status.success() {
            pidns_testkit::skipped!("{option} and {setup} do not work here");
            continue;
        }
        let program = program.to_str().unwrap();
        let inside =
            format!("{program} run --engine subreaper -- sh -c '{leave}'; echo $?; sleep 0");
        let output = run(setup, &mark, &["sh", "-c", &inside]);
        // With the namespace go those in it, so it is from inside that they have to be gone.
        assert_eq!(String::from_utf8_lossy(&output.stdout), "7\n", "{}", stderr(&output));
        mark.assert_gone();
    }
}

#[test]
fn who_cannot_be_killed_is_named() {
    // A copy of setpriv that is root for everybody starts a process that an unprivileged keeper may not signal.
    let (Some(setpriv), true) = (pidns_testkit::find("setpriv"), user::is_root()) else { return };
    let place = tempfile::Builder::new().prefix("pidns-setuid-").tempdir().unwrap();
    let everybody = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(place.path(), everybody(0o755)).unwrap();
    let copies =
        [(setpriv, "setpriv", 0o4755), (env!("CARGO_BIN_EXE_pidns").into(), "pidns", 0o755)];
    let [setpriv, program] = copies.map(|(from, name, mode)| {
        let to = place.path().join(name);
        std::fs::copy(from, &to).unwrap();
        std::fs::set_permissions(&to, everybody(mode)).unwrap();
        to
    });
    let script = "\"$0\" --reuid=0 --regid=0 --clear-groups sleep 300 > /dev/null 2>&1 &
                  sleep 0.2; exit 3";
    let mark = Mark::new();
    let (key, value) = mark.env();
    let output = user::as_nobody(&program)
        .args(["run", "--engine", "subreaper", "--", "sh", "-c", script])
        .arg(setpriv)
        .env(key, value)
        .current_dir("/")
        .output()
        .unwrap();
    let left = mark.processes();
    if left.is_empty() {
        return pidns_testkit::skipped!("setuid has no effect in {}", place.path().display());
    }
    assert_eq!((output.status.code(), left.len()), (Some(125), 1), "{}", stderr(&output));
    assert_eq!(proc::status(left[0].pid, "Uid").unwrap().split_whitespace().next(), Some("0"));
    let told = stderr(&output);
    assert!(told.contains(&format!("{} (Operation not permitted", left[0].pid)), "{told}");
}

/// A shell with job control on a terminal, and the start of a line that it runs.
fn shell() -> Option<(Terminal, String)> {
    let mut terminal = Terminal::shell()?;
    terminal.enter("unset PIDNS_ENGINE PIDNS_LEAKS");
    terminal.expect("ready$ ");
    let program = user::program(env!("CARGO_BIN_EXE_pidns"));
    Some((terminal, format!("{} run --engine subreaper --", program.display())))
}

#[test]
fn an_interrupt_reaches_the_command_once() {
    let Some((mut terminal, run)) = shell() else { return };
    terminal.enter(&format!(
        "{run} sh -c 'trap \"echo -INT-\" INT; trap \"exit 5\" QUIT; echo -up-; while :; do sleep 0.02; done'"
    ));
    terminal.expect("-up-");
    for _ in 0..3 {
        terminal.press("\x03");
        let before = terminal.expect("-INT-");
        assert!(!before.contains("-INT-"), "{before}");
    }
    terminal.press("\x1c");
    let rest = terminal.expect("ready$ ");
    assert!(!rest.contains("-INT-"), "more than once: {rest}");
    terminal.enter("echo status $?");
    terminal.expect("status 5");
}

#[test]
fn a_job_is_stopped_and_goes_on_in_the_foreground() {
    let Some((mut terminal, run)) = shell() else { return };
    // It starts nobody: a shell that is in vfork(2) when ^Z comes is not stopped, but its child is.
    terminal.enter(&format!(
        "{run} sh -c 'trap \"echo -on-\" CONT; trap \"exit 3\" QUIT; echo -up-; while :; do read x; done'"
    ));
    terminal.expect("-up-");
    for _ in 0..3 {
        terminal.press("\x1a");
        terminal.expect("Stopped");
        terminal.expect("ready$ ");
        terminal.enter("fg");
        terminal.expect("-on-\r\n");
    }
    terminal.press("\x1c");
    terminal.expect("ready$ ");
    terminal.enter("echo status $?");
    terminal.expect("status 3");
}

#[test]
fn a_shell_with_job_control_works_inside() {
    let Some((mut terminal, run)) = shell() else { return };
    terminal.enter(&format!("PS1='inner$ ' {run} bash --norc --noprofile -i"));
    terminal.expect("inner$ ");
    terminal.enter("sh -c 'echo -up-; exec sleep 300'");
    terminal.expect("-up-");
    terminal.press("\x1a");
    terminal.expect("Stopped");
    terminal.expect("inner$ ");
    terminal.enter("kill -9 %1; fg; exit 4");
    terminal.expect("ready$ ");
    terminal.enter("echo status $?");
    terminal.expect("status 4");
}

#[test]
fn as_nobody() {
    user::again_as_nobody("as_nobody", &[env!("CARGO_BIN_EXE_pidns").as_ref()]);
}
