//! The steps of a workflow of GitHub Actions, run as its runner does.
//!
//! The runner writes the script of a step to a file, puts the file's name for `{0}` in `shell`, and starts the first word
//! with the rest as its arguments.

use std::process::Command;

use super::support::{Daemon, Ended, Limited, Scratch, command, file, find, skip, text};

/// The `shell:` that puts pidns around a step.
fn shell(workflow: &str) -> &str {
    let mut lines = workflow.lines().filter_map(|line| line.trim().strip_prefix("shell: "));
    lines.find(|shell| shell.contains("{0}")).expect("the workflow has one")
}

/// The script of the last step.
fn script(workflow: &str) -> String {
    let (_, block) = workflow.rsplit_once("run: |\n").expect("the last step has a script");
    block.lines().map(|line| format!("{}\n", line.trim_start())).collect()
}

fn step(shell: &str, script: &str) -> Command {
    let (program, arguments) = shell.split_once(' ').unwrap();
    let mut step = command(program);
    step.args(arguments.split(' ').map(|word| word.replace("{0}", script)));
    step
}

fn run(shell: &str, script: &str, daemon: &Daemon) -> Ended {
    let directory = Scratch::new();
    std::fs::copy(file("leave-daemon.sh"), directory.join("leave-daemon.sh")).unwrap();
    let script = directory.write("_temp/step.sh", script);
    let mut step = step(shell, script.to_str().unwrap());
    step.current_dir(directory.path());
    step.env("GITHUB_JOB", "test").env("SECONDS_LEFT", daemon.seconds()).end()
}

#[test]
fn a_step_that_leaves_a_process_behind_fails() {
    if find("bash").is_none() {
        skip!("bash is not installed");
    }
    let workflow = text("workflow.yml");
    let daemon = Daemon::new();
    let step = run(shell(&workflow), &script(&workflow), &daemon);
    daemon.assert_gone();
    assert_eq!(step.stdout, "tests of test\n");
    assert_eq!(step.code(), Some(123), "{step:?}");
    assert!(step.stderr.contains("1 process was left behind"), "{step:?}");
}

#[test]
fn a_step_that_fails_keeps_its_exit_code() {
    if find("bash").is_none() {
        skip!("bash is not installed");
    }
    let workflow = text("workflow.yml");
    let step = run(shell(&workflow), "false | true\necho not reached\n", &Daemon::new());
    assert_eq!((step.code(), step.stdout.as_str()), (Some(1), ""), "{step:?}");
}

#[test]
fn a_job_of_any_ci_keeps_a_report() {
    let (directory, daemon) = (Scratch::new(), Daemon::new());
    let job = command("sh")
        .arg(file("ci-job.sh"))
        .arg("sh")
        .arg(file("leave-daemon.sh"))
        .arg(daemon.seconds())
        .current_dir(directory.path())
        .end();
    daemon.assert_gone();
    assert_eq!(job.code(), Some(123), "{job:?}");
    let report = std::fs::read_to_string(directory.join("job.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["exit_code"], 123);
    assert!(daemon.is_reported(&report["leaks"]), "{report}");
}
