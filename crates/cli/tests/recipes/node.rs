//! Node: `child_process.spawn`, its time limit and `AbortController`.

use std::process::Command;

use super::support::{Daemon, Limited, command, file, find, skip};

/// Node that runs `program` after importing the recipe.
fn node(program: &str) -> Command {
    let mut node = command("node");
    let import = format!("import {{ run }} from {:?};", file("timeouts.mjs"));
    node.args(["--input-type=module", "-e"]).arg(import + program);
    node
}

/// Ends only with its grandchild, which holds the output open.
fn hang(daemon: &Daemon) -> String {
    format!("sleep {} & echo up; wait", daemon.seconds())
}

#[test]
fn a_command_in_time_gives_its_output_and_exit_code() {
    if find("node").is_none() {
        skip!("node is not installed");
    }
    let program = "console.log(JSON.stringify(await run(['sh', '-c', 'echo hello; exit 7'])))";
    let output = node(program).end().succeeded();
    assert_eq!(output, "{\"code\":7,\"killedBy\":null,\"output\":\"hello\\n\"}\n");
}

#[test]
fn a_command_out_of_time_takes_its_grandchildren_along() {
    if find("node").is_none() {
        skip!("node is not installed");
    }
    let daemon = Daemon::new();
    let program = "
const { code, killedBy } = await run(['sh', '-c', process.argv[1]], { timeout: 300 });
console.log(code, killedBy);";
    assert_eq!(node(program).arg(hang(&daemon)).end().succeeded(), "null SIGKILL\n");
    daemon.wait_until_gone();
}

#[test]
fn an_abort_takes_the_grandchildren_along() {
    if find("node").is_none() {
        skip!("node is not installed");
    }
    let daemon = Daemon::new();
    let program = "
const controller = new AbortController();
setTimeout(() => controller.abort(), 300);
try {
  await run(['sh', '-c', process.argv[1]], { signal: controller.signal });
} catch (error) {
  console.log(error.name);
}";
    assert_eq!(node(program).arg(hang(&daemon)).end().succeeded(), "AbortError\n");
    daemon.wait_until_gone();
}

#[test]
fn without_pidns_the_grandchild_stays() {
    if find("node").is_none() {
        skip!("node is not installed");
    }
    let daemon = Daemon::new();
    let program = "
import { spawn } from 'node:child_process';
const job = spawn('sh', ['-c', process.argv[1]], { stdio: ['ignore', 'pipe', 'ignore'] });
job.stdout.on('data', () => job.kill('SIGKILL'));
job.on('exit', (code, signal) => { console.log(signal); process.exit(); });";
    assert_eq!(node(program).arg(hang(&daemon)).end().succeeded(), "SIGKILL\n");
    daemon.wait_until_up();
}
