//! PID namespaces as others see them: found, listed, signalled, destroyed, waited for. Those of pidns, and those that
//! unshare(1) has made.

use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Child as StdChild, Command as Std, Stdio as StdStdio};
use std::time::{Duration, Instant};

use pidns::{Child, Command, Engine, OpenError, PidNamespace, Signal, Stdio, Summary};
use pidns_testkit::eventually;

const PLENTY: Duration = Duration::from_secs(10);

/// A namespace that unshare(1) has made, with a shell as number 1 that ends when its standard input does.
struct Foreign {
    unshare: StdChild,
    /// The host pid of number 1.
    init: u32,
}

impl Foreign {
    /// `None`, and a word about it, where unshare does not work. `script` is to write a line when it is ready.
    fn new(script: &str) -> Option<Self> {
        let mut unshare = Std::new("unshare")
            .args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "sh", "-c"])
            .arg(script)
            .stdin(StdStdio::piped())
            .stdout(StdStdio::piped())
            .stderr(StdStdio::null())
            .spawn()
            .map_err(|error| println!("skipped: no unshare here: {error}"))
            .ok()?;
        let mut line = String::new();
        let stdout = unshare.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it can be read");
        if line.is_empty() {
            println!("skipped: unshare --user --pid does not work here");
            unshare.wait().expect("it is ours");
            return None;
        }
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let children = std::fs::read_to_string(children).expect("it is there");
        let init = children.trim().parse().expect("it has one child");
        Some(Self { unshare, init })
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        drop(self.unshare.stdin.take());
        let _ = self.unshare.wait();
    }
}

fn shell(script: &str) -> Child {
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .engine(Engine::Kernel)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command.spawn().expect("the kernel engine works where these tests run")
}

/// A shell that has said that it is ready, which `script` has to do.
fn ready(script: &str) -> Child {
    let mut job = shell(script);
    let mut line = String::new();
    let stdout = job.stdout.as_mut().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).expect("it can be read");
    assert_eq!(line, "ready\n");
    job
}

fn row(list: &[Summary], init: u32) -> Option<&Summary> {
    list.iter().find(|summary| summary.init_pid == init)
}

#[test]
fn a_job_of_ours_is_found_by_any_process_in_it() {
    let job = ready("sleep 1000 & echo ready; read x");
    let own = job.namespace().expect("it is there");
    let processes = own.processes().expect("it can be looked at");
    assert!(processes.len() >= 2, "{processes:?}");
    for process in &processes {
        let found = PidNamespace::of_process(process.pid).expect("it is inside");
        assert_eq!((found.init_pid(), found.engine()), (job.init_pid(), Engine::Kernel));
    }
    let by_init = PidNamespace::of_process(job.init_pid()).expect("it is inside");
    assert_eq!(by_init.init_pid(), job.init_pid());
}

#[test]
fn a_namespace_of_others_is_found_listed_and_looked_into() {
    let Some(foreign) = Foreign::new("sleep 1000 & echo ready; read x; kill $!") else { return };
    let list = PidNamespace::list().expect("/proc is there");
    let summary = row(&list, foreign.init).expect("it is in the list");
    assert_eq!((summary.engine, summary.name.as_deref()), (Engine::Kernel, None));
    assert_eq!((summary.level, summary.parent, summary.processes), (1, None, 2));
    assert_eq!(summary.command[0], "sh");
    let namespace = PidNamespace::of_process(foreign.init).expect("it is there");
    let tree = namespace.tree().expect("it can be looked at");
    let numbers: Vec<_> = tree.iter().map(|process| process.number).collect();
    assert_eq!((tree[0].pid, numbers), (foreign.init, vec![Some(1), Some(2)]));
    eventually("the second has become what it is to be", || {
        namespace.tree().is_ok_and(|tree| tree[1].command == ["sleep", "1000"])
    });
}

#[test]
fn what_is_nested_is_listed_below_and_belongs_to_both() {
    let Some(foreign) =
        Foreign::new("unshare --pid --fork sh -c 'echo ready; exec sleep 1000' & read x")
    else {
        return;
    };
    let list = PidNamespace::list().expect("/proc is there");
    let outer = row(&list, foreign.init).expect("it is in the list");
    let inner = list.iter().find(|summary| summary.parent == Some(foreign.init));
    let inner = inner.expect("it is in the list");
    assert_eq!((outer.level, inner.level), (1, 2));
    // The shell, unshare, and what is in the inner one.
    assert_eq!((outer.processes, inner.processes), (3, 1));
    let outer = PidNamespace::of_process(foreign.init).expect("it is there");
    let pids: Vec<_> =
        outer.processes().expect("it can be looked at").iter().map(|p| p.pid).collect();
    assert!(pids.contains(&inner.init_pid), "{pids:?}");
    let innermost = PidNamespace::of_process(inner.init_pid).expect("it is there");
    assert_eq!(innermost.init_pid(), inner.init_pid);
}

#[test]
fn a_process_outside_is_refused_and_so_is_one_that_is_not_there() {
    for outside in [std::process::id(), 1] {
        assert!(matches!(PidNamespace::of_process(outside), Err(OpenError::Outside)), "{outside}");
    }
    for missing in [0, 4_194_304, u32::MAX] {
        let error = PidNamespace::of_process(missing).expect_err("there is none");
        assert!(matches!(error, OpenError::NoSuchProcess), "{missing}: {error:?}");
    }
    let mut child = Std::new("true").spawn().expect("it starts");
    let pid = child.id();
    child.wait().expect("it is ours");
    assert!(matches!(PidNamespace::of_process(pid), Err(OpenError::NoSuchProcess)));
}

#[test]
fn a_namespace_of_others_is_destroyed_with_all_that_is_in_it() {
    let Some(foreign) = Foreign::new(
        "trap '' TERM INT HUP; for i in 1 2 3; do setsid sleep 1000 & done; echo ready; read x",
    ) else {
        return;
    };
    let namespace = PidNamespace::of_process(foreign.init).expect("it is there");
    let inside = namespace.tree().expect("it can be looked at");
    assert_eq!(inside.len(), 4, "{inside:?}");
    let start = Instant::now();
    namespace.destroy().expect("it is ours");
    assert!(namespace.wait_timeout(PLENTY).expect("it can be waited for"));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    for process in inside.iter().filter(|process| process.pid != foreign.init) {
        assert!(!std::path::Path::new(&format!("/proc/{}", process.pid)).exists(), "{process:?}");
    }
    assert!(matches!(PidNamespace::of_process(foreign.init), Err(OpenError::NoSuchProcess)));
}

#[test]
fn a_signal_goes_to_the_command_and_not_to_number_1() {
    let mut job = ready("trap 'exit 9' USR1; echo ready; while :; do read x; done");
    let namespace = PidNamespace::of_process(job.init_pid()).expect("it is there");
    let usr1 = "USR1".parse().expect("there is such a signal");
    namespace.signal(usr1).expect("the command is there");
    assert_eq!(job.wait().expect("it can be waited for").code(), Some(9));
    let error = namespace.signal(usr1).expect_err("it is gone");
    assert_eq!(error.raw_os_error(), Some(3), "{error}");
}

#[test]
fn a_signal_to_a_namespace_of_others_goes_to_its_number_1() {
    let Some(mut foreign) =
        Foreign::new("trap 'exit 9' TERM; echo ready; while :; do read x; done")
    else {
        return;
    };
    let namespace = PidNamespace::of_process(foreign.init).expect("it is there");
    namespace.signal(Signal::TERM).expect("it is ours");
    assert!(namespace.wait_timeout(PLENTY).expect("it can be waited for"));
    let status = foreign.unshare.wait().expect("it is ours");
    assert_eq!(status.code(), Some(9));
}

#[test]
fn the_kernel_tells_how_a_namespace_of_others_has_ended() {
    let Some(mut foreign) = Foreign::new("echo ready; read x; exit 5") else { return };
    let namespace = PidNamespace::of_process(foreign.init).expect("it is there");
    let waiter = std::thread::spawn(move || namespace.wait());
    drop(foreign.unshare.stdin.take());
    foreign.unshare.wait().expect("it is ours");
    match waiter.join().expect("it does not panic").expect("it can be waited for") {
        Some(status) => assert_eq!(status.code(), Some(5)),
        None => println!("skipped: this kernel does not tell"),
    }
}

#[test]
fn the_pidfd_is_readable_once_all_are_gone() {
    let mut job = ready("sleep 1000 & echo ready; read x");
    let namespace = job.namespace().expect("it is there");
    let seen = namespace.pidfd().as_fd().try_clone_to_owned().expect("there are descriptors");
    assert!(!namespace.wait_timeout(Duration::ZERO).expect("it can be waited for"));
    drop(job.stdin.take());
    job.wait().expect("it can be waited for");
    assert!(namespace.wait_timeout(Duration::ZERO).expect("it can be waited for"));
    drop(seen);
}

#[test]
fn a_list_of_three_hundred_processes_is_complete() {
    let script = "i=0; while [ $i -lt 300 ]; do sleep 1000 & i=$((i+1)); done; echo ready; read x";
    let job = ready(script);
    let namespace = job.namespace().expect("it is there");
    assert_eq!(namespace.processes().expect("it can be looked at").len(), 301);
    let list = PidNamespace::list().expect("/proc is there");
    assert_eq!(row(&list, job.init_pid()).map(|summary| summary.processes), Some(302));
}

#[test]
fn a_command_can_join_a_job_and_is_a_child_of_its_own() {
    let mut job = ready("echo ready; read x; exit 3");
    let namespace = job.namespace().expect("it is there");
    let mut guest = Command::new("sh");
    guest.args(["-c", "read x; echo $$; readlink /proc/self/ns/pid; exit 7"]);
    guest.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut guest = namespace.spawn(&mut guest).expect("it can be entered");
    assert_eq!(guest.init_pid(), job.init_pid());
    let number = guest.report().number.expect("it has one");
    drop(guest.stdin.take());
    let link = std::fs::read_link(format!("/proc/{}/ns/pid", job.init_pid())).expect("it is there");
    let mut text = String::new();
    let mut stdout = guest.stdout.take().expect("it is piped");
    std::io::Read::read_to_string(&mut stdout, &mut text).expect("it can be read");
    assert_eq!(text, format!("{number}\n{}\n", link.display()));
    assert_eq!(guest.wait().expect("it can be waited for").code(), Some(7));
    drop(job.stdin.take());
    assert_eq!(job.wait().expect("it can be waited for").code(), Some(3), "the job goes on");
}

#[test]
fn dropping_a_guest_ends_it_and_leaves_the_others_alone() {
    let mut job = ready("echo ready; read x; exit 3");
    let namespace = job.namespace().expect("it is there");
    let guest = namespace.spawn(Command::new("sleep").arg("1000")).expect("it can be entered");
    let inside =
        |namespace: &PidNamespace| namespace.processes().expect("it can be looked at").len();
    assert_eq!(inside(&namespace), 2);
    drop(guest);
    assert_eq!(inside(&namespace), 1);
    drop(job.stdin.take());
    assert_eq!(job.wait().expect("it can be waited for").code(), Some(3));
}

#[test]
fn a_guest_has_its_own_time_limit_directory_environment_and_signals() {
    let job = ready("echo ready; read x");
    let namespace = job.namespace().expect("it is there");
    let mut guest = Command::new("sleep");
    guest.arg("1000").timeout(Duration::from_millis(20));
    let mut guest = namespace.spawn(&mut guest).expect("it can be entered");
    assert_eq!(guest.wait().expect("it can be waited for").signal(), Some(Signal::KILL));
    assert!(guest.report().timed_out);
    let mut guest = Command::new("sh");
    guest.args(["-c", "test \"$(pwd)$X\" = /etc7 || exit 1; trap 'exit 9' TERM; kill -TERM $$"]);
    guest.current_dir("/etc").env("X", "7");
    let mut guest = namespace.spawn(&mut guest).expect("it can be entered");
    assert_eq!(guest.wait().expect("it can be waited for").code(), Some(9));
}

#[test]
fn what_cannot_be_started_inside_says_why() {
    let job = ready("echo ready; read x");
    let namespace = job.namespace().expect("it is there");
    let stage = |command: &mut Command| namespace.spawn(command).expect_err("it fails").stage();
    assert_eq!(stage(&mut Command::new("/no/such/program")), pidns::Stage::Exec);
    assert_eq!(stage(Command::new("true").current_dir("/no/such")), pidns::Stage::Directory);
    assert_eq!(stage(Command::new("true").as_init()), pidns::Stage::Arguments);
    drop(job);
    let error = namespace.spawn(&mut Command::new("true")).expect_err("it is gone");
    assert_eq!((error.stage(), error.errno()), (pidns::Stage::Enter, 3));
}

#[test]
fn a_guest_can_be_started_by_a_thread_that_ends() {
    let job = ready("echo ready; read x");
    let namespace = job.namespace().expect("it is there");
    let mut guest = Command::new("sh");
    guest.args(["-c", "read x; exit 5"]).stdin(Stdio::piped());
    let spawned = std::thread::scope(|scope| {
        scope.spawn(|| namespace.spawn(&mut guest)).join().expect("it does not panic")
    });
    let mut guest = spawned.expect("it can be entered");
    assert!(guest.try_wait().expect("it can be waited for").is_none());
    drop(guest.stdin.take());
    assert_eq!(guest.wait().expect("it can be waited for").code(), Some(5));
}
