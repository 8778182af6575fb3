//! The image as number 1 of a namespace: how the command starts, what it finds, and what is told of it.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use pidns_init::protocol::{Config, EventKind, RequestKind};
use support::{Directory, children, eventually, find, job};

/// Runs a script to its end and returns what it wrote.
fn output_of(mut setup: job::Setup) -> Option<String> {
    let mut output = setup.pipe(1);
    let mut job = setup.start()?;
    job.expect(EventKind::Started);
    assert_eq!(job.expect(EventKind::Exited).value, 0);
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    job.wait();
    Some(text)
}

#[test]
fn the_command_is_number_2_and_its_status_arrives() {
    let Some(mut job) = job::shell("test $$ = 2 && exit 7").start() else { return };
    assert_eq!(job.expect(EventKind::Started).pid, 2);
    let end = job.expect(EventKind::Exited);
    assert_eq!((end.pid, end.value, end.core_dumped), (2, 7, 0));
    assert_eq!(job.next(), None);
    assert_eq!(job.wait().code(), Some(7));
}

#[test]
fn every_exit_code_arrives() {
    for code in 0..=255 {
        let Some(mut job) = job::shell(&format!("exit {code}")).start() else { return };
        job.expect(EventKind::Started);
        assert_eq!(job.expect(EventKind::Exited).value, code);
        assert_eq!(job.wait().code(), Some(code));
    }
}

#[test]
fn every_signal_is_passed_on_and_its_effect_is_told() {
    const NO_EFFECT: [i32; 4] = [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH];
    // The others that stop do not do so in a group that nobody could continue.
    const STOPS: [i32; 4] = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
    for signal in 1..=64 {
        let mut setup = job::command(&["cat"]);
        let input = setup.pipe(0);
        let Some(mut job) = setup.start() else { return };
        job.expect(EventKind::Started);
        job.request(RequestKind::Signal, signal);
        if signal == libc::SIGSTOP {
            assert_eq!(job.expect(EventKind::Stopped).value, signal);
            job.request(RequestKind::Signal, libc::SIGCONT);
            job.expect(EventKind::Continued);
        }
        if NO_EFFECT.contains(&signal) || STOPS.contains(&signal) {
            if signal != libc::SIGSTOP {
                job.request(RequestKind::Signal, libc::SIGCONT);
            }
            drop(input);
            assert_eq!(job.expect_end(EventKind::Exited).value, 0, "signal {signal}");
            assert_eq!(job.wait().code(), Some(0));
        } else {
            assert_eq!(job.expect(EventKind::Signaled).value, signal);
            assert_eq!(job.wait().code(), Some(128 + signal));
        }
    }
}

#[test]
fn a_core_dump_is_told_as_the_kernel_tells_it() {
    use std::os::unix::process::ExitStatusExt;
    let directory = Directory::new("core");
    let script = format!("cd {} && ulimit -c unlimited; kill -ABRT $$", directory.0.display());
    let natively = Command::new("sh").args(["-c", &script]).status().unwrap();
    let Some(job) = job::shell(&script).start() else { return };
    job.expect(EventKind::Started);
    let end = job.expect(EventKind::Signaled);
    assert_eq!(end.value, libc::SIGABRT);
    assert_eq!(end.core_dumped == 1, natively.core_dumped());
}

#[test]
fn what_the_command_has_used_is_told() {
    let Some(job) = job::shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done").start() else {
        return;
    };
    job.expect(EventKind::Started);
    let end = job.expect(EventKind::Exited);
    assert!(end.user_us + end.system_us > 1000, "{end:?}");
    assert!((100..1_000_000).contains(&end.max_rss_kb), "{end:?}");
}

#[test]
fn only_the_standard_descriptors_reach_the_command() {
    // The fourth is the directory itself.
    let script = "ls /proc/self/fd";
    let Some(text) = output_of(job::shell(script)) else { return };
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
}

#[test]
fn the_descriptors_of_the_socket_do_not_reach_the_command_without_close_range_either() {
    let mut setup = job::shell("ls /proc/self/fd");
    setup.refused = vec![(libc::SYS_close_range, libc::ENOSYS)];
    let Some(text) = output_of(setup) else { return };
    // 9 is one that only close_range would reach; 3 is the directory.
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3", "9"]);
}

#[test]
fn all_descriptors_reach_the_command_if_the_supervisor_says_so() {
    let setup = job::shell("ls /proc/self/fd").with(|config| config.flags |= Config::INHERIT);
    let Some(text) = output_of(setup) else { return };
    // 9 is one that the supervisor has left open; 3 is the directory.
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3", "9"]);
}

#[test]
fn a_descriptor_that_stood_in_the_way_is_put_back() {
    let setup = job::shell("ls /proc/self/fd").with(|config| {
        config.flags |= Config::INHERIT;
        config.moved = [-1, 9];
    });
    let Some(text) = output_of(setup) else { return };
    // 9 has become 4; 3 is the directory.
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3", "4"]);
}

#[test]
fn the_command_has_the_mask_that_the_supervisor_names() {
    let mask = 1 << (libc::SIGUSR1 - 1) | 1 << (libc::SIGCHLD - 1) | 1 << 63;
    // Not by a shell, which would clear it.
    let setup =
        job::command(&["grep", "SigBlk", "/proc/self/status"]).with(|config| config.sigmask = mask);
    let Some(text) = output_of(setup) else { return };
    assert_eq!(text, format!("SigBlk:\t{mask:016x}\n"));
}

#[test]
fn dispositions_are_inherited_but_for_sigpipe() {
    let Some(text) = output_of(job::shell("grep SigIgn /proc/self/status")) else { return };
    assert_eq!(text, "SigIgn:\t0000000000000000\n");
    // Not by a shell, which would set SIGCHLD back.
    let mut setup = job::command(&["grep", "SigIgn", "/proc/self/status"]);
    setup.ignore_sigchld = true;
    let Some(text) = output_of(setup) else { return };
    assert_eq!(text, "SigIgn:\t0000000000010000\n");
}

#[test]
fn the_command_stays_in_the_callers_group_and_session() {
    let Some(text) = output_of(job::shell("cut -d' ' -f5,6 /proc/self/stat")) else { return };
    // SAFETY: asks who we are.
    let (group, session) = unsafe { (libc::getpgrp(), libc::getsid(0)) };
    assert_eq!(text, format!("{group} {session}\n"));
}

#[test]
fn a_pipe_ends_when_the_command_closes_it() {
    let mut setup = job::shell("echo x; exec >&- 2>&-; read line; exit 5");
    let mut output = setup.pipe(1);
    let mut errors = setup.pipe(2);
    let mut input = setup.pipe(0);
    let Some(mut job) = setup.start() else { return };
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    errors.read_to_string(&mut text).unwrap();
    assert_eq!(text, "x\n");
    input.write_all(b"\n").unwrap();
    job.expect(EventKind::Started);
    assert_eq!(job.expect(EventKind::Exited).value, 5);
    job.wait();
}

#[test]
fn a_pipe_to_a_command_breaks_when_the_command_closes_it() {
    let mut setup = job::shell("exec <&-; echo x; sleep 1000");
    let mut input = setup.pipe(0);
    let mut output = setup.pipe(1);
    let Some(_job) = setup.start() else { return };
    output.read_exact(&mut [0; 2]).unwrap();
    eventually("the pipe is broken", || {
        input.write(b"x").is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    });
}

#[test]
fn stops_and_continuations_are_told() {
    let mut setup = job::command(&["cat"]);
    let input = setup.pipe(0);
    let Some(mut job) = setup.start() else { return };
    job.expect(EventKind::Started);
    for _ in 0..20 {
        job.request(RequestKind::Signal, libc::SIGSTOP);
        assert_eq!(job.expect(EventKind::Stopped).value, libc::SIGSTOP);
        job.request(RequestKind::Signal, libc::SIGCONT);
        job.expect(EventKind::Continued);
    }
    drop(input);
    job.expect(EventKind::Exited);
    job.wait();
}

#[test]
fn a_thousand_orphans_are_reaped() {
    let mut setup = job::shell(
        "i=0; while [ $i -lt 1000 ]; do (true &); i=$((i+1)); done; echo done; read line; exit 9",
    );
    let mut output = setup.pipe(1);
    let mut input = setup.pipe(0);
    let Some(mut job) = setup.start() else { return };
    job.expect(EventKind::Started);
    output.read_exact(&mut [0; 5]).unwrap();
    eventually("number 1 has one child", || children(job.pid).len() == 1);
    input.write_all(b"\n").unwrap();
    assert_eq!(job.expect(EventKind::Exited).value, 9);
    job.wait();
}

#[test]
fn others_that_stop_are_not_told_of() {
    let script = "sh -c 'kill -STOP $$' & while ! grep -q 'T (stopped)' /proc/$!/status; do :; done; kill -CONT $!; \
                  wait $!; exit 0";
    let setup = job::shell(&format!("mount -t proc proc /proc 2>/dev/null; {script}"));
    let private = Command::new("unshare").args(["-m", "true"]).stderr(Stdio::null()).status();
    if !private.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no mount namespace can be made here");
        return;
    }
    let mut command = vec![c"unshare".to_owned(), c"-m".to_owned()];
    command.extend(setup.command.clone());
    let Some(mut job) = (job::Setup { command, ..setup }).start() else { return };
    job.expect(EventKind::Started);
    job.expect(EventKind::Exited);
    job.wait();
}

#[test]
fn what_cannot_be_executed_is_told_as_std_tells_it() {
    let directory = Directory::new("unexecutable");
    let file = |name: &str, content, mode| {
        directory.file(name, content, mode).to_str().unwrap().to_owned()
    };
    let names = [
        "no-such-command".to_owned(),
        String::new(),
        "/".to_owned(),
        "/no/such/file".to_owned(),
        "/dev/null/x".to_owned(),
        "/dev/null".to_owned(),
        file("not-executable", "exit 0", 0o644),
        file("bad-interpreter", "#!/no/such/interpreter\n", 0o755),
        format!("/{}", "x".repeat(300)),
        "x".repeat(300),
        format!("/{}", "x/".repeat(3000)),
        "x".repeat(5000),
    ];
    for name in names {
        let natively = Command::new(&name).spawn().unwrap_err().raw_os_error();
        let Some(mut job) = job::command(&[&name]).start() else { return };
        let failed = job.expect(EventKind::ExecFailed);
        assert_eq!(Some(failed.value), natively, "{name:?}");
        let code = if failed.value == libc::ENOENT { 127 } else { 126 };
        assert_eq!(job.next(), None);
        assert_eq!(job.wait().code(), Some(code));
    }
}

#[test]
fn a_command_of_nothing_is_not_found() {
    let Some(mut job) = job::command::<&str>(&[]).start() else { return };
    assert_eq!(job.expect(EventKind::ExecFailed).value, libc::ENOENT);
    assert_eq!(job.wait().code(), Some(127));
}

#[test]
fn path_is_searched_as_execvp_does() {
    let directory = Directory::new("path");
    for sub in ["a", "b", "c"] {
        std::fs::create_dir(directory.0.join(sub)).unwrap();
    }
    directory.file("a/tool", "echo from a", 0o644);
    directory.file("b/tool", "echo from b \"$@\"", 0o755);
    directory.file("c/tool", "#!/bin/sh\necho from c \"$0\" \"$@\"", 0o755);
    directory.file("a/only", "", 0o644);
    let at = |sub: &str| directory.0.join(sub).to_str().unwrap().to_owned();
    let long = "x".repeat(5000);
    let with_path = |path: Option<String>, command: &[&str]| {
        let mut setup = job::command(command);
        setup.environment = path
            .iter()
            .map(|path| std::ffi::CString::new(format!("PATH={path}")).unwrap())
            .collect();
        setup
    };
    // No directory, a file, one that is too long, and a file that may not be executed are passed over.
    let path = format!("/no/such:{}:{long}:{}:{}:{}", at("a/tool"), at("a"), at("b"), at("c"));
    let Some(text) = output_of(with_path(Some(path), &["tool", "x y", "z"])) else { return };
    assert_eq!(text, "from b x y z\n");
    let Some(text) = output_of(with_path(Some(at("c")), &["tool", "x"])) else { return };
    assert_eq!(text, format!("from c {} x\n", at("c/tool")));
    // Without PATH there are still the system's directories.
    let Some(text) = output_of(with_path(None, &["sh", "-c", "echo here"])) else { return };
    assert_eq!(text, "here\n");
    // What was refused is told, if nothing was found later.
    let Some(job) = with_path(Some(format!("{}:/no/such", at("a"))), &["only"]).start() else {
        return;
    };
    assert_eq!(job.expect(EventKind::ExecFailed).value, libc::EACCES);
    let Some(job) = with_path(Some(String::new()), &["sh"]).start() else { return };
    assert_eq!(job.expect(EventKind::ExecFailed).value, libc::ENOENT);
}

#[test]
fn scripts_without_an_interpreter_line_are_run_by_the_shell() {
    let directory = Directory::new("script");
    let script = directory.file("script", "echo \"$0\" $# \"$1\"", 0o755);
    let path = script.to_str().unwrap();
    for arguments in [[path, "x y"].as_slice(), &[path]] {
        let Some(text) = output_of(job::command(arguments)) else { return };
        let (count, first) = (arguments.len() - 1, arguments.get(1).unwrap_or(&""));
        assert_eq!(text, format!("{path} {count} {first}\n"));
    }
}

#[test]
fn arguments_and_environment_arrive_as_they_are() {
    let hostile: Vec<&[u8]> =
        vec![b"", b"--", b"-s", b"\xff\xfe\n\t ", b"--supervised", &[b'x'; 100_000]];
    let mut command: Vec<std::ffi::OsString> =
        ["sh", "-c", r#"printf '%s\0' "$@"; printf '%s\0' "$ODD""#, "name"]
            .map(std::ffi::OsString::from)
            .to_vec();
    command.extend(hostile.iter().map(|bytes| std::ffi::OsStr::from_bytes(bytes).to_owned()));
    let mut setup = job::command(&command);
    setup.environment.push(std::ffi::CString::new(b"ODD=\xff=\n".to_vec()).unwrap());
    // Not what environments usually have.
    setup.environment.extend([c"".to_owned(), c"=x".to_owned(), c"no-value".to_owned()]);
    let mut output = setup.pipe(1);
    let Some(mut job) = setup.start() else { return };
    job.expect(EventKind::Started);
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes).unwrap();
    let parts: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    let expected: Vec<&[u8]> = hostile.into_iter().chain([b"\xff=\n".as_slice(), b""]).collect();
    assert_eq!(parts, expected);
    job.expect(EventKind::Exited);
    job.wait();
}

#[test]
fn a_process_that_cannot_be_made_is_told() {
    for errno in [libc::EAGAIN, libc::ENOMEM] {
        let mut setup = job::command(&["true"]);
        setup.refused = vec![(libc::SYS_clone, errno)];
        let Some(mut job) = setup.start() else { return };
        assert_eq!(job.expect(EventKind::ForkFailed).value, errno);
        assert_eq!(job.wait().code(), Some(125));
    }
}

#[test]
fn requests_that_mean_nothing_are_passed_over() {
    let mut setup = job::command(&["cat"]);
    let input = setup.pipe(0);
    let Some(mut job) = setup.start() else { return };
    job.expect(EventKind::Started);
    job.send_raw(b"x");
    job.send_raw(&[0xff; 8]);
    job.send_raw(&[0xff; 4096]);
    for signal in [0, -1, 65, i32::MIN, i32::MAX] {
        job.request(RequestKind::Signal, signal);
    }
    job.request(RequestKind::Go, 0);
    drop(input);
    assert_eq!(job.expect(EventKind::Exited).value, 0);
    job.wait();
}

#[test]
fn no_event_is_lost_on_a_supervisor_that_is_slow() {
    let mut setup = job::shell(
        "(i=0; while [ $i -lt 300 ]; do kill -STOP $$; kill -CONT $$; i=$((i+1)); done; echo x) & wait; exit 3",
    );
    let mut output = setup.pipe(1);
    setup.small_buffer = true;
    let Some(mut job) = setup.start() else { return };
    // Nothing is read meanwhile: more events than the socket holds are under way.
    output.read_exact(&mut [0; 2]).unwrap();
    job.expect(EventKind::Started);
    assert_eq!(job.expect_end(EventKind::Exited).value, 3);
    assert_eq!(job.wait().code(), Some(3));
}

#[test]
fn a_supervisor_that_is_slow_and_then_gone_is_noticed() {
    let mut setup = job::shell("while :; do kill -STOP $$; done");
    setup.small_buffer = true;
    let Some(mut job) = setup.start() else { return };
    job.expect(EventKind::Started);
    for _ in 0..100 {
        job.request(RequestKind::Signal, libc::SIGCONT);
    }
    job.kill_supervisor();
    job.wait();
}

/// Two processes that make orphans as fast as they can.
const STORM: &str = "use POSIX; $SIG{CHLD} = 'IGNORE'; $| = 1; print qq(ready\\n); fork; \
                     while (1) { my $child = fork; next if $child || !defined $child; fork; POSIX::_exit(0) }";

#[test]
fn in_a_storm_of_forks_requests_are_heard_and_the_end_is_told() {
    if find("perl").is_none() {
        return;
    }
    let mut setup = job::command(&["perl", "-e", STORM]);
    let mut output = setup.pipe(1);
    let Some(mut job) = setup.start() else { return };
    job.expect(EventKind::Started);
    output.read_exact(&mut [0; 6]).unwrap();
    job.request(RequestKind::Signal, libc::SIGUSR1);
    assert_eq!(job.expect(EventKind::Signaled).value, libc::SIGUSR1);
    job.wait();
}
