//! The image beside tini: the same arguments, environment and signals, and what is seen from outside must be the same.
//!
//! What tini says in its messages is not compared, but whether it says something is. Where the two differ on purpose,
//! the last tests here say so.

mod support;

use std::io::Read;
use std::os::unix::process::ExitStatusExt;

use support::entry::{self, Init, Outcome};
use support::{
    Directory, children, eventually, find, has_ended, pidfd, unprivileged, wait_readable,
};

/// Both must do the same, and what they do is handed back.
fn same(what: &str, act: impl Fn(&Init) -> Outcome) -> Option<Outcome> {
    let tini = act(&entry::tini()?);
    let ours = act(&entry::ours());
    assert_eq!(ours, tini, "{what}: ours and tini's");
    Some(ours)
}

fn same_run(arguments: &[&str]) -> Option<Outcome> {
    same(&format!("{arguments:?}"), |init| init.run(arguments))
}

fn code(outcome: Option<Outcome>) -> Option<i32> {
    outcome?.status.code()
}

/// Skips a test without tini: what it would compare to is not there.
macro_rules! need_tini {
    () => {
        if entry::tini().is_none() {
            return;
        }
    };
}

#[test]
fn exit_codes() {
    need_tini!();
    for expected in [0, 1, 2, 63, 64, 125, 126, 127, 128, 137, 200, 254, 255] {
        assert_eq!(
            code(same_run(&["-s", "--", "sh", "-c", &format!("exit {expected}")])),
            Some(expected)
        );
    }
}

#[test]
fn ends_by_signals() {
    need_tini!();
    for signal in (1..=64).filter(|signal| ![17, 18, 19, 20, 21, 22, 23, 28].contains(signal)) {
        let script = format!("ulimit -c 0; kill -{signal} $$");
        assert_eq!(
            code(same_run(&["-s", "--", "sh", "-c", &script])),
            Some(128 + signal),
            "signal {signal}"
        );
    }
}

#[test]
fn forgiven_exit_codes() {
    need_tini!();
    for (options, expected) in [
        (&["-e", "3"][..], 0),
        (&["-e3"], 0),
        (&["-se3"], 0),
        (&["-e", "4"], 3),
        (&["-e", "4", "-e", "3"], 0),
        (&["-e", "+3"], 0),
        (&["-e", " 3"], 0),
        (&["-e", "003"], 0),
        (&["-e", "256"], 1),
        (&["-e", "-1"], 1),
        (&["-e", "3x"], 1),
        (&["-e", "x"], 1),
        (&["-e", "99999999999999999999"], 1),
    ] {
        let arguments = [&["-s"], options, &["--", "sh", "-c", "exit 3"]].concat();
        assert_eq!(code(same_run(&arguments)), Some(expected), "{options:?}");
    }
    assert_eq!(code(same_run(&["-s", "-e", "137", "--", "sh", "-c", "kill -9 $$"])), Some(0));
    assert_eq!(code(same_run(&["-s", "-e", "127", "no-such-command"])), Some(0));
}

#[test]
fn command_lines() {
    need_tini!();
    for (arguments, expected) in [
        (&["true"][..], 0),
        (&["--", "true"], 0),
        (&["-s", "sh", "--", "-c", "exit $#", "x", "--", "y"], 2),
        (&["-s", "--", "sh", "--", "-c", "exit 5"], 2),
        (&["-s", "--", "sh", "-c", "exit $#", "x", "-g"], 1),
        (&["-sgw", "false"], 1),
        (&["-p", "SIGKILL", "true"], 0),
        (&["-pSIGTERM", "true"], 0),
        (&["-p", "FOO", "true"], 1),
        (&["-p"], 1),
        (&["-e"], 1),
        (&["-x", "true"], 1),
        (&["--foo", "true"], 1),
        (&["-s", "--version"], 1),
        (&["--"], 1),
        (&["-s"], 1),
        (&[], 1),
        (&["-s", "-"], 127),
        (&["--", "-x"], 127),
        (&["-s", ""], 127),
    ] {
        assert_eq!(code(same_run(arguments)), Some(expected), "{arguments:?}");
    }
}

#[test]
fn texts_are_on_standard_output() {
    need_tini!();
    for arguments in [&["-h"][..], &["-l"], &["--version"], &["-h", "-x"], &["-sh"]] {
        let without_text = |init: &Init| {
            let outcome = init.run(arguments);
            assert!(!outcome.stdout.is_empty(), "{}: {arguments:?}", init.name);
            Outcome { stdout: String::new(), ..outcome }
        };
        assert_eq!(code(same("texts", without_text)), Some(0), "{arguments:?}");
    }
}

#[test]
fn commands_that_cannot_be_executed() {
    need_tini!();
    let directory = Directory::new("tini-exec");
    let file = |name: &str, content, mode| {
        directory.file(name, content, mode).to_str().unwrap().to_owned()
    };
    for (name, expected) in [
        ("no-such-command".to_owned(), 127),
        ("/no/such/file".to_owned(), 127),
        ("/".to_owned(), 126),
        ("/etc/passwd".to_owned(), 126),
        ("/etc/passwd/x".to_owned(), 1),
        ("x".repeat(300), 1),
        ("x".repeat(10_000), 1),
        (file("bad-interpreter", "#!/no/such/interpreter\n", 0o755), 127),
        (file("not-executable", "", 0o644), 126),
        (file("script", "exit 9", 0o755), 9),
    ] {
        assert_eq!(code(same_run(&["-s", "--", &name])), Some(expected), "{name}");
    }
}

#[test]
fn environment_variables() {
    need_tini!();
    let with = |name: &'static str, value: &'static str, arguments: &'static [&'static str]| {
        same(name, |init| {
            let mut command = init.command(arguments);
            command.env(name, value);
            let outcome = entry::outcome(command);
            // tini says what it has to say at higher levels on standard output.
            Outcome {
                spoke: outcome.spoke || !outcome.stdout.is_empty(),
                stdout: String::new(),
                ..outcome
            }
        })
    };
    // Without any, the warning that it is no subreaper.
    assert!(same_run(&["true"]).unwrap().spoke);
    assert!(!with("TINI_SUBREAPER", "", &["true"]).unwrap().spoke);
    assert!(!with("TINI_SUBREAPER", "1", &["true"]).unwrap().spoke);
    assert!(!with("TINI_VERBOSITY", "0", &["true"]).unwrap().spoke);
    assert!(!with("TINI_VERBOSITY", "x", &["true"]).unwrap().spoke);
    assert!(!with("TINI_VERBOSITY", "0", &["-vvv", "true"]).unwrap().spoke);
    assert!(with("TINI_VERBOSITY", "3", &["-s", "true"]).unwrap().spoke);
    assert!(with("TINI_VERBOSITY", " 2x", &["-s", "true"]).unwrap().spoke);
}

#[test]
fn signals_are_passed_on() {
    const HARMLESS: [i32; 7] = [17, 18, 20, 21, 22, 23, 28];
    need_tini!();
    // 9 and 19 cannot be taken; 32 and 33 a libc keeps for itself.
    for signal in (1..=64).filter(|signal| ![9, 19, 32, 33].contains(signal)) {
        let act = |init: &Init| {
            let mut running =
                init.start(&["-s", "--", "sh", "-c", "ulimit -c 0; echo ready; exec cat"]);
            let command = children(running.pid()).first().unwrap().0;
            eventually("the command is cat", || {
                std::fs::read_to_string(format!("/proc/{command}/comm")).unwrap() == "cat\n"
            });
            running.send(signal);
            if signal == libc::SIGTSTP {
                eventually("the command has stopped", || {
                    children(running.pid()) == [(command, 'T')]
                });
                running.send(libc::SIGCONT);
            }
            if HARMLESS.contains(&signal) {
                drop(running.stdin.take());
            }
            let status = running.wait();
            drop(running.stdin.take());
            Outcome { status, stdout: running.rest(), spoke: false }
        };
        let outcome = same(&format!("signal {signal}"), act).unwrap();
        let expected = match signal {
            // Faults are its own.
            4 | 5 | 6 | 7 | 8 | 11 | 31 => (None, Some(signal)),
            // Without an effect on the command, or for the background only.
            _ if HARMLESS.contains(&signal) => (Some(0), None),
            _ => (Some(128 + signal), None),
        };
        assert_eq!((outcome.status.code(), outcome.status.signal()), expected, "signal {signal}");
    }
}

#[test]
fn signals_reach_the_command_or_its_group() {
    need_tini!();
    for (options, variable, survives) in
        [(&["-s"][..], None, true), (&["-s", "-g"], None, false), (&["-s"], Some(""), false)]
    {
        let act = |init: &Init| {
            // The command dies of the signal. Its child, in the same group, does so too or stays.
            let mut command = init
                .command(&[options, &["--", "sh", "-c", "sleep 1000 & echo ready; wait"]].concat());
            command.envs(variable.map(|value| ("TINI_KILL_PROCESS_GROUP", value)));
            let mut running = entry::start(command);
            let group = children(running.pid()).first().unwrap().0;
            let sleeper = pidfd(children(group).first().unwrap().0);
            running.send(libc::SIGUSR1);
            let status = running.wait();
            if !survives {
                wait_readable("the sleeper's end", &sleeper);
            }
            let survivor = !has_ended(&sleeper);
            // SAFETY: the command's group, in which nobody is but the sleeper.
            unsafe { libc::kill(-group, libc::SIGKILL) };
            running.rest();
            Outcome { status, stdout: survivor.to_string(), spoke: false }
        };
        let outcome = same(&format!("{options:?}"), act).unwrap();
        assert_eq!(outcome.status.code(), Some(128 + libc::SIGUSR1));
        assert_eq!(outcome.stdout, survives.to_string(), "{options:?} {variable:?}");
    }
}

#[test]
fn orphans_are_reaped_with_a_warning_if_asked_for() {
    need_tini!();
    for (options, spoke) in [(&["-s"][..], false), (&["-sw"], true)] {
        let act = |init: &Init| {
            let script = "(sleep 0.1 &); echo ready; read line; exit 6";
            let mut running = init.start(&[options, &["--", "sh", "-c", script]].concat());
            eventually("only the command is left", || children(running.pid()).len() == 1);
            std::io::Write::write_all(
                &mut std::fs::File::from(running.stdin.take().unwrap()),
                b"\n",
            )
            .unwrap();
            let status = running.wait();
            let mut errors = String::new();
            running.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            Outcome { status, stdout: running.rest(), spoke: !errors.is_empty() }
        };
        let outcome = same(&format!("{options:?}"), act).unwrap();
        assert_eq!((outcome.status.code(), outcome.spoke), (Some(6), spoke), "{options:?}");
    }
}

#[test]
fn the_signal_for_the_parents_death_is_passed_on() {
    need_tini!();
    let act = |init: &Init| {
        // The parent is a shell that can be killed.
        let told = r#"sleep 1000 & s=$!; trap "kill $s; echo told; exit 0" USR2; echo ready; wait"#;
        let script = format!("{} -s -p SIGUSR2 -- sh -c '{told}' & wait", init.path());
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script]).stdout(std::process::Stdio::piped());
        let mut running = entry::start(command);
        running.send(libc::SIGKILL);
        let status = running.wait();
        drop(running.stdin.take());
        Outcome { status, stdout: running.rest(), spoke: false }
    };
    assert_eq!(same("-p", act).unwrap().stdout, "told\n");
}

#[test]
fn the_mask_and_the_descriptors_are_passed_on() {
    need_tini!();
    let outcome =
        same_run(&["-s", "--", "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]).unwrap();
    assert_eq!(outcome.stdout, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    let act = |init: &Init| {
        let mut command = std::process::Command::new("sh");
        command.args([
            "-c",
            &format!("exec 7</dev/null; exec {} -s -- readlink /proc/self/fd/7", init.path()),
        ]);
        entry::outcome(command)
    };
    assert_eq!(same("descriptors", act).unwrap().stdout, "/dev/null\n");
}

#[test]
fn the_command_leads_a_group_of_its_own() {
    need_tini!();
    // Its own number, its group's, and its session's.
    let script = "set -- $(cat /proc/$$/stat); test $1 = $5 && test $1 != $6 && exit 8";
    assert_eq!(code(same_run(&["-s", "--", "sh", "-c", script])), Some(8));
}

/// As number 1 of a namespace.
fn as_number_1(init: &Init, arguments: &[&str]) -> Option<std::process::Command> {
    find("unshare")?;
    let mut command = std::process::Command::new("unshare");
    let user = if unprivileged() { &["-r"][..] } else { &[] };
    command.args(user).args(["--pid", "--fork", "--kill-child", init.path()]).args(arguments);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    command.env("PATH", support::path());
    Some(command)
}

#[test]
fn as_number_1_there_is_nothing_to_warn_of() {
    need_tini!();
    let run = |arguments: &'static [&'static str]| {
        same(&format!("{arguments:?}"), |init| {
            entry::outcome(as_number_1(init, arguments).unwrap())
        })
    };
    if find("unshare").is_none() {
        return;
    }
    let outcome = run(&["--", "sh", "-c", "echo $$; exit 7"]).unwrap();
    assert_eq!(
        (outcome.status.code(), outcome.stdout.as_str(), outcome.spoke),
        (Some(7), "2\n", false)
    );
    assert_eq!(code(run(&["--", "sh", "-c", "kill -9 $$"])), Some(137));
    assert_eq!(code(run(&["no-such-command"])), Some(127));
    // What is left behind goes with number 1: the pipe comes to its end.
    assert_eq!(code(run(&["--", "sh", "-c", "setsid sleep 1000 & exit 4"])), Some(4));
}

#[test]
fn as_number_1_signals_are_passed_on() {
    need_tini!();
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGUSR1, 34, 64] {
        let act = |init: &Init| {
            let arguments = ["--", "sh", "-c", "echo ready; exec sleep 1000"];
            let mut running = entry::start(as_number_1(init, &arguments)?);
            let number_1 = children(running.pid()).first()?.0;
            // SAFETY: a child of our child, which has not been waited for.
            unsafe { libc::kill(number_1, signal) };
            Some(Outcome { status: running.wait(), stdout: running.rest(), spoke: false })
        };
        let (Some(tini), Some(ours)) =
            (entry::tini().and_then(|tini| act(&tini)), act(&entry::ours()))
        else {
            return;
        };
        assert_eq!(ours, tini);
        assert_eq!(ours.status.code(), Some(128 + signal));
    }
}

#[test]
fn on_purpose_options_end_at_the_program() {
    need_tini!();
    // tini takes options from behind PROGRAM as its own, and `--` from anywhere.
    assert_eq!(entry::ours().run(&["-s", "echo", "a", "-g", "--", "b"]).stdout, "a -g -- b\n");
    assert_eq!(entry::tini().unwrap().run(&["-s", "echo", "a", "-g", "--", "b"]).stdout, "a b\n");
}

#[test]
fn on_purpose_a_closed_standard_input_is_no_error() {
    need_tini!();
    let act = |init: &Init| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &format!("exec {} -s -- sh -c 'exit 3' <&-", init.path())]);
        entry::outcome(command).status.code()
    };
    assert_eq!((act(&entry::ours()), act(&entry::tini().unwrap())), (Some(3), Some(1)));
}

#[test]
fn on_purpose_the_signals_that_a_libc_keeps_are_passed_on_too() {
    for signal in [32, 33] {
        let mut running = entry::ours().start(&["-s", "--", "sh", "-c", "echo ready; exec cat"]);
        running.send(signal);
        assert_eq!(running.wait().code(), Some(128 + signal));
    }
}

#[test]
fn on_purpose_an_empty_exit_code_is_an_error() {
    need_tini!();
    let arguments = ["-s", "-e", "", "--", "true"];
    assert_eq!(entry::ours().run(&arguments).status.code(), Some(1));
    assert_eq!(entry::tini().unwrap().run(&arguments).status.code(), Some(0));
}

#[test]
fn on_purpose_all_messages_are_on_standard_error() {
    let outcome = entry::ours().run(&["-svvv", "--", "echo", "x"]);
    assert_eq!((outcome.stdout.as_str(), outcome.spoke), ("x\n", true));
}
