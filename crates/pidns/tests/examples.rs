//! The examples do what they say.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// An example, which `cargo test` builds beside the tests. `None`, and a word about it, where it is not built.
fn example(name: &str) -> Option<Command> {
    let test = std::env::current_exe().expect("we have a file");
    let directory = test.ancestors().nth(2).expect("it is in target/PROFILE/deps");
    let path: PathBuf = directory.join("examples").join(name);
    if !path.is_file() {
        println!("skipped: {} is not built", path.display());
        return None;
    }
    Some(Command::new(path))
}

fn run(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, .. } = command.output().expect("it can be executed");
    (status.code(), String::from_utf8(stdout).expect("it is text"))
}

#[test]
fn the_test_runner_fails_tests_that_fail_or_leave_something_behind() {
    let Some(mut runner) = example("test_runner") else { return };
    let (code, text) = run(runner.args(["true", "exit 3", "sleep 1000 & true"]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("ok      true\n"), "{text}");
    assert!(text.contains("FAILED  exit 3: exit code 3\n"), "{text}");
    assert!(text.contains("FAILED  sleep 1000 & true: left behind: sleep 1000\n"), "{text}");
    assert!(text.ends_with("1 passed, 2 failed\n"), "{text}");
}

#[test]
fn a_tool_call_ends_in_time_and_tells_all() {
    let Some(mut tool) = example("agent_tool") else { return };
    let script = "echo out; echo err >&2; setsid sleep 1000 & exec sleep 1001";
    let (code, text) = run(tool.args(["0.2", script]));
    assert_eq!(code, Some(0), "{text}");
    let answer: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!((&answer["stdout"], &answer["stderr"]), (&"out\n".into(), &"err\n".into()));
    assert_eq!((&answer["timed_out"], &answer["signal"]), (&true.into(), &15.into()));
    let left = answer["left_behind_and_killed"].to_string();
    assert!(left.contains("1000") && !left.contains("1001"), "{left}");
}

#[test]
fn the_job_server_starts_lists_and_kills_and_its_end_is_that_of_its_jobs() {
    let Some(mut server) = example("job_server") else { return };
    let mut server =
        server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it can be executed");
    let mut requests = server.stdin.take().expect("it is piped");
    let answers = BufReader::new(server.stdout.take().expect("it is piped"));
    let mut answers = answers.lines().map_while(Result::ok);
    let [a, b] = ["a", "b"].map(|name| format!("example-{name}-{}", std::process::id()));
    let mut ask = |request: &str| {
        requests.write_all(format!("{request}\n").as_bytes()).expect("it reads");
        answers.next().expect("it answers")
    };
    let started = ask(&format!("start {a} sleep 1000"));
    let init = started.strip_prefix(&format!("started {a} ")).expect("it is started").to_owned();
    assert_eq!(ask("list"), format!("{a} {init} sleep 1000"));
    assert!(ask(&format!("start {a} true")).contains("it is in use"));
    assert_eq!(ask(&format!("kill {a}")), format!("killing {a}"));
    assert_eq!(answers.next().as_deref(), Some(format!("ended {a} killed by SIGKILL").as_str()));
    let mut ask = |request: &str| {
        requests.write_all(format!("{request}\n").as_bytes()).expect("it reads");
        answers.next().expect("it answers")
    };
    let started = ask(&format!("start {b} sleep 1000"));
    let init = started.rsplit(' ').next().expect("a pid").to_owned();
    drop(requests);
    assert!(server.wait().expect("it is ours").success());
    assert!(!PathBuf::from("/proc").join(init).exists(), "its end is that of its jobs");
}
