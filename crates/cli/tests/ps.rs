//! `pidns ps`: lists, trees, JSON, and a look that goes on.

mod steer;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;
use steer::{BEGUN, Foreign, Job, json, output, pidns, status_soon, stderr, stdout};

fn list() -> Vec<Value> {
    let list = json(&output(&mut pidns(&["ps", "--json"])));
    list.as_array().expect("a list").clone()
}

fn row(init: u32) -> Option<Value> {
    list().into_iter().find(|row| row["init_pid"] == init)
}

#[test]
fn a_job_is_listed_with_its_name_engine_and_command() {
    for engine in ["kernel", "ptrace", "subreaper"] {
        let script = "sleep 1000 & echo ready; read x; exit 0";
        let Some(job) = Job::start(engine, &format!("list-{engine}"), script) else { continue };
        let row = row(job.init).expect("it is in the list");
        assert_eq!(row["name"], job.name.as_str());
        assert_eq!(row["engine"], engine);
        assert_eq!(row["processes"], 3, "{row:#}");
        assert_eq!(row["command"], serde_json::json!(["sh", "-c", script]));
        assert!(row["age"].as_f64().expect("a number") < 100.0);
        let words = stdout(&output(&mut pidns(&["ps"])));
        let line = words.lines().find(|line| line.contains(&job.name)).expect("it is in the table");
        assert!(line.contains(engine) && line.contains("sleep 1000"), "{line}");
        assert_eq!(job.wait(), Some(0));
    }
}

#[test]
fn the_tree_of_a_job_has_both_numbers() {
    for engine in ["kernel", "ptrace"] {
        tree_of(engine);
    }
}

fn tree_of(engine: &str) {
    let name = format!("tree-{engine}");
    let script = format!("sleep 1000 & {BEGUN}; echo ready; read x");
    let Some(job) = Job::start(engine, &name, &script) else { return };
    let tree = json(&output(&mut pidns(&["ps", "--json", &job.name])));
    let processes = tree["processes"].as_array().expect("a list");
    let numbers: Vec<_> = processes.iter().map(|process| process["number"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3)], "{tree:#}");
    assert_eq!(processes[2]["command"], serde_json::json!(["sleep", "1000"]));
    assert_eq!(processes[2]["ppid"], processes[1]["pid"]);
    let words = stdout(&output(&mut pidns(&["ps", &job.name])));
    assert!(words.contains("   └─ sleep 1000"), "{words}");
    // Any process inside means the same namespace.
    let pid = processes[2]["pid"].to_string();
    let by_pid = json(&output(&mut pidns(&["ps", "--json", &pid])));
    assert_eq!((&by_pid["init_pid"], &by_pid["name"]), (&tree["init_pid"], &tree["name"]));
}

#[test]
fn a_job_that_is_gone_is_no_longer_listed() {
    let Some(job) = Job::start("kernel", "gone", "echo ready; read x; exit 0") else { return };
    let (init, name) = (job.init, job.name.clone());
    assert_eq!(job.wait(), Some(0));
    assert!(row(init).is_none());
    let out = output(&mut pidns(&["ps", &name]));
    assert_eq!(out.status.code(), Some(125));
    assert!(stderr(&out).contains("no job of this user has this name"), "{}", stderr(&out));
}

#[test]
fn namespaces_of_others_are_listed_with_what_is_nested_in_them() {
    let script = "unshare --pid --fork sh -c 'echo ready; exec sleep 1000' & read x";
    let Some(foreign) = Foreign::new(&[], script) else { return };
    let outer = row(foreign.init).expect("it is in the list");
    assert_eq!(
        (&outer["engine"], &outer["name"], &outer["level"]),
        (&"kernel".into(), &Value::Null, &1.into())
    );
    let list = list();
    let inner = list.iter().find(|row| row["parent"] == foreign.init).expect("it is in the list");
    assert_eq!((&inner["level"], &inner["processes"]), (&2.into(), &1.into()));
    let position =
        |wanted: &Value| list.iter().position(|row| row["init_pid"] == wanted["init_pid"]);
    assert!(position(&outer) < position(inner));
}

#[test]
fn what_a_command_line_does_to_terminals_is_not_done() {
    let Some(job) = Job::start("kernel", "escape", "echo ready; read x; : '\u{1b}[2J'") else {
        return;
    };
    for args in [["ps", &job.name].as_slice(), &["ps"]] {
        let words = stdout(&output(&mut pidns(args)));
        assert!(!words.contains('\u{1b}'), "{words:?}");
        assert!(words.contains(r"\u{1b}[2J"), "{words:?}");
    }
}

#[test]
fn watching_a_job_ends_with_the_job() {
    let Some(mut job) = Job::start("kernel", "watch", "echo ready; read x") else { return };
    let mut watch = pidns(&["ps", "--json", "--watch", "--interval", "10ms", &job.name])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be executed");
    let stdout = watch.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    for _ in 0..3 {
        let line = lines.next().expect("it goes on");
        let tree: Value = serde_json::from_str(&line).expect("a line of JSON");
        assert_eq!(tree["init_pid"], job.init);
    }
    drop(job.stdin.take());
    job.run.wait().expect("it is ours");
    assert!(lines.count() < 1000, "it ends");
    assert!(watch.wait().expect("it is ours").code().is_some());
}

#[test]
fn watching_ends_when_nobody_reads_any_more() {
    let Some(job) = Job::start("kernel", "unread", "echo ready; read x") else { return };
    for target in [&[][..], &[job.name.as_str()]] {
        let args = [&["ps", "--watch", "--interval", "10ms"], target].concat();
        let mut watch = pidns(&args).stdout(Stdio::piped()).spawn().expect("it can be executed");
        let mut line = String::new();
        let mut stdout = BufReader::new(watch.stdout.take().expect("it is piped"));
        stdout.read_line(&mut line).expect("it can be read");
        drop(stdout);
        let status = status_soon(&mut watch);
        let _ = watch.kill();
        watch.wait().expect("it is ours");
        assert_eq!(status.expect("it goes on").code(), Some(0), "{args:?}");
    }
}

#[test]
fn a_list_says_so_if_it_is_empty_and_a_closed_reader_is_no_failure() {
    let script = r#"mount -t proc proc /proc; "$PIDNS" ps; "$PIDNS" ps --json; "$PIDNS" ps | true"#;
    let Some(out) = steer::as_other_root(&["--pid", "--fork", "--mount"], script) else { return };
    assert_eq!(stdout(&out), "no PID namespaces below this one\n[]\n", "{}", stderr(&out));
}

#[test]
fn proc_of_another_namespace_is_noticed() {
    let Some(out) = steer::as_other_root(&["--pid", "--fork"], r#""$PIDNS" ps"#) else { return };
    assert_eq!(out.status.code(), Some(125));
    assert!(stderr(&out).contains("/proc shows another PID namespace"), "{}", stderr(&out));
}
