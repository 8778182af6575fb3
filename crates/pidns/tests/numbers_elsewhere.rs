//! Jobs that are found by others than their supervisors: of those in other PID namespaces the numbers mean something else
//! here, and of those in one another the innermost is meant.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, Write};
use std::process::{self, Child, ChildStdin, Stdio};

use pidns::{Command, Engine, OpenError, PidNamespace, Signal};
use pidns_testkit::{Lines, again, eventually, find, proc, skipped};
use rustix::process::{Pid, Signal as Kill, kill_process};

/// The number that was given last in the caller's PID namespace: proc_sys_kernel(5).
const LAST: &str = "/proc/sys/kernel/ns_last_pid";

/// The name of a role's job.
const NAME: &str = "PIDNS_TEST_NAME";

const UNSHARE: [&str; 5] = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

fn unique(name: &str) -> String {
    format!("test-{name}-{}", process::id())
}

/// Without a name if that is empty.
fn sleeper(name: &str, engine: Engine) -> Command {
    let mut command = Command::new("sleep");
    command.arg("300").engine(engine);
    if !name.is_empty() {
        command.name(name);
    }
    command
}

/// Runs the test `name` again as root of new namespaces, where numbers can be chosen.
fn as_root_of_new_namespaces(name: &str) {
    let Some(_) = find("unshare") else { return };
    let wrapper: Vec<&str> = [UNSHARE[0], "--user", "--map-root-user"]
        .into_iter()
        .chain(UNSHARE[1..].to_vec())
        .collect();
    let setup = format!("echo 100 > {LAST}");
    let possible =
        process::Command::new(wrapper[0]).args(&wrapper[1..]).args(["sh", "-ec", &setup]).output();
    match possible {
        Ok(output) if output.status.success() => {}
        other => return skipped!("no PID namespace whose numbers can be chosen: {other:?}"),
    }
    again::run(again::wrapped(&wrapper, &setup, name, "outer").env(NAME, unique("elsewhere")));
}

/// A supervisor in a PID namespace of its own, which starts a job whenever it is told to.
struct Supervisor {
    process: Child,
    stdin: Option<ChildStdin>,
    lines: Lines,
}

impl Supervisor {
    /// Runs the test `test` there, which is to call [`supervise`].
    fn new(test: &str, name: &str, role: &str) -> Self {
        let mut command = again::wrapped(&UNSHARE, ":", test, role);
        let command = command.env(NAME, name).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take().unwrap());
        Self { process, stdin, lines: Lines::new(stdout) }
    }

    /// Has it end the job that it has, and start one whose warden and number 1 have the numbers after `last`.
    fn order(&mut self, last: u32) {
        writeln!(self.stdin.as_ref().unwrap(), "{last}").unwrap();
    }

    /// The number of number 1 for it, and when that was started.
    fn job(&mut self) -> (u32, String) {
        let line = self.lines.until("job ");
        let mut words = line.split(' ').skip(1);
        (words.next().unwrap().parse().unwrap(), words.next().unwrap().to_owned())
    }

    /// Its PID namespace, as a link in /proc names it.
    fn namespace(&self) -> String {
        let unshare = self.process.id();
        let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children"));
        namespace_of(children.unwrap().trim().parse().unwrap())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.stdin.take());
        self.lines.rest();
        let _ = self.process.wait();
    }
}

/// The role of a [`Supervisor`].
fn supervise(engine: Engine) {
    let name = std::env::var(NAME).unwrap();
    let mut job = None;
    for line in std::io::stdin().lock().lines() {
        drop(job.take());
        fs::write(LAST, line.unwrap()).unwrap();
        let child = sleeper(&name, engine).spawn().unwrap();
        println!("\njob {} {}", child.init_pid(), started(child.init_pid()));
        job = Some(child);
    }
}

/// When `pid` was started: field 22 of proc_pid_stat(5).
fn started(pid: u32) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    text.rsplit_once(") ").unwrap().1.split(' ').nth(22 - 3).unwrap().to_owned()
}

fn namespace_of(pid: u32) -> String {
    fs::read_link(format!("/proc/{pid}/ns/pid")).unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_number_of_another_namespace_is_nobody_here() {
    const TEST: &str = "a_number_of_another_namespace_is_nobody_here";
    match again::role().as_deref() {
        None => as_root_of_new_namespaces(TEST),
        Some("outer") => look_from_around(TEST),
        Some(_) => supervise(Engine::Subreaper),
    }
}

fn look_from_around(test: &str) {
    let name = std::env::var(NAME).unwrap();
    let shell = ["-c", "sleep 300 & echo $!; wait"];
    let mut parent =
        process::Command::new("sh").args(shell).stdout(Stdio::piped()).spawn().unwrap();
    let bystander = Lines::new(parent.stdout.take().unwrap()).next().unwrap().parse().unwrap();
    let mut supervisor = Supervisor::new(test, &name, "inner");
    supervisor.order(parent.id() - 2);
    assert_eq!(supervisor.job().0, parent.id(), "it is called as the shell is here");
    let of_bystander = PidNamespace::of_process(bystander);
    assert!(matches!(of_bystander, Err(OpenError::Outside)), "{of_bystander:?}");
    let found = PidNamespace::named(&name).unwrap();
    assert_ne!(found.init_pid(), parent.id());
    drop(supervisor);
    parent.kill().unwrap();
    parent.wait().unwrap();
}

#[test]
fn two_of_the_same_number_and_age_are_told_apart() {
    const TEST: &str = "two_of_the_same_number_and_age_are_told_apart";
    match again::role().as_deref() {
        None => as_root_of_new_namespaces(TEST),
        Some("outer") => {
            for engine in [Engine::Subreaper, Engine::Kernel] {
                look_at_twins(TEST, engine);
            }
        }
        Some("subreaper") => supervise(Engine::Subreaper),
        Some(_) => supervise(Engine::Kernel),
    }
}

fn look_at_twins(test: &str, engine: Engine) {
    let name = std::env::var(NAME).unwrap();
    let names = ["a", "b"].map(|letter| format!("{name}-{letter}"));
    let mut both = names.each_ref().map(|name| Supervisor::new(test, name, engine.name()));
    // Started within the same hundredth of a second, which they are more often than not.
    let are_twins = (0..200).any(|_| {
        both.iter_mut().for_each(|one| one.order(50));
        let [first, second] = both.each_mut().map(Supervisor::job);
        first == second
    });
    assert!(are_twins, "never of the same age");
    for (name, supervisor) in names.iter().zip(&both) {
        let found = PidNamespace::named(name).unwrap();
        let of_supervisor = match engine {
            Engine::Kernel => namespace_of(proc::parent(found.init_pid()).unwrap()),
            _ => namespace_of(found.init_pid()),
        };
        assert_eq!(of_supervisor, supervisor.namespace(), "{engine:?}");
        assert_eq!(found.name(), Some(name.as_str()));
    }
}

#[test]
fn two_of_the_same_number_and_no_name_are_both_listed() {
    const TEST: &str = "two_of_the_same_number_and_no_name_are_both_listed";
    match again::role().as_deref() {
        None => as_root_of_new_namespaces(TEST),
        Some("outer") => {
            let mut both = [(); 2].map(|()| Supervisor::new(TEST, "", "inner"));
            both.iter_mut().for_each(|one| one.order(50));
            let [first, second] = both.each_mut().map(|one| one.job().0);
            assert_eq!(first, second);
            let list = PidNamespace::list().unwrap();
            let listed = list.iter().filter(|one| one.engine == Engine::Subreaper);
            let namespaces: BTreeSet<_> = listed.map(|one| namespace_of(one.init_pid)).collect();
            assert_eq!(namespaces, both.iter().map(Supervisor::namespace).collect());
        }
        Some(_) => supervise(Engine::Subreaper),
    }
}

#[test]
fn whoever_gets_the_number_of_a_job_that_has_ended_is_left_alone() {
    const TEST: &str = "whoever_gets_the_number_of_a_job_that_has_ended_is_left_alone";
    match again::role() {
        None => as_root_of_new_namespaces(TEST),
        Some(_) => {
            for engine in [Engine::Kernel, Engine::Ptrace, Engine::Subreaper] {
                use_number_again(engine);
            }
        }
    }
}

fn use_number_again(engine: Engine) {
    let mut job = match sleeper("", engine).spawn() {
        Err(error) if engine == Engine::Ptrace => return skipped!("no ptrace here: {error}"),
        other => other.unwrap(),
    };
    let (namespace, init) = (job.namespace().unwrap(), job.init_pid());
    job.kill().unwrap();
    job.wait().unwrap();
    fs::write(LAST, (init - 1).to_string()).unwrap();
    let shell = ["-c", "sleep 300 & echo ready; wait"];
    let mut parent =
        process::Command::new("sh").args(shell).stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(parent.id(), init, "{engine:?}");
    let mut lines = Lines::new(parent.stdout.take().unwrap());
    lines.until("ready");
    let errno = |result: std::io::Result<()>| result.unwrap_err().raw_os_error();
    assert_eq!(errno(namespace.signal(Signal::KILL)), Some(3), "{engine:?}");
    assert_eq!(errno(namespace.tree().map(drop)), Some(3), "{engine:?}");
    namespace.destroy().unwrap();
    assert!(parent.try_wait().unwrap().is_none());
    // One who had been killed would have ended it.
    let children = fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap();
    let child: u32 = children.trim().parse().unwrap();
    eventually("it sleeps on", || proc::state(child) == Some('S'));
    for pid in [child, init] {
        kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Kill::KILL).unwrap();
    }
    parent.wait().unwrap();
}

#[test]
fn of_two_in_one_another_the_inner_one_is_meant() {
    const TEST: &str = "of_two_in_one_another_the_inner_one_is_meant";
    if again::role().is_some() {
        let job = sleeper(&std::env::var(NAME).unwrap(), Engine::Subreaper).spawn().unwrap();
        println!("\njob {} {}", job.init_pid(), job.report().number.unwrap());
        let _ = std::io::stdin().read_line(&mut String::new());
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let (key, role) = again::variable("inner");
    command.args(again::arguments(TEST)).env(key, role).env(NAME, unique("inner"));
    command.engine(Engine::Subreaper).stdin(pidns::Stdio::piped()).stdout(pidns::Stdio::piped());
    let mut outer = command.spawn().unwrap();
    let mut lines = Lines::new(outer.stdout.take().unwrap());
    let line = lines.until("job ");
    let numbers: Vec<u32> = line.split(' ').skip(1).map(|word| word.parse().unwrap()).collect();
    for number in &numbers {
        assert_eq!(PidNamespace::of_process(*number).unwrap().init_pid(), numbers[0]);
    }
    let by_command = PidNamespace::of_process(outer.report().number.unwrap()).unwrap();
    assert_eq!(by_command.init_pid(), outer.init_pid());
    outer.wait().unwrap();
}
