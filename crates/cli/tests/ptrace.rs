//! `pidns run --engine ptrace` where the kernel gives no PID namespaces, as a user without privilege: what a command sees,
//! and that nothing survives, whoever dies.
#![cfg(target_arch = "x86_64")]
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::process::Stdio;

use pidns_testkit::{Lines, Mark, find, place, proc};
use support::sigkill::{STAY, killed_at_any_moment};
use support::{BUILT, code, ended, kill, run};

/// What a command that succeeds writes.
#[track_caller]
fn shown<const N: usize>(arguments: [&str; N]) -> String {
    let mut command = run(["--engine", "ptrace"]);
    let (code, stdout, stderr) = ended(command.args(arguments));
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    stdout
}

#[test]
fn a_command_is_number_2_or_number_1() {
    assert_eq!(shown(["--", "sh", "-c", "echo $$"]), "2\n");
    assert_eq!(shown(["--as-init", "--", "sh", "-c", "echo $$"]), "1\n");
}

#[test]
fn ps_shows_the_inside_only() {
    if find("ps").is_none() {
        return;
    }
    let lines = shown(["--", "ps", "-e", "-o", "pid=,comm="]);
    let words: Vec<&str> = lines.split_whitespace().collect();
    assert_eq!(words, ["1", "pidns-init", "2", "ps"]);
    assert_eq!(shown(["--as-init", "--", "ps", "-e", "-o", "comm="]), "ps\n");
    assert_eq!(shown(["--", "ps", "-e"]).lines().count(), 3, "a headline and two processes");
}

#[test]
fn unshare_makes_a_namespace_inside() {
    if find("unshare").is_none() {
        return;
    }
    assert_eq!(shown(["--", "unshare", "--pid", "--fork", "sh", "-c", "echo $$"]), "1\n");
}

#[test]
fn namespaces_nest_32_deep_with_the_outermost() {
    if find("unshare").is_none() {
        return;
    }
    // Each shell tells its level, and makes the next until it cannot.
    let script = "echo $1; exec unshare --pid --fork sh -c \"$0\" \"$0\" $(($1+1)) 2>&1";
    let mut command = run(["--engine", "ptrace", "--", "sh", "-c", script, script, "1"]);
    let (_, stdout, _) = ended(&mut command);
    let levels: Vec<&str> = stdout.lines().take_while(|line| line.parse::<u32>().is_ok()).collect();
    assert_eq!(levels.last(), Some(&"32"), "{stdout}");
    assert!(stdout.contains("No space left on device"), "{stdout}");
}

#[test]
fn nothing_survives_a_supervisor_that_is_killed_at_any_moment() {
    killed_at_any_moment(60, &["--engine", "ptrace"]);
    killed_at_any_moment(60, &["--engine", "ptrace", "--as-init"]);
}

/// Nobody survives when one of those who belong to a job is killed, each in turn.
fn killed_in_turn(options: &[&str]) {
    for turn in 0.. {
        let mark = Mark::new();
        let (key, value) = mark.env();
        let mut command = run(["--engine", "ptrace"]);
        command.args(options).args(["--", "sh", "-c", STAY]).env(key, value);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = Lines::new(child.stdout.take().unwrap());
        lines.until("ready");
        let all = mark.processes();
        let Some(target) = all.get(turn) else {
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(turn >= 5, "the supervisor, the command, and three that stay: {all:?}");
            return mark.wait_gone();
        };
        let name = proc::status(target.pid, "Name").unwrap_or_default();
        kill("9", &target.pid.to_string());
        if !name.starts_with("pidns") {
            // Without one of the command's own, a job may go on.
            child.kill().unwrap();
        }
        child.wait().unwrap();
        mark.wait_gone();
    }
}

#[test]
fn nothing_survives_whoever_is_killed() {
    killed_in_turn(&[]);
    killed_in_turn(&["--as-init"]);
}

#[test]
fn nothing_survives_the_command_when_its_end_is_told() {
    let ways = ["exit 7", "kill -9 $$", "kill -SEGV $$", "setsid kill -9 $$; sleep 300"];
    for (way, expected) in ways.into_iter().zip([7, 137, 139, 137]) {
        let mark = Mark::new();
        let (key, value) = mark.env();
        let stay = STAY.strip_suffix("exec sleep 300").unwrap();
        let mut command = run(["--engine", "ptrace", "--", "sh", "-c", &format!("{stay}{way}")]);
        let output = command.env(key, value).output().unwrap();
        mark.assert_gone();
        assert_eq!(code(&output), expected, "{way}");
    }
}

#[test]
fn all_the_same_where_namespaces_are_switched_off() {
    place::again_switched_off("all_the_same", &[BUILT.as_ref()]);
}

#[test]
fn all_the_same_behind_a_container_s_filter_without_privilege() {
    place::again_behind_a_container_s_filter("all_the_same", &[BUILT.as_ref()]);
}
