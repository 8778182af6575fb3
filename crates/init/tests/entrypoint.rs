//! The image as the entrypoint of a container or as a subreaper. Where tini is to do the same, it is asked first.

mod support;

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

use support::entry::{self, Init};
use support::seccomp::{filter, refuse};
use support::{children, eventually, set_disposition, terminal};

#[test]
fn on_a_terminal_the_command_has_the_foreground_and_gets_what_is_typed() {
    for init in entry::all() {
        let (mut user, program) = terminal::open();
        let script = "set -- $(cat /proc/$$/stat); test $5 = $8 && echo ready; exec sleep 1000";
        let mut command = plain(&init, &["-s", "--", "sh", "-c", script]);
        terminal::control(&mut command, &program);
        let mut running = entry::start_with_input(command);
        let sleeper = children(running.pid()).first().unwrap().0;
        eventually("the command is sleep", || name_of(sleeper) == "sleep\n");
        user.write_all(b"\x03").unwrap();
        assert_eq!(running.wait().code(), Some(128 + libc::SIGINT), "{}", init.name);
    }
}

#[test]
fn in_the_background_of_a_terminal_the_command_takes_the_foreground() {
    for init in entry::all() {
        let (_user, program) = terminal::open();
        let inner = "set -- $(cat /proc/$$/stat); test $5 = $8 && exit 7";
        // With job control, `&` starts a group of its own in the background.
        let script = format!("set -m; {} -s -- sh -c '{inner}' & wait $!", init.path());
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdout(Stdio::piped()).stderr(Stdio::piped());
        terminal::control(&mut command, &program);
        assert_eq!(command.status().unwrap().code(), Some(7), "{}", init.name);
    }
}

fn name_of(pid: i32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default()
}

/// Without what [`Init::command`] does about groups.
fn plain(init: &Init, arguments: &[&str]) -> Command {
    let mut command = Command::new(init.path());
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn a_thousand_orphans_are_reaped() {
    for init in entry::all() {
        let script = "i=0; while [ $i -lt 1000 ]; do (true &); i=$((i+1)); done; echo ready; read line; exit 9";
        let mut running = init.start(&["-s", "--", "sh", "-c", script]);
        eventually("only the command is left", || children(running.pid()).len() == 1);
        drop(running.stdin.take());
        assert_eq!(running.wait().code(), Some(9), "{}", init.name);
    }
}

#[test]
fn what_the_command_leaves_behind_lives_on_outside_of_a_namespace() {
    for init in entry::all() {
        let script = "sleep 1000 >/dev/null 2>&1 & echo ready; echo $!; exit 3";
        let mut running = init.start(&["-s", "--", "sh", "-c", script]);
        assert_eq!(running.wait().code(), Some(3), "{}", init.name);
        let sleeper: i32 = running.rest().trim().parse().unwrap();
        // SAFETY: started by this test, and nobody else's.
        assert_eq!(unsafe { libc::kill(sleeper, libc::SIGKILL) }, 0, "{}", init.name);
    }
}

#[test]
fn stopped_and_continued_it_goes_on() {
    for init in entry::all() {
        let mut running = init.start(&["-s", "--", "sh", "-c", "echo ready; exec cat"]);
        running.send(libc::SIGSTOP);
        eventually("the init has stopped", || running.state() == 'T');
        running.send(libc::SIGTERM);
        running.send(libc::SIGCONT);
        assert_eq!(running.wait().code(), Some(128 + libc::SIGTERM), "{}", init.name);
    }
}

#[test]
fn many_signals_at_once_are_all_passed_on() {
    for init in entry::all() {
        // Real-time signals are queued: none of them may be lost.
        let script = "n=0; trap 'n=$((n+1)); echo $n' 40; echo ready; while [ $n -lt 5 ]; do sleep 0.01; done";
        let mut running = init.start(&["-s", "--", "sh", "-c", script]);
        for count in 1..=5 {
            running.send(40);
            // A shell takes those that come while it is about something as one.
            let mut line = [0; 2];
            running.stdout.read_exact(&mut line).unwrap();
            assert_eq!(line, [b'0' + count, b'\n'], "{}", init.name);
        }
        assert_eq!(running.wait().code(), Some(0), "{}", init.name);
    }
}

#[test]
fn the_mask_is_the_callers() {
    for init in entry::all() {
        let mut command = init.command(&["-s", "--", "grep", "SigBlk", "/proc/self/status"]);
        let block = || {
            // Not 32 and 33, which a libc keeps for itself.
            let set = 0xffff_fffc_0000_0200_u64;
            // SAFETY: a set of eight bytes.
            unsafe {
                libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const set, 0, 8)
            };
            Ok(())
        };
        // SAFETY: makes system calls only.
        unsafe { command.pre_exec(block) };
        assert_eq!(entry::outcome(command).stdout, "SigBlk:\tfffffffc00000200\n", "{}", init.name);
    }
}

#[test]
fn an_ignored_sigchld_is_no_trouble_and_the_commands_again() {
    let ignore = || {
        set_disposition(libc::SIGCHLD, libc::SIG_IGN);
        Ok(())
    };
    let mut command = entry::ours().command(&["-s", "--", "grep", "SigIgn", "/proc/self/status"]);
    // SAFETY: makes system calls only.
    unsafe { command.pre_exec(ignore) };
    let outcome = entry::outcome(command);
    assert_eq!(
        (outcome.status.code(), outcome.stdout.as_str()),
        (Some(0), "SigIgn:\t0000000000010000\n")
    );
}

#[test]
fn arguments_and_environment_may_be_anything() {
    for init in entry::all() {
        let hostile: Vec<&[u8]> =
            vec![b"", b"-x", b"--supervised", b"\xff\xfe\n", &[b'x'; 100_000]];
        let mut arguments: Vec<OsString> =
            ["-s", "--", "sh", "-c", r#"printf '%s\0' "$@" "$ODD""#, "name"]
                .map(OsString::from)
                .to_vec();
        arguments.extend(hostile.iter().map(|bytes| OsStr::from_bytes(bytes).to_owned()));
        let mut command = init.command(&arguments);
        command
            .env("ODD", OsStr::from_bytes(b"\xff=\n"))
            .env("TINI_VERBOSITY", OsStr::from_bytes(b"1\xff"));
        let output = command.output().unwrap();
        let parts: Vec<&[u8]> = output.stdout.split(|byte| *byte == 0).collect();
        let expected: Vec<&[u8]> =
            hostile.into_iter().chain([b"\xff=\n".as_slice(), b""]).collect();
        assert_eq!(parts, expected, "{}", init.name);
    }
}

#[test]
fn its_own_name_may_be_anything() {
    for name in [
        OsStr::new(""),
        OsStr::from_bytes(b"\xff"),
        OsStr::new("--supervised"),
        OsStr::new(&"x".repeat(9000)),
    ] {
        let mut command = entry::ours().command(&["-s", "--", "sh", "-c", "exit 6"]);
        command.arg0(name);
        assert_eq!(entry::outcome(command).status.code(), Some(6), "{name:?}");
        let mut command = entry::ours().command::<&str>(&[]);
        command.arg0(name);
        assert_eq!(entry::outcome(command).status.code(), Some(1), "{name:?}");
    }
}

#[test]
fn without_any_argument_and_environment_it_says_how_it_is_used() {
    let path = std::ffi::CString::new(entry::ours().path()).unwrap();
    let mut command = Command::new("true");
    let nothing = move || {
        let none = [std::ptr::null()];
        // SAFETY: arrays that a null pointer ends.
        unsafe { libc::execve(path.as_ptr(), none.as_ptr(), none.as_ptr()) };
        Err(std::io::Error::last_os_error())
    };
    // SAFETY: makes a system call only.
    unsafe { command.pre_exec(nothing) };
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("Usage: "));
}

#[test]
fn messages_say_what_and_why() {
    let says = |arguments: &[&str], code: i32, text: &str| {
        let output = entry::ours().command(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (output.status.code(), errors.lines().next().unwrap_or_default()),
            (Some(code), text)
        );
    };
    says(&["-s", "no-such-command"], 127, "pidns-init: no-such-command: no such file or directory");
    says(&["-s", "/etc/passwd"], 126, "pidns-init: /etc/passwd: permission denied");
    says(&["-x"], 1, "pidns-init: invalid option -- 'x'");
    says(&["-p"], 1, "pidns-init: option requires an argument -- 'p'");
    says(&["-p", "FOO", "x"], 1, "pidns-init: -p: not a signal: FOO");
    says(&["-e", "256", "x"], 1, "pidns-init: -e: not an exit code from 0 to 255: 256");
    says(
        &["true"],
        0,
        "pidns-init: warning: neither number 1 nor a subreaper: orphans go elsewhere and are not reaped",
    );
}

#[test]
fn more_is_said_if_asked_for() {
    let output = entry::ours().command(&["-sv", "sh", "-c", "exit 3"]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut lines = errors.lines();
    let first = lines.next().unwrap();
    assert!(
        first.strip_prefix("pidns-init: started sh as ").unwrap().parse::<i32>().is_ok(),
        "{first}"
    );
    assert_eq!(lines.next(), Some("pidns-init: the command exited with 3"));
    assert_eq!(lines.next(), None);
}

#[test]
fn the_version_is_the_packages() {
    let output = entry::ours().run(&["--version"]);
    assert_eq!(output.stdout, format!("pidns-init {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn texts_that_nobody_takes_do_no_harm() {
    for redirection in [">&-", ">/dev/full", "2>&- >&- <&-"] {
        let run = |arguments: &str| {
            let script = format!("exec {} {arguments} 2>&- {redirection}", entry::ours().path());
            Command::new("sh")
                .args(["-c", &script])
                .env("PATH", support::path())
                .status()
                .unwrap()
                .code()
        };
        assert_eq!((run("-h"), run("-s no-such-command")), (Some(0), Some(127)), "{redirection}");
    }
}

#[test]
fn a_process_that_cannot_be_made_is_an_error() {
    let mut program = filter(&[(libc::SYS_clone, libc::EAGAIN)]);
    let mut command = entry::ours().command(&["-s", "--", "true"]);
    let refuse = move || {
        refuse(&mut program);
        Ok(())
    };
    // SAFETY: makes system calls only.
    unsafe { command.pre_exec(refuse) };
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(errors, "pidns-init: true: cannot make a process: no more processes allowed\n");
}

#[test]
fn supervised_by_nobody_it_refuses() {
    let output = entry::ours().command(&["--supervised", "--", "echo", "x"]).output().unwrap();
    assert_eq!((output.status.code(), output.status.signal()), (Some(125), None));
    assert!(output.stdout.is_empty() && !output.stderr.is_empty());
}
