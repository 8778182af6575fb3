//! The subreaper engine: whatever a command leaves behind is gone when `wait` returns, without any namespace.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::time::{Duration, Instant};

use pidns::{Command, Engine, Leftovers, Map, Proc, Signal, Stage, Stdio};
use pidns_testkit::{Lines, Mark, again, find, proc, user};
use rustix::process::{Pid, Signal as Kill, kill_process};
use support::Running;

/// Warden, keeper and command.
const OWN: usize = 3;

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.engine(Engine::Subreaper);
    command
}

fn shell(script: &str) -> Command {
    let mut command = command("sh");
    command.args(["-c", script]);
    command
}

/// Does `script`, and leaves the shell waiting.
#[track_caller]
fn start(script: &str) -> Running {
    Running::start_command(shell(&format!("{script}\necho ready\nread end")))
}

/// Lets a command end that leaves what `script` starts: `count` processes with a mark, perhaps others without.
#[track_caller]
fn leave(script: &str, count: usize) {
    let mut running = start(script);
    let all = running.everybody(OWN + count);
    running.end();
    assert_eq!(running.child.wait().unwrap().code(), Some(1), "read(1) at the end of its input");
    running.assert_gone(&all);
}

fn signal(pid: u32, signal: Kill) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

#[test]
fn a_child_and_a_double_fork() {
    leave("sleep 300 & (sleep 300 & (sleep 300 &) )", 3);
}

#[test]
fn sessions_of_their_own() {
    leave("setsid sleep 300 & (setsid sh -c 'sleep 300 & sleep 300; :' &)", 4);
}

#[test]
fn one_that_ignores_all_signals_and_one_that_is_stopped() {
    let signals: Vec<String> = (1..=64).map(|n: u32| n.to_string()).collect();
    let deaf = format!("(trap '' {}; exec sleep 300) &", signals.join(" "));
    leave(&format!("{deaf} sleep 300 & kill -STOP $!"), 2);
}

#[test]
fn one_that_is_traced() {
    let Some(_) = find("strace") else { return };
    leave("strace -f -o /dev/null sh -c 'sleep 300; :' &", 3);
}

#[test]
fn a_namespace_of_the_kernel() {
    let Some(_) = find("unshare") else { return };
    let enter = "unshare --user --map-root-user --pid --fork";
    leave(&format!("{enter} sh -c 'sleep 300 & sleep 300; :' &"), 4);
}

#[test]
fn another_keeper_and_its_command() {
    const NAME: &str = "another_keeper_and_its_command";
    if again::role().is_some() {
        let child = shell("sleep 300 & echo ready; sleep 300").spawn().unwrap();
        // Left as if this process had been killed.
        std::mem::forget(child);
        return;
    }
    let program = std::env::current_exe().unwrap();
    let inner = format!("{} {}", program.display(), again::arguments(NAME).join(" "));
    let mut command = shell(&format!("{inner} > /dev/null & read end"));
    let (key, role) = again::variable("inner");
    command.env(key, role).stdin(Stdio::piped());
    let mark = Mark::new();
    let (key, value) = mark.env();
    let mut child = command.env(key, value).spawn().unwrap();
    // It ends by itself, since the inner supervisor has gone, but nobody knows when.
    drop(child.stdin.take());
    child.wait().unwrap();
    mark.assert_gone();
}

#[test]
fn children_of_other_threads_than_the_first() {
    const NAME: &str = "children_of_other_threads_than_the_first";
    if again::role().is_some() {
        let (sender, receiver) = std::sync::mpsc::channel();
        for _ in 0..20 {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let child = std::process::Command::new("sleep").arg("300").spawn().unwrap();
                sender.send(child.id()).unwrap();
                loop {
                    std::thread::park();
                }
            });
        }
        assert_eq!(receiver.iter().take(20).count(), 20);
        println!("\nready");
        loop {
            std::thread::park();
        }
    }
    let program = std::env::current_exe().unwrap();
    let arguments = again::arguments(NAME).join(" ");
    let mut command = shell(&format!("{} {arguments} & read end", program.display()));
    let (key, role) = again::variable("threads");
    command.env(key, role);
    let mut running = Running::start_command(command);
    let all = running.everybody(OWN + 21);
    running.end();
    running.child.wait().unwrap();
    running.assert_gone(&all);
}

#[test]
fn generations_deeper_than_one_look_goes() {
    let chain =
        "d() { if [ $1 -gt 0 ]; then d $(($1-1)) & wait; else exec sleep 300; fi; }; d 100 &";
    leave(chain, 101);
}

#[test]
fn a_thousand_processes() {
    leave("i=0; while [ $i -lt 1000 ]; do sleep 300 & i=$((i+1)); done", 1000);
}

#[test]
fn a_storm_of_forks_loses() {
    // Each process makes the next one and ends.
    let chain = "f() { (f) & }; f & f & f & f &";
    for _ in 0..5 {
        let mut running = start(chain);
        running.end();
        let start = Instant::now();
        running.child.wait().unwrap();
        running.mark.assert_gone();
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}

#[test]
fn one_that_forks_again_when_its_child_is_killed() {
    leave("setsid sh -c 'while :; do sleep 300 & wait $!; done' &", 2);
}

#[test]
fn numbers_are_the_callers() {
    let mut command = shell("echo $$ $PPID; read end");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let line = Lines::new(child.stdout.take().unwrap()).next().unwrap();
    let report = child.report();
    assert_eq!(line, format!("{} {}", report.number.unwrap(), report.init_pid));
    assert_eq!(report.engine, Engine::Subreaper);
    child.wait().unwrap();
}

#[test]
fn the_command_is_in_the_callers_group_and_session_and_its_guards_are_in_neither() {
    let running = start(":");
    let group = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<u32> = stat
            .rsplit_once(") ")
            .unwrap()
            .1
            .split(' ')
            .skip(2)
            .take(2)
            .map(|word| word.parse().unwrap())
            .collect();
        (fields[0], fields[1])
    };
    let own = group(std::process::id());
    let keeper = running.child.init_pid();
    let warden = proc::parent(keeper).unwrap();
    assert_eq!(group(running.child.report().number.unwrap()), own);
    assert_eq!(group(keeper), (keeper, keeper), "a session of its own");
    assert_eq!(group(warden), (warden, warden), "a session of its own");
}

#[test]
fn every_kind_of_end_is_told() {
    for code in [0, 1, 77, 255] {
        assert_eq!(shell(&format!("exit {code}")).status().unwrap().code(), Some(code));
    }
    for number in [1, 2, 9, 15, 34, 64] {
        let status = shell(&format!("kill -{number} $$")).status().unwrap();
        assert_eq!(status.signal(), Signal::new(number));
    }
    let error = command("/no/such/program").spawn().unwrap_err();
    assert_eq!((error.stage(), error.errno()), (Stage::Exec, 2));
    let error = command("/dev/null").spawn().unwrap_err();
    assert_eq!((error.stage(), error.errno()), (Stage::Exec, 13));
}

#[test]
fn what_takes_a_namespace_is_refused() {
    let stage = |change: fn(&mut Command) -> &mut Command| {
        let mut command = shell("exit 0");
        change(&mut command).spawn().map(drop).map_err(|error| error.stage())
    };
    assert_eq!(stage(|command| command.as_init()), Err(Stage::Namespace));
    assert_eq!(stage(|command| command.proc(Proc::Fresh)), Err(Stage::Proc));
    assert_eq!(stage(|command| command.proc(Proc::Never)), Ok(()));
    if user::is_root() {
        assert_eq!(stage(|command| command.map(Map::Root)), Ok(()), "it is root already");
    } else {
        assert_eq!(stage(|command| command.map(Map::Root)), Err(Stage::UserMap));
    }
}

#[test]
fn leftovers_are_listed() {
    let mut command = shell("setsid sleep 301 & (sleep 302 &); echo ready");
    let mut child = command.leftovers(Leftovers::List).stdout(Stdio::null()).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let leaks = child.report().leaks.as_ref().unwrap();
    let words: Vec<String> = leaks.iter().map(|leak| format!("{:?}", leak.command)).collect();
    let count = |word: &str| words.iter().filter(|words| words.contains(word)).count();
    assert_eq!((leaks.len(), count("301"), count("302")), (2, 1, 1), "{words:?}");
    assert!(leaks.iter().all(|leak| leak.number == Some(leak.pid)));
}

#[test]
fn leftovers_have_the_grace_and_no_longer() {
    let file = std::env::temp_dir().join(format!("pidns-grace-{}", std::process::id()));
    let script =
        "(trap 'echo asked > \"$FILE\"; exit' TERM; echo ready; while :; do sleep 0.01; done) &
                  (trap '' TERM; echo ready; exec sleep 300) & read end";
    let mut command = shell(script);
    command.env("FILE", &file).grace(Duration::from_millis(500));
    let mark = Mark::new();
    let (key, value) = mark.env();
    let mut child =
        command.env(key, value).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = Lines::new(child.stdout.take().unwrap());
    lines.until("ready");
    lines.until("ready");
    let start = Instant::now();
    child.wait().unwrap();
    assert!(start.elapsed() >= Duration::from_millis(500));
    mark.assert_gone();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "asked\n");
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_time_limit_kills_all_and_no_stop_is_told() {
    let script = "setsid sleep 300 & trap '' TERM; while :; do sleep 300; done";
    let mark = Mark::new();
    let (key, value) = mark.env();
    let mut child =
        shell(script).env(key, value).timeout(Duration::from_millis(200)).spawn().unwrap();
    let mut changes = Vec::new();
    while !changes.contains(&pidns::Change::Ended) {
        let [news, pidfd] = child.descriptors();
        let mut fds = [news, pidfd]
            .map(|fd| rustix::event::PollFd::from_borrowed_fd(fd, rustix::event::PollFlags::IN));
        rustix::event::poll(&mut fds, None).unwrap();
        changes.extend(child.next_change().unwrap());
    }
    assert_eq!(changes, [pidns::Change::TimedOut, pidns::Change::Ended]);
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::KILL));
    assert!(child.report().timed_out);
    mark.assert_gone();
}

#[test]
fn kill_and_drop_destroy() {
    let mut running = start("setsid sleep 300 & (sleep 300 &)");
    let all = running.everybody(OWN + 2);
    running.child.kill().unwrap();
    assert_eq!(running.child.wait().unwrap().signal(), Some(Signal::KILL));
    running.assert_gone(&all);
    let running = start("setsid sleep 300 & (sleep 300 &)");
    let all = running.everybody(OWN + 2);
    let Running { child, mark, .. } = running;
    drop(child);
    mark.assert_gone();
    assert!(all.iter().all(|seen| !seen.is_there()));
}

#[test]
fn guards_that_are_stopped_hold_no_end_up() {
    // The keeper, or both, when the caller wants an end; the warden when the command ends.
    for (stop_keeper, stop_warden) in [(true, false), (true, true), (false, true)] {
        let mut running = start("setsid sleep 300 & (sleep 300 &)");
        let all = running.everybody(OWN + 2);
        let keeper = running.child.init_pid();
        if stop_warden {
            signal(proc::parent(keeper).unwrap(), Kill::STOP);
        }
        if stop_keeper {
            signal(keeper, Kill::STOP);
            running.child.kill().unwrap();
        }
        running.end();
        running.child.wait().unwrap();
        running.assert_gone(&all);
    }
}

#[test]
fn as_nobody() {
    user::again_as_nobody("as_nobody", &[]);
}
