//! `pidns exec`: a command beside those that are inside.

mod steer;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use pidns_testkit::{Terminal, proc};
use steer::{
    BEGUN, Foreign, Job, PIDNS, eventually, have, json, lives, output, pidns, stderr, stdout,
};

const ENGINES: [&str; 3] = ["kernel", "ptrace", "subreaper"];

/// Those that have an inside.
const INSIDE: [&str; 2] = ["kernel", "ptrace"];

fn job(engine: &str, name: &str) -> Option<Job> {
    let name = format!("{name}-{engine}");
    Job::start(engine, &name, "sleep 1000 & echo ready; read x; kill $!")
}

fn exec(target: &str, script: &str) -> std::process::Output {
    output(&mut pidns(&["exec", target, "--", "sh", "-c", script]))
}

#[test]
fn a_command_is_inside_and_sees_what_is_inside() {
    for engine in INSIDE {
        let Some(job) = job(engine, "inside") else { continue };
        let out = exec(&job.name, "echo $$; set -- /proc/[0-9]*; echo $#; cat /proc/1/comm");
        let text = stdout(&out);
        let lines: Vec<_> = text.lines().collect();
        let number: u32 = lines[0].parse().expect("a number");
        assert!(number > 3, "{text}");
        // Number 1, the shell, its sleep, this shell, and what runs it if that is inside too.
        let count = if engine == "ptrace" { "5" } else { "4" };
        assert_eq!((lines[1], lines[2]), (count, "pidns-init"), "{text} {}", stderr(&out));
    }
}

#[test]
fn the_exit_status_is_that_of_run() {
    for engine in ENGINES {
        let Some(job) = job(engine, "status") else { continue };
        for (script, code) in
            [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
        {
            assert_eq!(exec(&job.name, script).status.code(), Some(code), "{script}");
        }
        let code = |args: &[&str]| {
            let out = output(&mut pidns(&[&["exec"], args].concat()));
            (out.status.code(), stderr(&out))
        };
        assert_eq!(code(&[&job.name, "/no/such/program"]).0, Some(127));
        assert_eq!(code(&[&job.name, "/etc/passwd"]).0, Some(126));
        assert_eq!(code(&["--timeout", "50ms", &job.name, "sleep", "1000"]).0, Some(124));
        let (missing, text) = code(&["-w", "/no/such/directory", &job.name, "true"]);
        assert_eq!(missing, Some(125));
        assert_eq!(text, "pidns: cannot enter the working directory: No such file or directory\n");
    }
}

#[test]
fn standard_descriptors_pass_and_no_others() {
    for engine in ENGINES {
        let Some(job) = job(engine, "stdio") else { continue };
        let mut child = pidns(&[
            "exec",
            &job.name,
            "--",
            "sh",
            "-c",
            "cat; echo to-stderr >&2; ls /proc/self/fd",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it can be executed");
        child.stdin.take().expect("it is piped").write_all(b"hello\n").expect("it reads");
        let out = child.wait_with_output().expect("it is ours");
        // The last is ls's own.
        assert_eq!(stdout(&out), "hello\n0\n1\n2\n3\n");
        assert_eq!(stderr(&out), "to-stderr\n");
    }
}

#[test]
fn the_working_directory_is_the_caller_s_or_the_one_asked_for() {
    for engine in ENGINES {
        let Some(job) = job(engine, "directory") else { continue };
        let mut command = pidns(&["exec", &job.name, "pwd"]);
        assert_eq!(stdout(&output(command.current_dir("/usr"))), "/usr\n");
        let mut command = pidns(&["exec", "-w", "/etc", &job.name, "pwd"]);
        assert_eq!(stdout(&output(&mut command)), "/etc\n");
    }
}

/// `pidns exec` of a shell that has said that it is ready, which `script` has to do.
fn ready(target: &str, script: &str) -> Child {
    let mut child = pidns(&["exec", target, "--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be executed");
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).expect("it can be read");
    assert_eq!(line, "ready\n");
    child
}

#[test]
fn a_signal_to_pidns_exec_goes_to_the_command() {
    for engine in ENGINES {
        let Some(job) = job(engine, "forward") else { continue };
        let mut child =
            ready(&job.name, "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done");
        let kill = format!("kill -TERM {}", child.id());
        let killed = std::process::Command::new("sh").args(["-c", &kill]).status();
        assert!(killed.expect("sh is there").success());
        assert_eq!(child.wait().expect("it is ours").code(), Some(9));
    }
}

#[test]
fn nothing_is_left_inside_when_pidns_exec_is_killed() {
    for engine in ENGINES {
        let name = format!("killed-{engine}");
        let Some(job) = Job::start(engine, &name, "echo ready; read x") else { continue };
        for _ in 0..10 {
            let mut child = ready(&job.name, "trap '' TERM HUP INT; echo ready; exec sleep 1234");
            // Below us or inside, as the engine has it. In the shell's exec it has no words for a moment.
            let sleep = r#"["sleep","1234"]"#;
            let family = || [below(child.id()), inside(&job.name, sleep)].concat();
            eventually("it is there", || !family().is_empty());
            let family = family();
            child.kill().expect("it is ours");
            child.wait().expect("it is ours");
            for pid in family {
                eventually("it ends", || !lives(pid));
            }
        }
        let left = inside(&job.name, "1234");
        assert!(left.is_empty(), "{engine}: {left:?}");
    }
}

#[test]
fn nothing_is_left_inside_when_what_stands_between_is_killed() {
    let Some(job) = job("kernel", "between") else { return };
    let mut child = ready(&job.name, "trap '' TERM HUP INT; echo ready; exec sleep 1235");
    let family = below(child.id());
    let [visitor, command] = family[..] else { panic!("{family:?}") };
    // The visitor waits for its vfork to return, and tells of the start, before it waits for what comes.
    eventually("it is where it stays", || proc::state(visitor) == Some('S'));
    let kill = format!("kill -KILL {visitor}");
    let killed = std::process::Command::new("sh").args(["-c", &kill]).status();
    assert!(killed.expect("sh is there").success());
    eventually("the command ends", || !lives(command));
    assert_eq!(child.wait().expect("it is ours").code(), Some(137));
}

/// The processes inside with this word in their command line.
fn inside(target: &str, word: &str) -> Vec<u32> {
    let tree = json(&output(&mut pidns(&["ps", "--json", target])));
    let processes = tree["processes"].as_array().expect("a list").iter();
    let found = processes.filter(|process| process["command"].to_string().contains(word));
    let pids = found.filter_map(|process| process["pid"].as_u64()?.try_into().ok());
    pids.collect()
}

/// The descendants of `pid` that are there.
fn below(pid: u32) -> Vec<u32> {
    let Ok(children) = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")) else {
        return Vec::new();
    };
    let children: Vec<u32> =
        children.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    children.into_iter().flat_map(|child| [vec![child], below(child)].concat()).collect()
}

#[test]
fn a_command_ends_with_the_namespace() {
    for engine in ENGINES {
        let Some(job) = Job::start(engine, &format!("ends-{engine}"), "echo ready; read x") else {
            continue;
        };
        let mut child = ready(&job.name, "echo ready; exec sleep 1000");
        assert_eq!(output(&mut pidns(&["kill", &job.name])).status.code(), Some(0));
        assert_eq!(child.wait().expect("it is ours").code(), Some(137), "{engine}");
    }
}

#[test]
fn a_namespace_of_others_is_entered_with_its_user_network_and_host_name() {
    let script = "hostname inside 2>/dev/null || echo inside > /proc/sys/kernel/hostname; echo ready; read x";
    let Some(foreign) = Foreign::new(&["--net", "--uts"], script) else { return };
    let links = "for n in user mnt pid net ipc uts; do readlink /proc/self/ns/$n; done";
    let out = exec(&foreign.target(), &format!("cat /proc/sys/kernel/hostname; id -u; {links}"));
    let text = stdout(&out);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..2], ["inside", "0"], "{text} {}", stderr(&out));
    let theirs = |name: &str| {
        let link = std::fs::read_link(format!("/proc/{}/ns/{name}", foreign.init));
        link.expect("it can be read").to_string_lossy().into_owned()
    };
    let expected: Vec<_> = ["user", "mnt", "pid", "net", "ipc", "uts"].map(theirs).into();
    assert_eq!(lines[2..], expected, "{text}");
}

#[test]
fn a_container_with_a_root_of_its_own_is_entered() {
    if !have("bwrap") {
        return;
    }
    let mut bwrap = std::process::Command::new("bwrap")
        .args(["--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--tmpfs", "/opt"])
        .args(["--dir", "/opt/inside", "--proc", "/proc", "--dev", "/dev", "--as-pid-1"])
        .args(["sh", "-c", "echo ready; read x"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it is there");
    let mut line = String::new();
    let out = bwrap.stdout.as_mut().expect("it is piped");
    BufReader::new(out).read_line(&mut line).expect("it can be read");
    if line.is_empty() {
        println!("skipped: bwrap does not work here");
        bwrap.wait().expect("it is ours");
        return;
    }
    let inner = *below(bwrap.id()).last().expect("it has a child");
    let out = exec(&inner.to_string(), "ls /opt; set -- /proc/[0-9]*; echo $#; cat /proc/1/comm");
    assert_eq!(stdout(&out), "inside\n2\nsh\n", "{}", stderr(&out));
    drop(bwrap.stdin.take());
    bwrap.wait().expect("it is ours");
}

#[test]
fn what_a_command_leaves_behind_stays_with_the_namespace() {
    for engine in INSIDE {
        let Some(job) = job(engine, "stays") else { continue };
        let out = exec(&job.name, &format!("sleep 1234 >/dev/null 2>&1 & {BEGUN}; echo done"));
        assert_eq!(stdout(&out), "done\n");
        let tree = json(&output(&mut pidns(&["ps", "--json", &job.name])));
        let left = tree["processes"].as_array().expect("a list").iter();
        let left =
            left.filter(|process| process["command"] == serde_json::json!(["sleep", "1234"]));
        let left: Vec<u64> = left.filter_map(|process| process["pid"].as_u64()).collect();
        assert_eq!(left.len(), 1, "{tree:#}");
        let pid = u32::try_from(left[0]).expect("a pid");
        assert!(lives(pid));
        drop(job);
        eventually("it ends with the namespace", || !lives(pid));
    }
}

#[test]
fn a_traced_command_that_is_number_1_takes_nobody_in() {
    let name = format!("cli-first-{}", std::process::id());
    let args = ["run", "--engine", "ptrace", "--as-init", "--name", &name];
    let mut run = pidns(&args)
        .args(["sh", "-c", "echo ready; read x"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be executed");
    let mut line = String::new();
    BufReader::new(run.stdout.as_mut().expect("it is piped"))
        .read_line(&mut line)
        .expect("it can be read");
    if line.is_empty() {
        println!("skipped: engine ptrace does not work here");
    } else {
        let out = exec(&name, "true");
        assert_eq!(out.status.code(), Some(125));
        let text = stderr(&out);
        assert!(text.contains("cannot enter the namespace: Function not implemented"), "{text}");
        assert!(text.contains("hint: its engine is ptrace"), "{text}");
    }
    drop(run.stdin.take());
    run.wait().expect("it is ours");
}

#[test]
fn at_a_terminal_interrupts_stops_and_sizes_are_the_command_s() {
    for engine in INSIDE {
        let Some(job) = job(engine, "terminal") else { continue };
        let Some(mut terminal) = Terminal::shell() else { return };
        let exec = format!("{PIDNS} exec {} -- ", job.name);
        terminal.enter(&format!("{exec}sh -c 'stty size; tty -s && echo a-terminal'"));
        terminal.expect("24 80\r\na-terminal\r\nready$ ");
        let script =
            r#"trap "echo interrupted; exit 5" INT; echo up; while :; do sleep 0.01; done"#;
        terminal.enter(&format!("{exec}sh -c '{script}'; echo code $?"));
        terminal.expect("up\r\n");
        terminal.press("\x03");
        terminal.expect("interrupted\r\n");
        terminal.expect("code 5\r\nready$ ");
        if engine != "kernel" {
            // Its session is another.
            continue;
        }
        terminal.enter(&format!("{exec}sh -c 'echo up; read x; echo got $x'"));
        terminal.expect("up\r\n");
        terminal.press("\x1a");
        terminal.expect("Stopped");
        terminal.expect("ready$ ");
        terminal.enter("fg");
        terminal.enter("word");
        terminal.expect("got word\r\nready$ ");
    }
}
