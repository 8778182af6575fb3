//! Names: one job at a time, free again whatever happens to the supervisor.
//!
//! The names are those of the user who runs the tests, so each test has one of its own, with this process's number.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command as Std, Stdio as StdStdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use pidns::{Command, OpenError, PidNamespace, SpawnError, Stage, Stdio};

fn unique(name: &str) -> String {
    format!("test-{name}-{}", std::process::id())
}

/// A command that runs until it is ended.
fn sleeper(name: &str) -> Command {
    let mut command = Command::new("sleep");
    command.arg("1000").stdin(Stdio::null()).name(name);
    command
}

fn refusal(command: &mut Command) -> SpawnError {
    command.spawn().map(drop).expect_err("it is refused")
}

const EEXIST: i32 = 17;
const EINVAL: i32 = 22;

#[test]
fn a_job_is_found_by_its_name_until_it_has_been_waited_for() {
    let name = unique("found");
    let mut job = sleeper(&name).spawn().expect("it starts");
    let found = PidNamespace::named(&name).expect("it is there");
    assert_eq!(found.init_pid(), job.init_pid());
    assert_eq!(found.name(), Some(name.as_str()));
    assert_eq!(found.engine(), job.report().engine);
    job.kill().expect("it can be killed");
    job.wait().expect("it can be waited for");
    assert!(matches!(PidNamespace::named(&name), Err(OpenError::NoSuchName)));
}

#[test]
fn a_name_has_one_job_at_a_time() {
    let name = unique("once");
    let job = sleeper(&name).spawn().expect("it starts");
    let error = refusal(&mut sleeper(&name));
    assert_eq!((error.stage(), error.errno()), (Stage::Name, EEXIST));
    assert_eq!(error.to_string(), "cannot register the name: it is in use");
    drop(job);
    sleeper(&name).spawn().expect("the name is free again");
}

#[test]
fn a_command_that_cannot_be_started_leaves_no_name() {
    let name = unique("notstarted");
    let error = refusal(Command::new("/no/such/program").name(&name));
    assert_eq!(error.stage(), Stage::Exec);
    assert!(matches!(PidNamespace::named(&name), Err(OpenError::NoSuchName)));
}

#[test]
fn what_cannot_be_a_name_is_refused_and_nothing_is_started() {
    for name in ["", "1234", "a/b", "../x", ".hidden", "-x", "a b", "a\0b"] {
        let error = refusal(&mut sleeper(name));
        assert_eq!((error.stage(), error.errno()), (Stage::Name, EINVAL), "{name:?}");
        assert!(matches!(PidNamespace::named(name), Err(OpenError::NoSuchName)));
    }
}

#[test]
fn only_digits_mean_a_process() {
    let found = |target: &str| PidNamespace::find(target);
    assert!(matches!(found("1"), Err(OpenError::Outside)));
    assert!(matches!(found("99999999999"), Err(OpenError::NoSuchProcess)));
    for name in ["+1", ""] {
        assert!(matches!(found(name), Err(OpenError::NoSuchName)), "{name:?}");
    }
}

#[test]
fn of_many_who_want_a_name_at_once_one_gets_it() {
    let name = unique("race");
    for _ in 0..20 {
        let barrier = Barrier::new(8);
        let jobs: Vec<_> = std::thread::scope(|scope| {
            let start = || {
                barrier.wait();
                sleeper(&name).spawn()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
        });
        let mut winners = 0;
        for job in &jobs {
            match job {
                Ok(_) => winners += 1,
                Err(error) => assert_eq!((error.stage(), error.errno()), (Stage::Name, EEXIST)),
            }
        }
        assert_eq!(winners, 1);
    }
}

/// Not a test of its own: a supervisor for the next one to kill. Says when its job runs, and waits for it.
#[test]
#[ignore = "helper"]
fn supervisor() {
    let Ok(name) = std::env::var("PIDNS_TEST_NAME") else { return };
    let mut job = sleeper(&name).spawn().expect("it starts");
    println!("\ninit {}", job.init_pid());
    std::io::stdout().flush().expect("it is a pipe");
    job.wait().expect("it can be waited for");
}

#[test]
fn a_supervisor_that_is_killed_leaves_no_name() {
    let name = unique("killed");
    for _ in 0..5 {
        let mut supervisor = Std::new(std::env::current_exe().expect("we have a file"))
            .args(["--exact", "supervisor", "--ignored", "--nocapture"])
            .env("PIDNS_TEST_NAME", &name)
            .stdout(StdStdio::piped())
            .spawn()
            .expect("it starts");
        let stdout = supervisor.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let init = lines.find_map(|line| line.strip_prefix("init ")?.parse::<u32>().ok());
        let found = PidNamespace::named(&name).expect("it is there");
        assert_eq!(Some(found.init_pid()), init);
        supervisor.kill().expect("it is ours");
        supervisor.wait().expect("it is ours");
        // Its number 1 sees that and goes.
        assert!(found.wait_timeout(Duration::from_secs(10)).expect("it can be waited for"));
        assert!(matches!(PidNamespace::named(&name), Err(OpenError::NoSuchName)));
        // And the name can be had at once.
        sleeper(&name).spawn().expect("the name is free");
    }
}

#[test]
fn whoever_waits_by_name_learns_the_status() {
    let name = unique("status");
    let mut job = Command::new("sh")
        .args(["-c", "read x; exit 7"])
        .stdin(Stdio::piped())
        .name(&name)
        .spawn()
        .expect("it starts");
    let namespace = PidNamespace::named(&name).expect("it is there");
    let waiter = std::thread::spawn(move || namespace.wait());
    drop(job.stdin.take());
    job.wait().expect("it can be waited for");
    let status = waiter.join().expect("it does not panic").expect("it can be waited for");
    assert_eq!(status.and_then(|status| status.code()), Some(7));
}

#[test]
fn a_name_costs_a_launch_little() {
    let name = unique("cost");
    let time = |named: bool| {
        let start = Instant::now();
        for _ in 0..20 {
            let mut command = Command::new("true");
            if named {
                command.name(&name);
            }
            command.status().expect("it runs");
        }
        start.elapsed()
    };
    time(true);
    let (without, with) = (time(false), time(true));
    // A generous bound, for busy machines: in fact it is some hundredths of a launch.
    assert!(with < without * 3 + Duration::from_millis(100), "{with:?} against {without:?}");
}
