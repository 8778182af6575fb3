//! Signals to `pidns run`, and in pipelines and scripts around it.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};

use pidns_testkit::{Lines, Mark, eventually, find, user};
use support::{MODES, ended, kill, run, shell};

/// `pidns run` with a command that has said `ready`.
struct Running {
    child: Child,
    lines: Lines,
    mark: Mark,
}

impl Running {
    #[track_caller]
    fn start(mode: &[&str], script: &str) -> Self {
        Self::start_by(&mut run([]), mode, script)
    }

    #[track_caller]
    fn start_by(command: &mut Command, mode: &[&str], script: &str) -> Self {
        let mark = Mark::new();
        let (key, value) = mark.env();
        command.args(mode).args(["--", "sh", "-c", script]).env(key, value);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = Lines::new(child.stdout.take().unwrap());
        lines.until("ready");
        Self { child, lines, mark }
    }

    fn kill(&self, signal: &str) {
        kill(signal, &self.child.id().to_string());
    }

    #[track_caller]
    fn code(&mut self) -> Option<i32> {
        let code = self.child.wait().unwrap().code();
        self.mark.assert_gone();
        code
    }
}

/// Signals that are passed on: not those that cannot be taken, faults, SIGCHLD and the C library's own.
fn passed_on() -> impl Iterator<Item = i32> {
    let own = [4, 5, 7, 8, 9, 11, 17, 19, 31, 32, 33];
    (1..=64).filter(move |number| !own.contains(number))
}

#[test]
fn every_signal_is_passed_on() {
    let traps: String =
        passed_on().map(|number| format!("trap 'echo got {number}' {number}\n")).collect();
    for mode in MODES {
        let mut running =
            Running::start(mode, &format!("{traps} echo ready; while :; do sleep 0.01; done"));
        for number in passed_on() {
            running.kill(&number.to_string());
            assert_eq!(running.lines.next().unwrap(), format!("got {number}"));
        }
        running.kill("STOP");
        running.kill("CONT");
        assert_eq!(running.lines.next().unwrap(), "got 18");
        running.child.kill().unwrap();
        running.child.wait().unwrap();
        running.mark.wait_gone();
    }
}

#[test]
fn a_signal_that_ends_the_command_is_its_status() {
    for (name, number) in [("HUP", 1), ("INT", 2), ("TERM", 15), ("USR2", 12), ("64", 64)] {
        let mut running = Running::start(MODES[0], "echo ready; exec sleep 300");
        running.kill(name);
        assert_eq!(running.code(), Some(128 + number));
    }
}

#[test]
fn signals_that_come_early_are_passed_on_too() {
    for _ in 0..20 {
        let mut child = run(["--engine", "kernel", "sleep", "300"]).spawn().unwrap();
        kill("TERM", &child.id().to_string());
        let status = child.wait().unwrap();
        // Before it has begun to take signals, it ends as any program does.
        assert!(status.code() == Some(143) || status.signal() == Some(15), "{status}");
    }
}

#[test]
fn a_fault_of_pidns_destroys_the_namespace() {
    for mode in MODES {
        // Rust's runtime takes a SIGSEGV or SIGBUS first, and goes on if it was no fault.
        for fault in ["ILL", "FPE", "SYS"] {
            let mut running = Running::start(mode, "setsid sleep 300 & echo ready; exec sleep 300");
            running.kill(fault);
            assert_eq!(running.child.wait().unwrap().code(), None);
            running.mark.wait_gone();
        }
    }
}

#[test]
fn a_command_that_stops_stops_pidns_and_goes_on_with_it() {
    for (mode, stop) in [(MODES[0], "kill -STOP $$"), (MODES[0], "kill -TSTP $$")] {
        let script = format!("echo ready; {stop}; echo on; exit 3");
        // Of its own, as a shell would make it: in an orphaned group, which ours may be, SIGTSTP stops nobody.
        let mut running = Running::start_by(run([]).process_group(0), mode, &script);
        let pid = running.child.id();
        eventually("pidns is stopped", || pidns_testkit::proc::state(pid) == Some('T'));
        running.kill("CONT");
        assert_eq!(running.lines.next().unwrap(), "on");
        assert_eq!(running.code(), Some(3));
    }
}

#[test]
fn an_end_that_is_asked_for_again_does_not_wait_for_the_grace() {
    let rude = "(trap '' TERM; echo ready; exec sleep 300) & wait";
    let mut running = Running::start(&["--grace", "1h"], rude);
    running.kill("TERM");
    // The command has ended by it, and what it left has an hour; a second one is for those.
    let pid = running.child.id();
    eventually("the command has ended", || {
        let all = running.mark.processes();
        all.iter().all(|seen| pidns_testkit::proc::numbers(seen.pid).last() != Some(&2))
    });
    kill("TERM", &pid.to_string());
    assert_eq!(running.code(), Some(143));
}

#[test]
fn in_a_script_of_one_group_each_gets_its_own() {
    // The script is not hit by what is sent to pidns, and learns the status.
    let script = "pidns run -- sh -c 'trap \"echo inner; exit 9\" TERM; echo ready; while :; do sleep 0.01; done' &
        read go; kill -TERM $!; wait $!; echo status $?";
    let mut child = shell(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = Lines::new(child.stdout.take().unwrap());
    lines.until("ready");
    drop(child.stdin.take());
    assert_eq!(lines.rest(), ["inner", "status 9"]);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_signal_to_the_whole_group_ends_all_of_it() {
    let Some(_) = find("setsid") else { return };
    for mode in ["", "--as-init"] {
        let mark = Mark::new();
        let (key, value) = mark.env();
        let script = format!(
            "exec setsid sh -c 'pidns run --engine kernel {mode} -- sh -c \"setsid sleep 300 & \
            setsid sleep 300 & echo ready; exec sleep 300\" & wait'"
        );
        let mut child = shell(&script).env(key, value).stdout(Stdio::piped()).spawn().unwrap();
        Lines::new(child.stdout.take().unwrap()).until("ready");
        kill("KILL", &format!("-{}", child.id()));
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        mark.wait_gone();
    }
}

#[test]
fn kill_0_inside_reaches_the_group_as_it_does_without_pidns() {
    let Some(_) = find("setsid") else { return };
    let script = "exec setsid sh -c 'trap \"echo outer\" TERM
        pidns run --engine kernel -- sh -c \"trap \\\"echo inner; exit 4\\\" TERM; kill -TERM 0; sleep 300\"
        echo status $?'";
    let (code, out, _) = ended(&mut shell(script));
    let mut lines: Vec<_> = out.lines().collect();
    assert_eq!((code, lines.pop()), (0, Some("status 4")));
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines, ["inner", "outer"]);
}

#[test]
fn a_reader_that_goes_ends_the_writer() {
    for mode in ["", "--as-init"] {
        let Some(_) = find("bash") else { return };
        let script = format!(
            "exec bash -c 'pidns run --engine kernel {mode} -- yes | head -1; echo ${{PIPESTATUS[*]}}'"
        );
        let (code, out, stderr) = ended(&mut shell(&script));
        if mode.is_empty() {
            assert_eq!((code, out.as_str(), stderr.as_str()), (0, "y\n141 0\n", ""));
        } else {
            // A signal that it does not handle does not end number 1; the error does.
            assert!(out.starts_with("y\n") && !out.ends_with("\n0 0\n"), "{out}");
            assert!(stderr.contains("roken pipe"), "{stderr}");
        }
    }
}

#[test]
fn it_works_in_the_middle_of_a_pipeline() {
    let script = "printf 'b\\na\\n' | pidns run sort | pidns run cat | tr a-z A-Z";
    assert_eq!(ended(&mut shell(script)), (0, "A\nB\n".into(), String::new()));
}

#[test]
fn with_nohup_a_hangup_hurts_neither() {
    let Some(_) = find("nohup") else { return };
    let script = "exec nohup pidns run -- sh -c 'echo ready; read go; echo still here'";
    let mut child = shell(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = Lines::new(child.stdout.take().unwrap());
    lines.until("ready");
    kill("HUP", &child.id().to_string());
    drop(child.stdin.take());
    assert_eq!(lines.rest(), ["still here"]);
    child.wait().unwrap();
}

#[test]
fn a_caller_that_ignores_sigchld_gets_the_status() {
    let Some(_) = find("bash") else { return };
    for mode in ["", "--as-init"] {
        let script = format!(
            "exec bash -c 'trap \"\" CHLD; exec pidns run --engine kernel {mode} -- sh -c \"exit 7\"'"
        );
        let (code, _, stderr) = ended(&mut shell(&script));
        if stderr.contains("No child processes") && !mode.is_empty() {
            pidns_testkit::skipped!("this kernel does not tell what others have collected");
            continue;
        }
        assert_eq!((code, stderr.as_str()), (7, ""));
    }
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[support::BUILT.as_ref()]);
}
