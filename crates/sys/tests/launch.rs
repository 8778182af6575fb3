//! Every step of a launch, on the real kernel.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Barrier;
use std::thread;

use pidns_sys::launch::{
    Failure, Launched, Namespaces, OnFailure, ShellArgs, Step, Strings, launch,
};
use pidns_sys::seccomp::listener::Listener;
use pidns_sys::seccomp::{self, Rule, Verdict};
use pidns_sys::signal::{self, Signal, SignalSet};
use pidns_sys::wait::{self, Change, Wanted};
use pidns_sys::{Errno, abi, environ, fd, pidfd, program, socket};
use pidns_testkit::program as script;
use pidns_testkit::{again, find, proc, skipped, user};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

const HERE: Namespaces = Namespaces::empty();

/// Does `steps` and executes `sh -c script`.
fn shell(
    namespaces: Namespaces,
    steps: &[(Step<'_>, OnFailure)],
    script: &str,
) -> Result<Launched, Failure> {
    let script = CString::new(script).unwrap();
    execute(namespaces, steps, &[c"/bin/sh"], &[c"sh", c"-c", &script])
}

/// Does `steps` and executes the first of `paths` that can be, with the caller's environment.
fn execute(
    namespaces: Namespaces,
    steps: &[(Step<'_>, OnFailure)],
    paths: &[&CStr],
    args: &[&CStr],
) -> Result<Launched, Failure> {
    let args = Strings::new(args.iter().copied());
    let env = environ::snapshot();
    let env = Strings::new(env.iter().map(CString::as_c_str));
    let shell = ShellArgs::new(&args);
    let mut all = steps.to_vec();
    all.push((Step::Execute { paths, args: &args, env: &env, shell: &shell }, OnFailure::Fail));
    launch(namespaces, &all)
}

fn must(step: Step<'_>) -> (Step<'_>, OnFailure) {
    (step, OnFailure::Fail)
}

#[track_caller]
fn code(launched: &Launched) -> i32 {
    match wait::change_of(&launched.pidfd, Wanted::EXITED) {
        Ok(Some(Change::Exited(code))) => code,
        other => panic!("not an exit: {other:?}"),
    }
}

/// What `script` prints after `steps`.
#[track_caller]
fn printed(namespaces: Namespaces, steps: &[(Step<'_>, OnFailure)], script: &str) -> String {
    let (read, write) = high_pipe();
    let mut all = steps.to_vec();
    all.push(must(Step::Place { from: write.as_raw_fd(), to: 1 }));
    let launched = shell(namespaces, &all, script).unwrap();
    drop(write);
    let mut text = String::new();
    File::from(read).read_to_string(&mut text).unwrap();
    assert_eq!(code(&launched), 0, "{text}");
    text
}

fn high_pipe() -> (OwnedFd, OwnedFd) {
    let (read, write) = fd::pipe().unwrap();
    (fd::at_or_above(read, 10).unwrap(), fd::at_or_above(write, 10).unwrap())
}

/// As root none is needed, else a user namespace is.
fn new_pid_namespace() -> Namespaces {
    let privileged = pidns_sys::privilege::has_sys_admin().unwrap();
    Namespaces::PID | if privileged { Namespaces::empty() } else { Namespaces::USER }
}

#[test]
fn the_program_runs_as_a_child_with_a_pidfd_of_its_own() {
    let launched = shell(HERE, &[], "exit 5").unwrap();
    assert!(rustix::io::fcntl_getfd(&launched.pidfd).unwrap().contains(FdFlags::CLOEXEC));
    assert_eq!(code(&launched), 5);
    assert_eq!(launched.skipped, 0);
}

#[test]
fn the_first_one_in_a_new_namespace_is_number_1() {
    let launched = shell(new_pid_namespace(), &[], "test $$ = 1").unwrap();
    assert_eq!(proc::numbers(launched.pid).last(), Some(&1));
    assert_eq!(code(&launched), 0);
}

#[test]
fn a_step_that_fails_is_named_and_ends_the_child() {
    const NAME: &str = "a_step_that_fails_is_named_and_ends_the_child";
    if again::role().is_none() {
        return again::run(&mut again::command(NAME, "caller"));
    }
    let ok = || must(Step::ChangeDirectory(c"/"));
    for index in 0..4 {
        let mut steps = vec![ok(), ok(), ok(), ok()];
        steps[index] = must(Step::ChangeDirectory(c"/nonexistent"));
        let failure = shell(HERE, &steps, "exit 0").unwrap_err();
        assert_eq!(failure, Failure { step: Some(index), errno: Errno::NOENT });
    }
    let failure = execute(HERE, &[ok()], &[c"/nonexistent"], &[c"x"]).unwrap_err();
    assert_eq!(failure, Failure { step: Some(1), errno: Errno::NOENT });
    // Neither a process nor its number is left.
    assert_eq!(pidns_sys::raw::wait::wait4(-1, 0x4000_0001).unwrap_err().0, 10);
}

#[test]
fn a_list_without_an_exec_ends_the_child() {
    let launched = launch(HERE, &[must(Step::ChangeDirectory(c"/"))]).unwrap();
    assert_eq!(code(&launched), 127);
}

#[test]
fn a_step_that_may_fail_is_passed_over_and_told() {
    let skip = |step| (step, OnFailure::Skip);
    let steps = [
        skip(Step::ChangeDirectory(c"/nonexistent")),
        skip(Step::ChangeDirectory(c"/")),
        skip(Step::Write { path: c"/nonexistent", data: b"x" }),
    ];
    let launched = shell(HERE, &steps, "test \"$(pwd)\" = /").unwrap();
    assert_eq!(launched.skipped, 0b101);
    assert_eq!(code(&launched), 0);
}

#[test]
fn files_are_written_in_one_piece() {
    let path = std::env::temp_dir().join(format!("pidns-write-{}", std::process::id()));
    std::fs::write(&path, "").unwrap();
    let c_path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let data = "some text".repeat(100);
    let steps = [must(Step::Write { path: &c_path, data: data.as_bytes() })];
    assert_eq!(code(&shell(HERE, &steps, "exit 0").unwrap()), 0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), data);
    std::fs::remove_file(&path).unwrap();
    assert!(shell(HERE, &steps, "exit 0").is_err(), "it makes no files");
}

#[test]
fn a_fresh_proc_shows_the_namespace_only_and_does_not_propagate() {
    let steps = [must(Step::IsolateMounts), must(Step::MountProc)];
    let namespaces = new_pid_namespace() | Namespaces::MOUNT;
    let launched = shell(namespaces, &steps, "set -- /proc/[0-9]*; test \"$*\" = /proc/1");
    let launched = match launched {
        // Without privilege, a /proc that is partly covered cannot be had anew.
        Err(Failure { step: Some(1), errno: Errno::PERM }) => {
            pidns_testkit::skipped!("/proc cannot be mounted here");
            return;
        }
        launched => launched.unwrap(),
    };
    assert!(proc::all().count() > 1 && std::fs::exists("/proc/self/stat").unwrap());
    assert_eq!(code(&launched), 0);
}

#[test]
fn descriptors_are_placed_kept_and_closed() {
    let null = File::open("/dev/null").unwrap();
    let above = |n: RawFd| fcntl_dupfd_cloexec(&null, n).unwrap();
    let (kept, stray, placed) = (above(30), above(40), above(50));
    fcntl_setfd(&stray, FdFlags::empty()).unwrap();
    let steps = [
        must(Step::CloseOnExecFrom(3)),
        must(Step::Keep(kept.as_raw_fd())),
        must(Step::Keep(7777)),
        must(Step::Place { from: placed.as_raw_fd(), to: 7 }),
    ];
    let open = format!(
        "for n in {} {} {} 7; do [ -L /proc/$$/fd/$n ] && echo $n; done; :",
        kept.as_raw_fd(),
        stray.as_raw_fd(),
        placed.as_raw_fd()
    );
    assert_eq!(printed(HERE, &steps, &open), format!("{}\n7\n", kept.as_raw_fd()));
    // The caller's are as they were.
    assert_eq!(rustix::io::fcntl_getfd(&stray).unwrap(), FdFlags::empty());
    assert_eq!(rustix::io::fcntl_getfd(&kept).unwrap(), FdFlags::CLOEXEC);
    let closed = must(Step::Place { from: 7777, to: 7 });
    let failure = shell(HERE, &[closed], "exit 0").unwrap_err();
    assert_eq!(failure, Failure { step: Some(0), errno: Errno::BADF });
}

#[test]
fn standard_descriptors_of_the_caller_may_be_closed() {
    const NAME: &str = "standard_descriptors_of_the_caller_may_be_closed";
    if again::role().is_none() {
        return again::run(&mut again::command(NAME, "caller"));
    }
    for n in [0, 1] {
        // SAFETY: this process plays a role with nothing else in it: nobody uses the numbers.
        drop(unsafe { OwnedFd::from_raw_fd(n) });
    }
    let (read, write) = high_pipe();
    let steps =
        [must(Step::Place { from: write.as_raw_fd(), to: 1 }), must(Step::CloseOnExecFrom(3))];
    let script = "for n in 0 1 2 3 4 5 6; do [ -L /proc/$$/fd/$n ] && echo $n; done; :";
    let launched = shell(HERE, &steps, script).unwrap();
    drop(write);
    let mut text = String::new();
    File::from(read).read_to_string(&mut text).unwrap();
    assert_eq!((code(&launched), text.as_str()), (0, "1\n2\n"));
}

/// The set in the line `key` of a process status.
fn set(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(":\t"));
    u64::from_str_radix(line.unwrap(), 16).unwrap()
}

#[test]
fn the_mask_is_all_until_it_is_set_and_the_callers_is_left_alone() {
    let before = signal::mask();
    let status = printed(HERE, &[], "exec cat /proc/self/status");
    // All but SIGKILL and SIGSTOP, which cannot be.
    let all = !(1 << 8 | 1 << 18);
    assert_eq!(set(&status, "SigBlk"), all);
    let some = SignalSet::EMPTY.with(Signal::TERM).with(Signal::new(64).unwrap());
    let steps = [must(Step::SignalMask(some)), must(Step::DefaultAction(Signal::PIPE))];
    let status = printed(HERE, &steps, "exec cat /proc/self/status");
    assert_eq!(set(&status, "SigBlk"), some.bits());
    // Rust's runtime ignores SIGPIPE.
    assert_eq!(set(&status, "SigIgn") & 1 << 12, 0);
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    assert_eq!(set(&own, "SigIgn") & 1 << 12, 1 << 12);
    assert_eq!(signal::mask(), before);
}

#[test]
fn the_child_introduces_itself_and_waits_for_an_answer() {
    let (ours, theirs) = socket::pair().unwrap();
    let theirs = fd::at_or_above(theirs, 10).unwrap();
    thread::scope(|scope| {
        let introduced = scope.spawn(|| {
            let mut byte = [0];
            let (length, own) = socket::receive_with_descriptor(&ours, &mut byte).unwrap();
            socket::send(&ours, b"!").unwrap();
            (length, own.unwrap())
        });
        let steps = [must(Step::Introduce(theirs.as_raw_fd()))];
        let launched = shell(HERE, &steps, "read x; exit 3").unwrap();
        let (length, own) = introduced.join().unwrap();
        assert_eq!(length, 1);
        let same = |fd: &OwnedFd| rustix::fs::fstat(fd).unwrap().st_ino;
        assert_eq!(same(&own), same(&launched.pidfd));
        pidfd::send_signal(&own, Signal::KILL).unwrap();
        let end = wait::change_of(&launched.pidfd, Wanted::EXITED).unwrap();
        assert!(matches!(end, Some(Change::Killed(9) | Change::Exited(3))), "{end:?}");
    });
    drop(ours);
    let failure = shell(HERE, &[must(Step::Introduce(theirs.as_raw_fd()))], "exit 0").unwrap_err();
    assert_eq!(failure.step, Some(0));
    assert!(matches!(failure.errno, Errno::PIPE | Errno::CONNRESET), "{failure:?}");
}

#[test]
fn a_program_without_a_name_is_executed() {
    let image = std::fs::read("/bin/true").unwrap();
    let program = program::in_memory("a program", &image).unwrap();
    let (args, env) = (Strings::new([c"true"]), Strings::new([]));
    let step = Step::ExecuteDescriptor { program: program.as_raw_fd(), args: &args, env: &env };
    assert_eq!(code(&launch(HERE, &[must(step)]).unwrap()), 0);
    let nothing = program::in_memory("nothing", b"not a program").unwrap();
    let step = Step::ExecuteDescriptor { program: nothing.as_raw_fd(), args: &args, env: &env };
    let failure = launch(HERE, &[must(step)]).unwrap_err();
    assert_eq!(failure, Failure { step: Some(0), errno: Errno::NOEXEC });
}

#[test]
fn the_first_path_that_can_be_executed_is() {
    let run = |paths: &[&CStr]| execute(HERE, &[], paths, &[c"sh", c"-c", c"exit 4"]);
    assert_eq!(code(&run(&[c"/nonexistent/sh", c"/dev/null/sh", c"/bin/sh"]).unwrap()), 4);
    assert_eq!(code(&run(&[c"/", c"/bin/sh"]).unwrap()), 4);
    let errno = |paths: &[&CStr]| run(paths).unwrap_err().errno;
    assert_eq!(errno(&[]), Errno::NOENT);
    assert_eq!(errno(&[c"/nonexistent"]), Errno::NOENT);
    assert_eq!(errno(&[c"/", c"/nonexistent"]), Errno::ACCESS, "it is remembered");
}

#[test]
fn a_script_without_an_interpreter_gets_its_arguments_from_the_shell() {
    let path = std::env::temp_dir().join(format!("pidns-script-{}", std::process::id()));
    script::write(&path, "exit $(($1 + $#))\n", 0o755);
    let c_path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let launched = execute(HERE, &[], &[&c_path], &[c"name", c"40", c"x"]);
    assert_eq!(code(&launched.unwrap()), 42);
    // Without any argument at all, not even a name.
    script::write(&path, "exit $((7 + $#))\n", 0o755);
    let bare = execute(HERE, &[], &[&c_path], &[]);
    assert_eq!(code(&bare.unwrap()), 7);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn many_threads_launch_at_once() {
    const THREADS: i32 = 16;
    let barrier = Barrier::new(16);
    thread::scope(|scope| {
        for n in 0..THREADS {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                for _ in 0..10 {
                    assert_eq!(code(&shell(HERE, &[], &format!("exit {n}")).unwrap()), n);
                    let failing = [must(Step::ChangeDirectory(c"/nonexistent"))];
                    assert_eq!(shell(HERE, &failing, "").unwrap_err().errno, Errno::NOENT);
                }
            });
        }
    });
}

#[test]
fn other_threads_go_on_while_one_launches() {
    let (ours, theirs) = socket::pair().unwrap();
    let theirs = fd::at_or_above(theirs, 10).unwrap();
    thread::scope(|scope| {
        // This one is suspended until its child has had an answer, which it gets from the other thread.
        let suspended = scope.spawn(|| {
            let steps = [must(Step::Introduce(theirs.as_raw_fd()))];
            code(&shell(HERE, &steps, "exit 6").unwrap())
        });
        let mut byte = [0];
        socket::receive(&ours, &mut byte, socket::Mode::Block).unwrap();
        assert_eq!(code(&shell(HERE, &[], "exit 7").unwrap()), 7);
        socket::send(&ours, b"!").unwrap();
        assert_eq!(suspended.join().unwrap(), 6);
    });
}

#[test]
fn a_filter_asks_and_says_when_nobody_is_left() {
    // A shell asks for its parent's number when it starts.
    let ask = Rule { call: abi::SYS_getppid, tests: Vec::new(), otherwise: Verdict::Ask };
    let program = seccomp::compile(vec![ask]);
    let (ours, theirs) = socket::pair().unwrap();
    let listening = Step::FilterListening { program: &program, socket: theirs.as_raw_fd() };
    let steps = [must(Step::NoNewPrivileges), must(listening)];
    let child = shell(HERE, &steps, "exit 9").unwrap();
    let (_, fd) = socket::receive_with_descriptor(&ours, &mut [0]).unwrap();
    let Ok(listener) = Listener::new(fd.unwrap()) else {
        return skipped!("a listener wakes on the caller's cpu from Linux 6.6 on");
    };
    let question = listener.next().unwrap().unwrap();
    assert_eq!(question.call, abi::SYS_getppid);
    assert_eq!(question.tid.number().unsigned_abs(), child.pid);
    listener.is_waiting(&question).unwrap();
    listener.proceed(&question).unwrap();
    assert_eq!(listener.is_waiting(&question), Err(Errno::NOENT));
    assert_eq!(code(&child), 9);
    assert!(listener.next().unwrap().is_none());
}

#[test]
fn a_child_that_fails_raises_no_sigchld() {
    const NAME: &str = "a_child_that_fails_raises_no_sigchld";
    if again::role().is_none() {
        return again::run(&mut again::command(NAME, "caller"));
    }
    let _blocked = signal::Blocked::new();
    let told = signal::descriptor(SignalSet::EMPTY.with(Signal::CHLD)).unwrap();
    // The other thread, of the test harness, must not take it.
    let failing = [must(Step::ChangeDirectory(c"/nonexistent"))];
    shell(HERE, &failing, "").unwrap_err();
    assert_eq!(signal::take(told.as_fd()).unwrap(), None);
}

#[test]
fn a_traced_caller_launches_too() {
    const NAME: &str = "a_traced_caller_launches_too";
    if again::role().is_some() {
        assert_eq!(code(&shell(HERE, &[], "exit 5").unwrap()), 5);
        return;
    }
    let Some(strace) = find("strace") else { return };
    let mut command = std::process::Command::new(strace);
    command.args(["-f", "-o", "/dev/null"]).arg(std::env::current_exe().unwrap());
    let (key, role) = again::variable("caller");
    again::run(command.args(again::arguments(NAME)).env(key, role));
}

#[test]
fn a_namespace_that_is_not_allowed_is_an_error_of_clone() {
    if pidns_sys::privilege::has_sys_admin().unwrap() {
        // The tests without privilege come here too.
        return;
    }
    let failure = shell(Namespaces::PID, &[], "exit 0").unwrap_err();
    assert_eq!(failure, Failure { step: None, errno: Errno::PERM });
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[]);
}
