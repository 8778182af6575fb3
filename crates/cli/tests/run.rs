//! `pidns run`: every option, and every exit code.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use pidns_testkit::{Mark, user};
use serde_json::Value;
use support::{MODES, code, ended, pidns, run, shell, text};

/// Two that would stay: one in a session of its own, and an orphan.
const LEAK: &str = "setsid sleep 300 & (setsid sleep 301 &)";

/// The code and the output of `sh -c script` below `pidns run` with `options`, and whether it left anything.
#[track_caller]
fn shell_below(options: &[&str], script: &str) -> (i32, String, String) {
    let mark = Mark::new();
    let (key, value) = mark.env();
    let mut command = run([]);
    let result = ended(command.args(options).args(["--", "sh", "-c", script]).env(key, value));
    mark.assert_gone();
    result
}

fn report(options: &[&str], script: &str) -> (i32, Value) {
    let mut command = run(["--report", "-"]);
    let output = command.args(options).args(["--", "sh", "-c", script]).output().unwrap();
    let json = serde_json::from_slice(&output.stdout);
    (code(&output), json.unwrap_or_else(|error| panic!("{error}: {output:?}")))
}

#[test]
fn the_command_is_number_2_or_with_as_init_number_1() {
    let [init, as_init] = MODES;
    assert_eq!(shell_below(init, "echo $$ $PPID"), (0, "2 1\n".into(), String::new()));
    assert_eq!(shell_below(as_init, "echo $$ $PPID"), (0, "1 0\n".into(), String::new()));
}

#[test]
fn nothing_is_left_and_nothing_is_said() {
    for mode in MODES {
        assert_eq!(shell_below(mode, LEAK), (0, String::new(), String::new()));
    }
}

#[test]
fn the_exit_code_is_the_commands_own() {
    for mode in MODES {
        for expected in [0, 1, 42, 123, 124, 125, 126, 127, 128, 255] {
            assert_eq!(shell_below(mode, &format!("exit {expected}")).0, expected);
        }
    }
    for signal in [1, 2, 3, 6, 9, 13, 14, 15, 34, 64] {
        let script = format!("ulimit -c 0; kill -{signal} $$");
        assert_eq!(shell_below(MODES[0], &script).0, 128 + signal);
    }
}

#[test]
fn a_command_that_is_not_there_or_no_command() {
    for mode in MODES {
        let said = |program: &str| {
            let (code, _, stderr) = ended(run([]).args(mode).arg(program));
            (code, stderr)
        };
        let not_found = "pidns: no-such-command: No such file or directory\n";
        assert_eq!(said("no-such-command"), (127, not_found.into()));
        assert_eq!(said("/dev/null"), (126, "pidns: /dev/null: Permission denied\n".into()));
        assert_eq!(said("/").0, 126);
        assert_eq!(said("").0, 127);
    }
}

#[test]
fn engines_are_chosen_by_option_or_environment() {
    let said = |options: &[&str], environment: &str| {
        let mut command = run(["-v"]);
        command.args(options).arg("true").env("PIDNS_ENGINE", environment);
        let (code, _, stderr) = ended(&mut command);
        (code, stderr)
    };
    let (code, stderr) = said(&[], "kernel");
    assert!(code == 0 && stderr.contains("engine kernel"), "{stderr}");
    let (code, stderr) = said(&["--engine", "kernel"], "subreaper");
    assert!(code == 0 && stderr.contains("engine kernel"), "{stderr}");
    let (code, stderr) = said(&[], "steam");
    assert!(code == 125 && stderr.starts_with("pidns: ") && stderr.contains("steam"), "{stderr}");
}

#[test]
fn proc_is_fresh_unless_told() {
    let count = "echo /proc/[0-9]* | wc -w";
    for mode in MODES {
        for fresh in [&[][..], &["--proc"], &["--no-proc", "--proc"]] {
            let (code, out, _) = shell_below(&[mode, fresh].concat(), count);
            assert_eq!(code, 0);
            assert!(out.trim().parse::<u32>().unwrap() <= 5, "{fresh:?}: {out}");
        }
        let own = format!("test -d /proc/{}/ns && test ! -e /proc/$$/nothing", std::process::id());
        for old in [&["--no-proc"][..], &["--proc", "--no-proc"]] {
            assert_eq!(shell_below(&[mode, old].concat(), &own).0, 0, "{old:?}");
        }
    }
}

#[test]
fn one_is_the_same_user_or_root() {
    let own = rustix_uid();
    for mode in MODES {
        let (_, out, _) = shell_below(&[mode, &["--map", "same"]].concat(), "id -u");
        assert_eq!(out.trim(), own);
        let (_, out, _) = shell_below(&[mode, &["--map", "root"]].concat(), "id -u; id -g");
        assert_eq!(out, "0\n0\n");
    }
}

fn rustix_uid() -> String {
    let output = std::process::Command::new("id").arg("-u").output().unwrap();
    text(&output.stdout).trim().to_owned()
}

#[test]
fn a_command_that_is_out_of_time_makes_124() {
    for mode in MODES {
        let limit = |options: &[&'static str]| [mode, options].concat();
        let start = Instant::now();
        let (code, ..) =
            shell_below(&limit(&["--timeout", "100ms"]), &format!("{LEAK}; sleep 300"));
        assert_eq!(code, 124);
        assert!((Duration::from_millis(100)..Duration::from_secs(60)).contains(&start.elapsed()));
        let polite = "trap 'echo polite; exit 3' TERM; while :; do sleep 0.01; done";
        let (code, out, _) = shell_below(&limit(&["--timeout", "0.5s", "--grace", "1m"]), polite);
        assert_eq!((code, out.as_str()), (124, "polite\n"));
        let (code, out, _) = shell_below(
            &limit(&["--timeout", "0.5", "--signal", "sigusr1", "--grace", "1m"]),
            "trap 'echo usr1; exit 3' USR1; while :; do sleep 0.01; done",
        );
        assert_eq!((code, out.as_str()), (124, "usr1\n"));
        let (code, ..) = shell_below(&limit(&["--timeout", "1h"]), "exit 3");
        assert_eq!(code, 3, "in time");
    }
}

#[test]
fn leftovers_may_have_grace_and_a_signal() {
    let polite = "(trap 'echo polite; exit' USR1; echo > ready; while :; do sleep 0.01; done) &
        while [ ! -e ready ]; do sleep 0.01; done";
    let directory = tempfile::tempdir().unwrap();
    let mut command = run(["--grace", "1m", "--signal", "USR1", "--", "sh", "-c", polite]);
    let (code, out, _) = ended(command.current_dir(&directory));
    assert_eq!((code, out.as_str()), (0, "polite\n"));
}

#[test]
fn leaks_are_ignored_reported_or_failures() {
    let leaks = |options: &[&str], script: &str| {
        let (code, _, stderr) = shell_below(&[MODES[0], options].concat(), script);
        (code, stderr)
    };
    assert_eq!(leaks(&["--leaks", "ignore"], LEAK), (0, String::new()));
    assert_eq!(leaks(&["--leaks", "fail"], "exit 0"), (0, String::new()));
    let (code, stderr) = leaks(&["--leaks", "report"], LEAK);
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!((code, lines.len()), (0, 3), "{stderr}");
    assert!(lines[0].starts_with("pidns: 2 processes were left behind by sh -c "), "{stderr}");
    for (line, sleep) in lines[1..].iter().zip(["sleep 300", "sleep 301"]) {
        assert!(line.starts_with("pidns:   number ") && line.ends_with(sleep), "{stderr}");
    }
    assert_eq!(leaks(&["--leaks", "fail"], LEAK).0, 123);
    assert_eq!(leaks(&["--leaks", "fail"], &format!("{LEAK}; exit 7")).0, 7, "its own first");
    assert_eq!(leaks(&["-q", "--leaks", "fail"], LEAK), (123, String::new()));
    let (code, stderr) = leaks(&["--leaks", "fail", "--timeout", "300ms"], "sleep 300 & wait");
    assert_eq!(code, 124, "{stderr}");
}

#[test]
fn leaks_are_set_by_the_environment_too() {
    let mut command = run(["--engine", "kernel", "--", "sh", "-c", LEAK]);
    assert_eq!(ended(command.env("PIDNS_LEAKS", "fail")).0, 123);
    let mut command = run(["--engine", "kernel", "--leaks", "ignore", "--", "sh", "-c", LEAK]);
    assert_eq!(ended(command.env("PIDNS_LEAKS", "fail")), (0, String::new(), String::new()));
    let (code, _, stderr) = ended(run(["true"]).env("PIDNS_LEAKS", "perhaps"));
    assert!(code == 125 && stderr.starts_with("pidns: "), "{stderr}");
}

#[test]
fn a_hostile_command_line_cannot_steer_the_terminal_of_who_reads_the_list() {
    let hostile = "exec -a \"$(printf '\\033[2J\\n pidns: all is well')\" sleep 300 &";
    let Some(_) = pidns_testkit::find("bash") else { return };
    let mut command = run(["--engine", "kernel", "--leaks", "report", "--", "bash", "-c", hostile]);
    let (_, _, stderr) = ended(&mut command);
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
    assert!(!stderr.contains('\x1b'), "{stderr:?}");
}

#[test]
fn the_report_tells_all() {
    // Until both have become what they are to be.
    let both = "i=0; until [ $(cat /proc/[0-9]*/comm | grep -c '^sleep$') = 2 ]; do \
                i=$((i+1)); [ $i -lt 1000 ] || exit 4; done";
    let (code, json) = report(MODES[0], &format!("{LEAK}; {both}; exit 3"));
    assert_eq!(code, 3);
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["engine"], "kernel");
    assert_eq!(json["command"][0], "sh");
    assert_eq!((&json["status"], &json["signal"]), (&3.into(), &Value::Null));
    assert_eq!((&json["exit_code"], &json["number"]), (&3.into(), &2.into()));
    assert_eq!((&json["timed_out"], &json["core_dumped"]), (&false.into(), &false.into()));
    assert_eq!(json["zapped"], 2);
    let leaks = json["leaks"].as_array().unwrap();
    for (leak, seconds) in leaks.iter().zip(["300", "301"]) {
        assert_eq!(leak["command"], Value::from(["sleep", seconds].as_slice()));
        assert!(leak["pid"].as_u64() > Some(1) && leak["number"].as_u64() > Some(2), "{leak}");
        assert!(leak["age"].as_f64() < Some(60.0) && leak["ppid"].is_u64(), "{leak}");
    }
    for time in ["launch", "run", "zap"] {
        assert!(json["times"][time].as_f64() > Some(0.0), "{json}");
    }
    assert!(json["rusage"]["max_rss_kb"].as_u64() > Some(100), "{json}");

    let (code, json) = report(MODES[0], "kill -9 $$");
    assert_eq!((code, &json["status"], &json["signal"]), (137, &Value::Null, &9.into()));
    let (code, json) = report(&["--timeout", "50ms"], "sleep 300");
    assert_eq!((code, &json["exit_code"], &json["timed_out"]), (124, &124.into(), &true.into()));
    let (code, json) = report(MODES[1], "exit 3");
    assert_eq!((code, &json["status"], &json["leaks"]), (3, &3.into(), &Value::Null));
    let (_, json) = report(&["--name", "a-name"], "exit 0");
    assert_eq!(json["name"], "a-name");
}

#[test]
fn the_report_tells_why_nothing_ran() {
    let output = run(["--report", "-", "/nonexistent/command"]).output().unwrap();
    assert_eq!(code(&output), 127);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["exit_code"], 127);
    assert!(json["error"].as_str().unwrap().contains("No such file or directory"), "{json}");
}

#[test]
fn the_report_goes_to_a_file_or_nothing_runs() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.json");
    let mut command = run(["--report"]);
    let (code, out, stderr) = ended(command.arg(&file).args(["--", "echo", "out"]));
    assert_eq!((code, out.as_str(), stderr.as_str()), (0, "out\n", ""));
    let json: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(json["status"], 0);

    let touched = directory.path().join("touched");
    let (code, _, stderr) = ended(run(["--report", "/nonexistent/report", "touch"]).arg(&touched));
    assert_eq!(code, 125);
    assert!(stderr.starts_with("pidns: cannot write /nonexistent/report: No such"), "{stderr}");
    assert!(!touched.exists());
}

#[test]
fn verbose_says_more_and_quiet_less() {
    let (_, _, stderr) = shell_below(&[MODES[0], &["-v"]].concat(), "exit 3");
    assert!(stderr.contains("engine kernel, number 1 is process "), "{stderr}");
    assert!(stderr.contains("exit code 3 after "), "{stderr}");
    assert!(stderr.lines().all(|line| line.starts_with("pidns: ")), "{stderr}");
    let (code, _, stderr) = ended(&mut run(["-q", "/nonexistent/command"]));
    assert_eq!(code, 127);
    assert!(stderr.contains("/nonexistent/command"), "why it failed is said: {stderr}");
}

#[test]
fn odd_words_reach_the_command() {
    let odd: [&[u8]; 5] = [b"--engine", b"", b"\xff", b"a\nb", b"--"];
    let mut command = run(["printf", "%s|"]);
    let output = command.args(odd.map(std::ffi::OsStr::from_bytes)).output().unwrap();
    assert_eq!(output.stdout, b"--engine||\xff|a\nb|--|");
    // A command that looks like an option.
    let (code, _, stderr) = ended(&mut run(["--", "--version"]));
    assert_eq!((code, stderr.as_str()), (127, "pidns: --version: No such file or directory\n"));
}

#[test]
fn descriptors_beyond_the_standard_ones_reach_the_command_only_if_asked_for() {
    let open = "pidns run --engine kernel $FDS -- sh -c '[ -L /proc/$$/fd/7 ]' 7</dev/null";
    for mode in ["", "--as-init"] {
        let reaches = |fds: &str| {
            let line = open.replace("$FDS", &format!("{mode} {fds}"));
            ended(&mut shell(&line)).0 == 0
        };
        assert!(!reaches("") && !reaches("--fds standard") && reaches("--fds all"), "{mode}");
    }
}

#[test]
fn completions_are_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, _) = ended(pidns().args(["completions", shell]));
        assert_eq!(code, 0);
        assert!(out.contains("--timeout") || out.contains("timeout"), "{shell}: {out}");
    }
    let (code, _, stderr) = ended(pidns().args(["completions", "tcsh"]));
    assert_eq!(code, 125, "{stderr}");
}

#[test]
fn closed_and_full_descriptors() {
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    for mode in MODES {
        let mut command = run([]);
        command.args(mode).args(["sh", "-c", "echo x && exit 3"]);
        let output = command.stdout(full()).output().unwrap();
        assert_ne!(code(&output), 3, "echo fails: {output:?}");
    }
    // What pidns itself cannot write.
    let output = run(["--report", "-", "true"]).stdout(full()).output().unwrap();
    assert_eq!(code(&output), 125);
    assert!(text(&output.stderr).contains("No space left on device"), "{output:?}");
    let output = pidns().args(["completions", "bash"]).stdout(full()).output().unwrap();
    assert_eq!(code(&output), 125);
    // Nobody to say anything to is no reason to fail.
    let mut command = run(["-v", "--leaks", "report", "--", "sh", "-c", LEAK]);
    assert_eq!(command.stderr(full()).status().unwrap().code(), Some(0));
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let script =
            format!("pidns run -v --leaks report -- sh -c 'setsid sleep 300 & exit 3' {closed}");
        assert_eq!(ended(&mut shell(&script)).0, 3, "{closed}");
    }
}

#[test]
fn a_limit_of_levels_is_an_error_with_a_hint() {
    let program = support::path();
    let nest = |depth: usize| {
        let mut command = run(["--engine", "kernel", "--no-proc", "--"]);
        for _ in 0..depth {
            command.arg(&program).args(["run", "--engine", "kernel", "--no-proc", "--"]);
        }
        ended(command.args(["sh", "-c", "exit 3"]))
    };
    assert_eq!(nest(4).0, 3);
    let (code, _, stderr) = nest(33);
    assert_eq!(code, 125, "{stderr}");
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{stderr}");
    assert!(lines[0].starts_with("pidns: cannot create the PID namespace: No space"), "{stderr}");
    assert!(lines[1].starts_with("pidns: hint: ") && lines[1].contains("32 nested levels"));
}

#[test]
fn each_missing_thing_is_a_clear_message_and_125() {
    let Some(_) = pidns_testkit::find("unshare") else { return };
    let failing = |setup: &str, options: &str| {
        let script = format!(
            "unshare --user --map-root-user --mount sh -c '{setup}; pidns run --engine kernel {options} true'"
        );
        let (code, _, stderr) = ended(&mut shell(&script));
        assert_eq!(code, 125, "{setup}: {stderr}");
        let lines: Vec<String> = stderr.lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 2, "{setup}: {stderr}");
        assert!(lines[1].starts_with("pidns: hint: "), "{stderr}");
        lines[0].clone()
    };
    let refused = failing("echo 0 >/proc/sys/user/max_pid_namespaces", "");
    assert_eq!(refused, "pidns: cannot create the PID namespace: No space left on device");
    // Something covers /proc that only a more privileged place can take away.
    let covered = failing(
        "mount -t tmpfs none /proc/sys; exec unshare --user --map-root-user --mount pidns run --engine kernel --proc true",
        "",
    );
    assert_eq!(covered, "pidns: cannot mount /proc: Operation not permitted");
}

#[test]
fn a_root_that_cannot_be_written_to_is_no_error_but_for_reports() {
    if !user::is_root() || pidns_testkit::find("unshare").is_none() {
        return;
    }
    let script = "unshare --mount sh -c 'mount -o remount,bind,ro /
        pidns run sh -c \"exit 3\" || echo $?; pidns run --report /report.json true || echo $?'";
    let (_, out, stderr) = ended(&mut shell(script));
    assert_eq!(out, "3\n125\n");
    assert_eq!(stderr, "pidns: cannot write /report.json: Read-only file system\n");
    assert!(!Path::new("/report.json").exists());
}

#[test]
fn standard_input_is_the_commands() {
    for mode in MODES {
        let mut command = run([]);
        command.args(mode).arg("cat").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"typed").unwrap();
        assert_eq!(child.wait_with_output().unwrap().stdout, b"typed");
    }
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[support::BUILT.as_ref()]);
}
