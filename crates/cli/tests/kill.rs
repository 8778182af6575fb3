//! `pidns kill` and `pidns wait`: what is meant goes, and nothing else.

mod steer;

use std::process::Stdio;
use std::time::{Duration, Instant};

use steer::{Foreign, Job, eventually, json, lives, output, pidns, status_soon, stderr};

const ENGINES: [&str; 3] = ["kernel", "ptrace", "subreaper"];

/// The host pids of all processes of a target.
fn inside(target: &str) -> Vec<u32> {
    let tree = json(&output(&mut pidns(&["ps", "--json", target])));
    let processes = tree["processes"].as_array().expect("a list");
    let pid =
        |process: &serde_json::Value| process["pid"].as_u64().and_then(|pid| pid.try_into().ok());
    processes.iter().map(|process| pid(process).expect("a pid")).collect()
}

#[test]
fn a_job_is_destroyed_with_all_that_resists() {
    for engine in ENGINES {
        let script =
            "trap '' TERM HUP INT; for i in 1 2 3; do setsid sleep 1000 & done; echo ready; read x";
        let Some(job) = Job::start(engine, &format!("destroy-{engine}"), script) else { continue };
        let all = inside(&job.name);
        assert!(all.len() >= 5, "{all:?}");
        let start = Instant::now();
        let out = output(&mut pidns(&["kill", &job.name]));
        assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
        assert!(start.elapsed() < Duration::from_secs(1), "{engine}: {:?}", start.elapsed());
        for pid in all {
            assert!(!lives(pid), "{engine}: {pid} is left");
        }
        assert_eq!(job.wait(), Some(137), "{engine}");
    }
}

#[test]
fn a_signal_reaches_the_command() {
    for engine in ENGINES {
        let script = "trap 'exit 9' USR1; echo ready; while :; do read x; done";
        let Some(job) = Job::start(engine, &format!("signal-{engine}"), script) else { continue };
        let out = output(&mut pidns(&["kill", "-s", "usr1", &job.name]));
        assert_eq!(out.status.code(), Some(0), "{engine}: {}", stderr(&out));
        let mut job = job;
        eventually("the command takes it", || job.run.try_wait().expect("it is ours").is_some());
        assert_eq!(job.run.wait().expect("it is ours").code(), Some(9), "{engine}");
    }
}

#[test]
fn a_namespace_of_others_is_destroyed_by_any_process_in_it() {
    let Some(foreign) = Foreign::new(&[], "trap '' TERM; sleep 1000 & echo ready; read x") else {
        return;
    };
    let all = inside(&foreign.target());
    let last = all.last().expect("there are some").to_string();
    let out = output(&mut pidns(&["kill", &last]));
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    for pid in all.into_iter().filter(|pid| *pid != foreign.init) {
        assert!(!lives(pid), "{pid} is left");
    }
}

#[test]
fn nothing_outside_is_ever_signalled() {
    let mut outsider = std::process::Command::new("sleep")
        .arg("1000")
        .stdin(Stdio::null())
        .spawn()
        .expect("sleep is there");
    let pid = outsider.id().to_string();
    for args in [
        vec!["kill", &pid],
        vec!["kill", "-s", "KILL", &pid],
        vec!["wait", &pid],
        vec!["exec", &pid, "true"],
    ] {
        let out = output(&mut pidns(&args));
        assert_eq!(out.status.code(), Some(125), "{args:?}");
        let text = stderr(&out);
        assert!(text.contains("is in no PID namespace below this one"), "{text}");
        assert!(text.contains("hint: nothing outside of a PID namespace is touched"), "{text}");
    }
    for target in
        ["1", "0", "4194304", "99999999999999999999", "", "no-such-name", "../../etc/passwd"]
    {
        let out = output(&mut pidns(&["kill", target]));
        assert_eq!(out.status.code(), Some(125), "{target}");
        assert!(stderr(&out).starts_with("pidns: "), "{}", stderr(&out));
    }
    assert_eq!(outsider.try_wait().expect("it is ours"), None, "the outsider lives");
    outsider.kill().expect("it is ours");
    outsider.wait().expect("it is ours");
}

#[test]
fn waiting_ends_as_the_command_does() {
    for engine in ENGINES {
        for (end, code) in [("exit 7", 7), ("kill -9 $$", 137), ("exit 0", 0)] {
            let script = format!("echo ready; read x; {end}");
            let Some(mut job) = Job::start(engine, &format!("wait-{engine}-{code}"), &script)
            else {
                continue;
            };
            let mut wait = pidns(&["wait", &job.name]).spawn().expect("it can be executed");
            eventually("it has found its target", || holds_a_pidfd(wait.id()));
            let target = job.init.to_string();
            let early = output(&mut pidns(&["wait", "--timeout", "10ms", &target]));
            assert_eq!(early.status.code(), Some(124), "{}", stderr(&early));
            drop(job.stdin.take());
            assert_eq!(job.run.wait().expect("it is ours").code(), Some(code), "{engine} {end}");
            assert_eq!(wait.wait().expect("it is ours").code(), Some(code), "{engine} {end}");
        }
    }
}

#[test]
fn a_supervisor_that_is_stopped_makes_nobody_wait_longer_than_asked() {
    let script = "echo ready; read x; exit 7";
    let Some(mut job) = Job::start("kernel", "wait-stopped", script) else { return };
    let supervisor = rustix::process::Pid::from_child(&job.run);
    let args = ["wait", "--timeout", "500ms", &job.name];
    let mut wait = pidns(&args).spawn().expect("it can be executed");
    eventually("it has found its target", || holds_a_pidfd(wait.id()));
    rustix::process::kill_process(supervisor, rustix::process::Signal::STOP).expect("it is ours");
    drop(job.stdin.take());
    let status = status_soon(&mut wait);
    rustix::process::kill_process(supervisor, rustix::process::Signal::CONT).expect("it is ours");
    wait.wait().expect("it is ours");
    assert_eq!(job.run.wait().expect("it is ours").code(), Some(7));
    assert_eq!(status.and_then(|status| status.code()), Some(124), "too late");
}

/// True once the process has a descriptor of another.
fn holds_a_pidfd(pid: u32) -> bool {
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut links = fds.filter_map(|fd| std::fs::read_link(fd.path()).ok());
    links.any(|link| link.to_string_lossy().contains("pidfd"))
}

#[test]
fn a_missing_target_is_said_by_the_usage() {
    for action in ["kill", "wait", "exec"] {
        let out = output(&mut pidns(&[action]));
        assert_eq!(out.status.code(), Some(125), "{action}");
        assert!(stderr(&out).contains("Usage: pidns"), "{}", stderr(&out));
    }
}
