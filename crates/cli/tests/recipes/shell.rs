//! Descriptors that a shell opens for a command.

use super::support::{Limited, Scratch, command, find, pidns, skip};

#[test]
fn process_substitution_reaches_the_command() {
    if find("bash").is_none() {
        skip!("bash is not installed");
    }
    for option in ["--engine=kernel", "--engine=ptrace", "--engine=subreaper", "--as-init"] {
        let line = format!("pidns run --fds all {option} -- cat <(echo left) <(echo right)");
        let output = command("bash").args(["-c", &line]).end().succeeded();
        assert_eq!(output, "left\nright\n", "{option}");
    }
}

#[test]
fn the_numbers_that_pidns_uses_itself_are_the_commands_own() {
    for option in ["--engine=kernel", "--engine=ptrace", "--engine=subreaper", "--as-init"] {
        let directory = Scratch::new();
        let line = "\"$0\" run --fds all \"$1\" -- sh -c 'echo three >&3; echo four >&4; echo nine >&9' 3>3 4>4 9>9";
        let mut shell = command("sh");
        shell.args(["-c", line]).arg(pidns()).arg(option).current_dir(directory.path());
        shell.end().succeeded();
        for (name, text) in [("3", "three\n"), ("4", "four\n"), ("9", "nine\n")] {
            assert_eq!(std::fs::read_to_string(directory.join(name)).unwrap(), text, "{option}");
        }
    }
}

#[test]
fn a_closed_descriptor_stays_closed() {
    let line = "\"$0\" run -- sh -c ': >&3' 3>&-";
    let closed = command("sh").args(["-c", line]).arg(pidns()).end();
    assert_ne!(closed.code(), Some(0), "{closed:?}");
    assert!(closed.stderr.contains('3'), "{closed:?}");
}
