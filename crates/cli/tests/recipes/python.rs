//! Python: `subprocess`, `asyncio` and an agent's tool call.

use std::process::Command;

use serde_json::Value;

use super::support::{Daemon, Limited, command, file, find, recipes, skip};

/// Python that runs `program` with the recipes as modules, without writing caches beside them.
fn python(program: &str) -> Command {
    let mut python = command("python3");
    python.args(["-B", "-c", program]).env("PYTHONPATH", recipes());
    python
}

/// Ends only with its grandchild, which holds the output open.
fn hang(daemon: &Daemon) -> String {
    format!("sleep {} & echo up; wait", daemon.seconds())
}

#[test]
fn a_subprocess_out_of_time_takes_its_grandchildren_along() {
    if find("python3").is_none() {
        skip!("python3 is not installed");
    }
    let daemon = Daemon::new();
    let program = "
import subprocess, sys, timeouts
print(timeouts.run('echo', 'in time', timeout=20).stdout, end='')
try:
    timeouts.run('sh', '-c', sys.argv[1], timeout=0.3)
except subprocess.TimeoutExpired:
    print('out of time')
";
    let output = python(program).arg(hang(&daemon)).end().succeeded();
    assert_eq!(output, "in time\nout of time\n");
    daemon.wait_until_gone();
}

#[test]
fn without_pidns_the_grandchild_stays() {
    if find("python3").is_none() {
        skip!("python3 is not installed");
    }
    let daemon = Daemon::new();
    let program = "
import subprocess, sys
job = subprocess.Popen(['sh', '-c', sys.argv[1]], stdout=subprocess.PIPE)
job.stdout.readline()
try:
    job.wait(timeout=0.1)
except subprocess.TimeoutExpired:
    job.kill()
    print(job.wait())
";
    assert_eq!(python(program).arg(hang(&daemon)).end().succeeded(), "-9\n");
    daemon.wait_until_up();
}

#[test]
fn asyncio_out_of_time_and_cancelled_leaves_nothing() {
    if find("python3").is_none() {
        skip!("python3 is not installed");
    }
    let (late, cancelled) = (Daemon::new(), Daemon::new());
    let program = "
import asyncio, sys, timeouts
async def main():
    print(await timeouts.run_async('echo', 'in time', timeout=20), end='')
    try:
        await timeouts.run_async('sh', '-c', sys.argv[1], timeout=0.3)
    except asyncio.TimeoutError:
        print('out of time')
    task = asyncio.create_task(timeouts.run_async('sh', '-c', sys.argv[2], timeout=20))
    await asyncio.sleep(0.3)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print('cancelled')
asyncio.run(main())
";
    let mut python = python(program);
    let output = python.args([hang(&late), hang(&cancelled)]).end().succeeded();
    assert_eq!(output, "in time\nout of time\ncancelled\n");
    late.wait_until_gone();
    cancelled.wait_until_gone();
}

/// The answer of `tool_call.py` for a command.
fn tool_call(seconds: &str, tool: &[&str]) -> Value {
    let output = command("python3").arg(file("tool_call.py")).arg(seconds).args(tool).end();
    serde_json::from_str(&output.succeeded()).unwrap()
}

#[test]
fn a_tool_call_says_what_became_of_the_command() {
    if find("python3").is_none() {
        skip!("python3 is not installed");
    }
    let daemon = Daemon::new();
    let leave = file("leave-daemon.sh");
    let script = "echo hello; sh \"$0\" \"$1\"; exit 7";
    let answer = tool_call("20", &["sh", "-c", script, leave.to_str().unwrap(), daemon.seconds()]);
    daemon.assert_gone();
    assert_eq!(answer["exit_code"], 7, "{answer}");
    assert_eq!(answer["timed_out"], false, "{answer}");
    assert_eq!(answer["output"], "hello\n", "{answer}");
    assert!(answer["left_behind"][0].as_str().is_some_and(|left| daemon.is_in(left)), "{answer}");
    assert_eq!(answer["left_behind"].as_array().map(Vec::len), Some(1), "{answer}");
}

#[test]
fn a_tool_call_ends_in_time_with_all_that_it_started() {
    if find("python3").is_none() {
        skip!("python3 is not installed");
    }
    let daemon = Daemon::new();
    let deaf = format!("trap '' TERM; {}", hang(&daemon));
    let answer = tool_call("0.3", &["sh", "-c", &deaf]);
    daemon.assert_gone();
    assert_eq!(answer["exit_code"], 124, "{answer}");
    assert_eq!(answer["timed_out"], true, "{answer}");
}

#[test]
fn a_tool_call_of_nothing_says_so() {
    if find("python3").is_none() {
        skip!("python3 is not installed");
    }
    let answer = tool_call("20", &["/no/such/tool"]);
    assert_eq!(answer["exit_code"], 127, "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("/no/such/tool"), "{answer}");
}
