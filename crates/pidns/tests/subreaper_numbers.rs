//! The subreaper engine where numbers come to mean other processes all the time: nobody outside is hit.
//!
//! A PID namespace with few numbers (`kernel.pid_max`, a namespace's own since Linux 6.14), most of them taken, and
//! processes that come and go inside of jobs and outside. The keeper, which is fast, is slowed down by strace(1) between
//! the moment when it has read a number and that when it opens a pidfd: by then, the number means somebody else.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pidns::{Engine, Signal};
use pidns_testkit::{Lines, Mark, again, eventually, find, proc, skipped};

/// Numbers start again at 300, so there are a hundred.
const LAST: &str = "400";

/// Who is outside and stays.
const STANDING: usize = 30;

/// Starts processes, a few at a time, that live for a moment, and looks whether each ends well.
const PASSING: &str = "j=0
while [ $j -lt 20 ]; do
  all=; for i in 1 2 3 4 5 6; do sleep 0.01 & all=\"$all $!\"; done
  for pid in $all; do wait $pid || exit 1; done
  echo; j=$((j+1))
done";

/// A family of three generations, most of whom start others all the time, several at once.
const JOB: &str = "trap '' USR1
for i in 1 2; do
  sh -c 'churn() { while :; do (:) & (:) & (:) & (:) & (:) & (:) & wait; done; }
         churn & (sleep 300; :) & churn' &
done
echo ready; read end; exit 7";

const ROUNDS: u32 = 20;

/// How long after reading a number the keeper opens it: more than it takes until all numbers have been used again.
const DELAY: &str = "inject=pidfd_open:delay_enter=3000";

#[test]
fn nobody_outside_is_hit_when_numbers_are_used_again() {
    const NAME: &str = "nobody_outside_is_hit_when_numbers_are_used_again";
    if again::role().is_some() {
        return among_few_numbers();
    }
    let (Some(_), Some(_)) = (find("unshare"), find("strace")) else { return };
    let few = format!("echo {LAST} > /proc/sys/kernel/pid_max");
    let wrapper =
        ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let possible = Command::new(wrapper[0]).args(&wrapper[1..]).args(["sh", "-ec", &few]).output();
    match possible {
        Ok(output) if output.status.success() => {}
        other => return skipped!("no PID namespace with few numbers here: {other:?}"),
    }
    again::run(&mut again::wrapped(&wrapper, &few, NAME, "few numbers"));
}

fn among_few_numbers() {
    let standing: Vec<Child> = (0..STANDING).map(|_| outsider("exec sleep 300")).collect();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let passing: Vec<_> = (0..4).map(|_| scope.spawn(|| watch_passing(&stop))).collect();
        for _ in 0..ROUNDS {
            play();
        }
        stop.store(true, Ordering::Relaxed);
        for watched in passing {
            watched.join().expect("those who pass end well");
        }
    });
    for mut witness in standing {
        assert!(witness.try_wait().unwrap().is_none(), "one who stayed is hit");
        assert_eq!(proc::state(witness.id()), Some('S'), "one who stayed is stopped");
        witness.kill().unwrap();
        witness.wait().unwrap();
    }
}

/// One job, from start to end.
fn play() {
    let mark = Mark::new();
    let (key, value) = mark.env();
    let mut child = start((key, value));
    let mut lines = Lines::new(child.stdout.take().unwrap());
    if lines.next().is_none() {
        // No number was left for its processes.
        child.wait().unwrap();
        return;
    }
    let mut strace = Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "-e", "trace=pidfd_open", "-e", DELAY, "-p"])
        .arg(child.init_pid().to_string())
        .spawn()
        .unwrap();
    eventually("strace is there", || {
        proc::status(child.init_pid(), "TracerPid").is_some_and(|tracer| tracer != "0")
    });
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(7));
    mark.assert_gone();
    strace.wait().unwrap();
}

/// Starts a job. Where there is no number for a process, it is tried again.
fn start((key, value): (&str, &str)) -> pidns::Child {
    let start = Instant::now();
    loop {
        let mut command = pidns::Command::new("sh");
        command.engine(Engine::Subreaper).args(["-c", JOB]).env(key, value);
        // Asked to end, they go on meanwhile, and so do their numbers.
        command.signal(Signal::new(10).unwrap()).grace(Duration::from_millis(20));
        command.stdin(pidns::Stdio::piped()).stdout(pidns::Stdio::piped());
        match command.stderr(pidns::Stdio::null()).spawn() {
            Ok(child) => return child,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(20), "{error}"),
        }
    }
}

fn outsider(script: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Lets others come and go outside, until `stop`. One that is killed makes its parent fail, one that is stopped makes it
/// wait for ever.
fn watch_passing(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let mut parent = outsider(PASSING);
        let mut signs_of_life = Lines::new(parent.stdout.take().unwrap());
        while signs_of_life.next().is_some() {}
        // 2 is what a shell says that can make no process.
        let status = parent.wait().unwrap();
        assert!(matches!(status.code(), Some(0 | 2)), "one who passed is hit: {status}");
    }
}
