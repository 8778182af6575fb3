//! `pidns run --engine subreaper`: the command line, SIGKILL of the supervisor, and a terminal.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use pidns_testkit::{Lines, Mark, Terminal, find, proc, program, skipped, user};
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
    let Some(unshare) = find("unshare") else { return };
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
            skipped!("{option} and {setup} do not work here");
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

/// A place where everybody finds `pidns` and a copy of setpriv(1) that is root for everybody.
struct Setuid {
    place: tempfile::TempDir,
    /// setpriv(1) as it is.
    setpriv: PathBuf,
}

impl Setuid {
    fn new() -> Option<Self> {
        let (Some(setpriv), true) = (find("setpriv"), user::is_root()) else { return None };
        let place = tempfile::Builder::new().prefix("pidns-setuid-").tempdir().unwrap();
        let everybody =
            |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        everybody(place.path(), 0o755);
        let pidns = Path::new(env!("CARGO_BIN_EXE_pidns"));
        for (from, name, mode) in [(&*setpriv, "setpriv", 0o4755), (pidns, "pidns", 0o755)] {
            let to = place.path().join(name);
            program::copy(from, &to);
            everybody(&to, mode);
        }
        Some(Self { place, setpriv })
    }

    /// `pidns run` by a user without privilege, with a command that leaves a process of root behind and exits with 3,
    /// after the shell script `setup` has been run by root.
    fn run(&self, setup: &str, mark: &Mark) -> Output {
        let script = "\"$0\" --reuid=0 --regid=0 --clear-groups sleep 300 > /dev/null 2>&1 &
                      sleep 0.2; exit 3";
        let (key, value) = mark.env();
        let nobody = user::NOBODY.to_string();
        Command::new("sh")
            .args(["-ec", &format!("{setup}\nexec \"$@\""), "sh"])
            .arg(&self.setpriv)
            .args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"])
            .arg(self.place.path().join("pidns"))
            .args(["run", "--engine", "subreaper", "--", "sh", "-c", script])
            .arg(self.place.path().join("setpriv"))
            .env(key, value)
            .env_remove("PIDNS_ENGINE")
            .env_remove("PIDNS_LEAKS")
            .current_dir("/")
            .output()
            .unwrap()
    }
}

#[test]
fn who_cannot_be_killed_is_named() {
    let Some(setuid) = Setuid::new() else { return };
    let mark = Mark::new();
    let output = setuid.run(":", &mark);
    let left = mark.processes();
    if left.is_empty() {
        return skipped!("setuid has no effect in {}", setuid.place.path().display());
    }
    assert_eq!((output.status.code(), left.len()), (Some(125), 1), "{}", stderr(&output));
    assert_eq!(proc::status(left[0].pid, "Uid").unwrap().split_whitespace().next(), Some("0"));
    let told = stderr(&output);
    assert!(told.contains(&format!("{} (Operation not permitted", left[0].pid)), "{told}");
}

#[test]
fn with_a_cgroup_everybody_can_be_killed() {
    let (Some(setuid), Some(own)) = (Setuid::new(), own_cgroup()) else { return };
    let cgroup = own.join(format!("pidns-test-{}", std::process::id()));
    let made = fs::create_dir(&cgroup).is_ok() && cgroup.join("cgroup.kill").exists();
    if !made {
        return skipped!("{} has no room for another cgroup", own.display());
    }
    // As systemd delegates one to a user.
    for path in [cgroup.clone(), cgroup.join("cgroup.procs")] {
        std::os::unix::fs::chown(path, Some(user::NOBODY), Some(user::NOBODY)).unwrap();
    }
    let mark = Mark::new();
    let output = setuid.run(&format!("echo 0 > {}/cgroup.procs", cgroup.display()), &mark);
    mark.assert_gone();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    fs::remove_dir(&cgroup).unwrap();
}

/// The directory of our own cgroup.
fn own_cgroup() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap();
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "));
    let path = cgroups.lines().find_map(|line| line.strip_prefix("0::/"));
    let (Some(line), Some(path)) = (line, path) else {
        skipped!("no cgroup2 here");
        return None;
    };
    Some(Path::new(line.split(' ').nth(4)?).join(path))
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
    support::interrupt_reaches_the_command_once(&mut terminal, &run);
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
        terminal.await_jobs(|state| state == 'S');
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
