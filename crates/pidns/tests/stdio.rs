//! Where the standard descriptors of a command lead.
#![forbid(unsafe_code)]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::process;

use pidns::Stdio;
use pidns_testkit::{again, user};
use support::{Mode, both};

#[test]
fn what_is_piped_arrives() {
    both(|mode| {
        let mut command = mode.shell("cat; echo err >&2");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"in").unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!((out.as_str(), err.as_str()), ("in", "err\n"));
    });
}

#[test]
fn null_is_empty_to_read_and_takes_all_that_is_written() {
    both(|mode| {
        let mut command = mode.shell("test \"$(cat)\" = '' && echo x && echo y >&2");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success());
    });
}

#[test]
fn a_file_or_a_pipe_can_be_given_and_used_again() {
    both(|mode| {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = mode.shell("echo $(wc -c)");
        command.stdin(File::open("/dev/null").unwrap()).stdout(writer);
        for _ in 0..2 {
            assert!(command.status().unwrap().success());
        }
        drop(command);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "0\n0\n");
    });
}

#[test]
fn one_file_can_be_both_outputs() {
    both(|mode| {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = mode.shell("echo out; echo err >&2");
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        assert!(command.status().unwrap().success());
        drop(command);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "out\nerr\n");
    });
}

#[test]
fn what_is_inherited_is_the_callers() {
    if again::role().is_some() {
        both(|mode| assert!(mode.shell("cat; echo err >&2").status().unwrap().success()));
        return;
    }
    let mut caller = again::command("what_is_inherited_is_the_callers", "caller")
        .stdin(process::Stdio::piped())
        .stdout(process::Stdio::piped())
        .stderr(process::Stdio::piped())
        .spawn()
        .unwrap();
    caller.stdin.take().unwrap().write_all(b"[from the caller]").unwrap();
    let output = caller.wait_with_output().unwrap();
    again::check(&output);
    assert!(String::from_utf8_lossy(&output.stdout).contains("[from the caller]"));
    assert_eq!(String::from_utf8_lossy(&output.stderr).matches("err\n").count(), 2);
}

#[test]
fn output_reads_from_nowhere_unless_told() {
    const NAME: &str = "output_reads_from_nowhere_unless_told";
    if again::role().is_some() {
        both(|mode| assert_eq!(mode.command("cat").output().unwrap().stdout, b""));
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"told").unwrap();
        drop(writer);
        let output = Mode::Init.command("cat").stdin(reader).output().unwrap();
        assert_eq!(output.stdout, b"told");
        return;
    }
    let mut caller = again::command(NAME, "caller").stdin(process::Stdio::piped()).spawn().unwrap();
    caller.stdin.take().unwrap().write_all(b"not for the command").unwrap();
    assert!(caller.wait().unwrap().success());
}

#[test]
fn much_output_on_both_sides_is_collected() {
    both(|mode| {
        let mut command =
            mode.shell("head -c 3000000 /dev/zero; head -c 2000000 /dev/zero >&2; exit 5");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(5));
        assert_eq!((output.stdout.len(), output.stderr.len()), (3_000_000, 2_000_000));
    });
}

#[test]
fn a_command_that_does_not_read_does_not_hurt_the_writer() {
    both(|mode| {
        let mut child = mode.command("true").stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(stdin.write(b"x").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn wait_closes_the_input_that_was_piped() {
    both(|mode| {
        let mut child = mode.command("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[]);
}
