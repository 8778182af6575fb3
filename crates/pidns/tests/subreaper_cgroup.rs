//! The subreaper engine where the caller's cgroup may be written to: the job has one of its own, and takes it along.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use pidns::{Command, Engine, Signal};
use pidns_testkit::{again, eventually, find, proc, skipped};
use rustix::process::{Signal as Kill, pidfd_send_signal};
use support::Running;

/// Warden, keeper and command.
const OWN: usize = 3;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.engine(Engine::Subreaper).args(["-c", script]);
    command
}

fn start(script: &str) -> Running {
    Running::start_command(shell(&format!("{script}\necho ready\nread end")))
}

/// The directory of our own cgroup, if another one may be made there. All tests ask at once, and one of them tries.
fn own() -> Option<PathBuf> {
    static OWN: LazyLock<Result<PathBuf, String>> = LazyLock::new(find_own);
    match &*OWN {
        Ok(own) => Some(own.clone()),
        Err(why) => {
            skipped!("{why}");
            None
        }
    }
}

fn find_own() -> Result<PathBuf, String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "));
    let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap();
    let path = cgroups.lines().find_map(|line| line.strip_prefix("0::/"));
    let (Some(line), Some(path)) = (line, path) else {
        return Err("no cgroup2 here".to_owned());
    };
    let own = PathBuf::from(line.split(' ').nth(4).unwrap()).join(path);
    let probe = own.join(format!("pidns-test-{}", std::process::id()));
    if fs::create_dir(&probe).is_err() || !probe.join("cgroup.kill").exists() {
        let _ = fs::remove_dir(&probe);
        return Err(format!("{} has no room for another cgroup", own.display()));
    }
    fs::remove_dir(&probe).unwrap();
    Ok(own)
}

/// Where the command of `running` is.
fn cgroup_of(running: &Running) -> String {
    let number = running.child.report().number.unwrap();
    let text = fs::read_to_string(format!("/proc/{number}/cgroup")).unwrap();
    text.lines().find_map(|line| line.strip_prefix("0::")).unwrap().to_owned()
}

#[test]
fn the_command_is_in_one_of_its_own_which_goes_with_it() {
    let Some(own) = own() else { return };
    let mut running = start("setsid sleep 300 &");
    let keeper = running.child.init_pid();
    let warden = proc::parent(keeper).unwrap();
    let name = format!("pidns-{warden}");
    let text = |pid| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert!(cgroup_of(&running).ends_with(&format!("/{name}")));
    assert_eq!(text(keeper), text(std::process::id()));
    assert_eq!(text(warden), text(std::process::id()));
    assert!(own.join(&name).exists());
    running.end();
    running.child.wait().unwrap();
    assert!(!own.join(&name).exists());
}

#[test]
fn it_goes_when_keeper_or_warden_are_killed() {
    let Some(own) = own() else { return };
    for kill_warden in [false, true] {
        let mut running = start("setsid sleep 300 & (sleep 300 &)");
        let all = running.everybody(OWN + 2);
        let warden = proc::parent(running.child.init_pid()).unwrap();
        // A wait closes the command's input. The keeper may see the command end by that before it sees the warden's death,
        // and then it is the command's own status that is told.
        let _stdin = running.child.stdin.take();
        if kill_warden {
            pidfd_send_signal(running.child.pidfd(), Kill::KILL).unwrap();
        } else {
            running.child.kill().unwrap();
        }
        assert_eq!(running.child.wait().unwrap().signal(), Some(Signal::KILL));
        assert!(all.iter().all(|seen| !seen.is_alive()));
        assert!(!own.join(format!("pidns-{warden}")).exists());
    }
}

#[test]
fn a_crowd_is_killed_at_once_and_the_status_is_the_commands() {
    let Some(own) = own() else { return };
    let mut running = start("i=0; while [ $i -lt 1000 ]; do sleep 300 & i=$((i+1)); done");
    let all = running.everybody(OWN + 1000);
    let warden = proc::parent(running.child.init_pid()).unwrap();
    running.end();
    assert_eq!(running.child.wait().unwrap().code(), Some(1), "read(1) at the end of its input");
    running.assert_gone(&all);
    assert!(!own.join(format!("pidns-{warden}")).exists());
}

#[test]
fn jobs_in_jobs_leave_no_cgroup() {
    const NAME: &str = "jobs_in_jobs_leave_no_cgroup";
    if again::role().is_some() {
        let _inner = shell("sleep 300 & sleep 300").spawn().unwrap();
        println!("\nready");
        loop {
            std::thread::park();
        }
    }
    let Some(own) = own() else { return };
    let program = std::env::current_exe().unwrap();
    let arguments = again::arguments(NAME).join(" ");
    let mut command = shell(&format!("{} {arguments} & read end", program.display()));
    let (key, role) = again::variable("inner");
    command.env(key, role);
    let mut running = Running::start_command(command);
    let cgroup = own.join(format!("pidns-{}", proc::parent(running.child.init_pid()).unwrap()));
    let below = || fs::read_dir(&cgroup).unwrap().flatten().filter(|entry| entry.path().is_dir());
    assert_eq!(below().count(), 1);
    // Inside, there are warden and keeper, which would have removed theirs. If they are many, all are killed as one.
    std::fs::write(cgroup.join("cgroup.kill"), "1").unwrap();
    running.child.wait().unwrap();
    running.mark.assert_gone();
    eventually("the cgroup is gone", || !cgroup.exists());
}

#[test]
fn one_of_a_warden_with_the_same_number_elsewhere_is_left_alone() {
    const NAME: &str = "one_of_a_warden_with_the_same_number_elsewhere_is_left_alone";
    if again::role().is_some() {
        return beside_namesakes();
    }
    let (Some(_), Some(_)) = (own(), find("unshare")) else { return };
    let wrapper =
        ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];
    match std::process::Command::new(wrapper[0]).args(&wrapper[1..]).arg("true").output() {
        Ok(output) if output.status.success() => {}
        other => return skipped!("no PID namespace here: {other:?}"),
    }
    again::run(&mut again::wrapped(&wrapper, ":", NAME, "few numbers"));
}

/// All the numbers that a warden may have here are taken elsewhere.
fn beside_namesakes() {
    let Some(own) = own() else { panic!("it was there a moment ago") };
    let namesakes: Vec<PathBuf> = (1..100)
        .map(|number| own.join(format!("pidns-{number}")))
        .filter(|path| fs::create_dir(path).is_ok())
        .collect();
    let found = std::panic::catch_unwind(|| {
        let mut running = start("sleep 300 &");
        let number = running.child.report().number.unwrap();
        let cgroups = ["self", &number.to_string()]
            .map(|pid| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap());
        running.end();
        running.child.wait().unwrap();
        cgroups
    });
    let left = namesakes.iter().filter(|path| fs::remove_dir(path).is_ok()).count();
    let [own, of_command] = found.unwrap();
    assert_eq!(of_command, own);
    assert_eq!(left, namesakes.len());
}

#[test]
fn a_command_that_has_all_descriptors_has_no_cgroup() {
    let mut command = shell("echo ready; read end");
    command.descriptors(pidns::Descriptors::All);
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    let mut running = Running::start_command(command);
    let number = running.child.report().number.unwrap();
    assert_eq!(fs::read_to_string(format!("/proc/{number}/cgroup")).unwrap(), own);
    running.end();
    running.child.wait().unwrap();
}
