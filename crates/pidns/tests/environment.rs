//! What a command finds: arguments, environment, directory, signals.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use pidns::{Signal, SignalSet, Stage};
use pidns_testkit::{again, find, program, user};
use support::{Mode, both};

/// What `env -0` (or the like) prints, split.
fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let mut words: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    words.pop();
    words.sort_unstable();
    words
}

/// The environment as the kernel has it: programs like env(1) drop or change odd entries.
fn environment(command: &mut pidns::Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

#[test]
fn odd_arguments_arrive_as_they_are() {
    let every_byte: Vec<u8> = (1..=255).collect();
    let odd: [&[u8]; 8] =
        [b"", b" ", b"--", b"-x", b"a\nb", b"\xff\xfe", "\u{1f600}".as_bytes(), &every_byte];
    both(|mode| {
        let mut command = mode.shell("printf '%s\\0' \"$@\"");
        command.arg("name").args(odd.map(OsStr::from_bytes));
        let output = command.output().unwrap();
        let mut expected = odd.to_vec();
        expected.sort_unstable();
        assert_eq!(split(&output.stdout), expected);
    });
}

#[test]
fn a_zero_byte_is_refused_before_anything_starts() {
    both(|mode| {
        let stage = |command: &mut pidns::Command| command.spawn().unwrap_err().stage();
        assert_eq!(stage(mode.command("true").arg("a\0b")), Stage::Arguments);
        assert_eq!(stage(&mut mode.command("tr\0ue")), Stage::Arguments);
        assert_eq!(stage(mode.command("true").env("A", "b\0")), Stage::Arguments);
        assert_eq!(stage(mode.command("true").current_dir("/\0")), Stage::Arguments);
    });
}

#[test]
fn the_environment_is_set_changed_and_removed_as_std_does() {
    both(|mode| {
        let mut command = mode.command("/bin/cat");
        command.arg("/proc/self/environ").env_clear();
        assert_eq!(environment(&mut command), b"");
        command.env("A", "1").env("B", "").env("A", "2").env("C", "3").env_remove("C");
        assert_eq!(split(&environment(&mut command)), [&b"A=2"[..], b"B="]);
        command.env_clear().env("Z", OsStr::from_bytes(b"\xff=\xfe"));
        assert_eq!(environment(&mut command), b"Z=\xff=\xfe\0");
    });
}

#[test]
fn a_megabyte_of_environment_arrives() {
    both(|mode| {
        let mut command = mode.command("/bin/cat");
        command.arg("/proc/self/environ").env_clear();
        let value = "x".repeat(100_000);
        for n in 0..11 {
            command.env(format!("V{n:02}"), &value);
        }
        assert_eq!(environment(&mut command).len(), 11 * (100_000 + 5));
    });
}

#[test]
fn more_than_the_kernel_takes_is_an_error_of_exec() {
    both(|mode| {
        let mut command = mode.command("true");
        command.arg("x".repeat(200_000));
        let error = command.spawn().unwrap_err();
        assert_eq!((error.stage(), error.errno()), (Stage::Exec, 7), "one argument: {error}");
        let mut command = mode.command("true");
        command.args(vec!["x".repeat(100_000); 80]);
        let error = command.spawn().unwrap_err();
        assert_eq!((error.stage(), error.errno()), (Stage::Exec, 7), "all of them: {error}");
    });
}

#[test]
fn an_odd_environment_of_the_caller_is_passed_on_to_the_last_byte() {
    const NAME: &str = "an_odd_environment_of_the_caller_is_passed_on_to_the_last_byte";
    if again::role().is_some() {
        both(|mode| {
            let here = std::fs::read("/proc/self/environ").unwrap();
            let mut command = mode.command("/bin/cat");
            let there = environment(command.arg("/proc/self/environ"));
            assert_eq!(split(&there), split(&here));
            assert!(split(&here).contains(&&b"no equals sign"[..]));
            command.env("same", "3").env_remove("no equals sign");
            let there = environment(&mut command);
            let same = split(&there).into_iter().filter(|entry| entry.starts_with(b"same="));
            assert_eq!(same.collect::<Vec<_>>(), [b"same=3"]);
        });
        return;
    }
    // No shell makes such an environment; execve(2) does, which python3 hands through only where it is well-formed.
    let Some(python) = find("python3") else { return };
    let program = std::env::current_exe().unwrap();
    let (key, role) = again::variable("caller");
    let script = format!(
        "import ctypes, sys
def array(list): return (ctypes.c_char_p * (len(list) + 1))(*list, None)
program = sys.argv[1].encode()
env = [b'{key}={role}', b'no equals sign', b'', b'=x', b'=C:=y', b'same=1', b'same=2', b'b=\\xff\\xfe', b'e=',
    b'PATH=/usr/bin:/bin']
libc = ctypes.CDLL(None)
libc.execve(program, array([program] + [word.encode() for word in sys.argv[2:]]), array(env))"
    );
    let mut command = std::process::Command::new(python);
    command.args(["-c", &script]).arg(program).args(again::arguments(NAME));
    again::run(&mut command);
}

#[test]
fn the_program_is_found_by_the_commands_own_path() {
    let directory = tempfile::tempdir().unwrap();
    let tool = directory.path().join("pidns-test-tool");
    program::write(&tool, "echo no interpreter line: $0 $1", 0o755);
    both(|mode| {
        let mut command = mode.command("pidns-test-tool");
        command.env("PATH", "/usr/bin:/bin");
        assert_eq!(command.spawn().unwrap_err().errno(), 2);
        let mut path = OsString::from("/nonexistent::");
        path.push(directory.path());
        path.push(":/bin");
        command.arg("arg").env("PATH", path);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text, format!("no interpreter line: {} arg\n", tool.display()));
        executable(&tool, 0o644);
        let error = command.spawn().unwrap_err();
        assert_eq!((error.stage(), error.errno()), (Stage::Exec, 13));
        executable(&tool, 0o755);
    });
}

#[test]
fn the_directory_is_entered_before_the_program_is_looked_for() {
    let directory = tempfile::tempdir().unwrap();
    let tool = directory.path().join("tool");
    program::write(&tool, "#!/bin/sh\npwd", 0o755);
    both(|mode| {
        let output = mode.command("./tool").current_dir(&directory).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.trim(), directory.path().canonicalize().unwrap().to_str().unwrap());
    });
}

#[test]
fn signals_are_as_by_default_but_for_those_that_the_caller_ignores() {
    const NAME: &str = "signals_are_as_by_default_but_for_those_that_the_caller_ignores";
    if again::role().is_some() {
        both(|mode| {
            let mut command = mode.command("/bin/cat");
            command.arg("/proc/self/status");
            let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
            assert_eq!(hex(&text, "SigBlk"), 0, "{text}");
            // HUP and CHLD, that nohup and the like ignore, but not PIPE, which Rust's runtime ignores.
            let glibc = 0b11 << 31;
            // INT and QUIT, if this test runs in the background of a shell.
            let shell = 0b110;
            assert_eq!(hex(&text, "SigIgn") & !glibc & !shell, 1 | 1 << 16, "{text}");
        });
        return;
    }
    let Some(bash) = find("bash") else { return };
    let (key, role) = again::variable("caller");
    let mut command = std::process::Command::new(bash);
    command.args(["-c", "trap '' HUP CHLD; exec \"$0\" \"$@\""]).env(key, role);
    again::run(command.arg(std::env::current_exe().unwrap()).args(again::arguments(NAME)));
}

#[test]
fn the_signal_mask_is_the_one_asked_for() {
    both(|mode| {
        let mask = SignalSet::EMPTY.with(Signal::INT).with(Signal::new(64).unwrap());
        let mut command = mode.command("grep");
        command.args(["^SigBlk", "/proc/self/status"]).signal_mask(mask);
        let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert_eq!(hex(&text, "SigBlk"), mask.bits());
    });
}

fn hex(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    u64::from_str_radix(line.unwrap_or_else(|| panic!("{key} in {status:?}")).trim(), 16).unwrap()
}

#[test]
fn numbers_start_at_1_and_proc_is_the_namespaces_own() {
    both(|mode| {
        let output = mode.shell("echo $$ $PPID $(ls /proc | grep -c '^[0-9]')").output().unwrap();
        let text = OsString::from_vec(output.stdout).into_string().unwrap();
        let words: Vec<u32> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
        let (own, parent) = if mode == Mode::Init { (2, 1) } else { (1, 0) };
        assert_eq!(words[..2], [own, parent]);
        // The command, those in its pipeline, and number 1.
        assert!(words[2] <= 5, "{text}");
    });
}

fn executable(file: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[]);
}
