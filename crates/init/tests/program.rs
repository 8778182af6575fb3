//! `pidns-init` as cargo installs it: it becomes the image, in its own process, and changes nothing else.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// The program, with the output for the test to read.
fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pidns-init"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env("PATH", support::path());
    command
}

fn output(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_process_that_stays_is_the_image() {
    let script = "readlink /proc/$PPID/exe; cat /proc/$PPID/comm; ls -l /proc/$PPID/fd | grep -c memfd; echo $PPID";
    let child = program(&["-s", "--", "sh", "-c", script]).spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    // The file in memory is not among the descriptors.
    assert_eq!(lines, ["/memfd:pidns-init (deleted)", "pidns-init", "0", &pid.to_string()]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn arguments_environment_and_status_go_through() {
    let mut command =
        program(&["-s", "-e", "5", "--", "sh", "-c", "echo \"$X\" \"$1\"; exit 5", "name", "a b"]);
    command.env("X", "y").arg0("");
    assert_eq!(output(command), (Some(0), "y a b\n".to_owned(), String::new()));
    assert_eq!(
        output(program(&["--version"])).1,
        concat!("pidns-init ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!(output(program(&["-s", "no-such-command"])).0, Some(127));
}

#[test]
fn what_is_ignored_or_closed_stays_so() {
    let inner = "grep SigIgn /proc/self/status; ls /proc/self/fd | tr '\\n' ' '";
    for prefix in ["", "trap '' PIPE;"] {
        let run = |program: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("{prefix} exec {program} sh -c \"{inner}\" <&- 2>&-")]);
            command.stdin(Stdio::null()).stdout(Stdio::piped());
            output(command)
        };
        let natively = run("");
        assert_eq!(natively.0, Some(0));
        assert_eq!(run(concat!(env!("CARGO_BIN_EXE_pidns-init"), " -s --")), natively);
    }
}
