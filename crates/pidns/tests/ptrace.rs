//! The ptrace engine with real programs: numbers, /proc, nested namespaces, and nothing left behind.
#![cfg(target_arch = "x86_64")]

#[path = "ptrace_support/mod.rs"]
mod support;

use std::time::Duration;

use pidns::{Command, Engine};
use pidns_testkit::place;
use support::{gone_within, has, inside, marked_sleep, output_of, survivors};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn the_command_is_number_2_below_an_init() {
    assert_eq!(output_of("echo $$ $PPID"), "2 1\n");
}

#[test]
fn as_init_the_command_is_number_1() {
    let output = inside("echo $$ $PPID").as_init().output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1 0\n");
}

#[test]
fn exit_codes_and_signals_are_the_commands_own() {
    for code in [0, 1, 42, 255] {
        let status = inside(&format!("exit {code}")).status().unwrap();
        assert_eq!(status.code(), Some(code));
    }
    for signal in [1, 9, 15, 34] {
        let status = inside(&format!("kill -{signal} $$")).status().unwrap();
        assert_eq!(status.signal().map(pidns::Signal::number), Some(signal));
    }
}

#[test]
fn children_have_the_next_numbers_and_are_waited_for_by_them() {
    let script = "(exit 6) & a=$!; (exit 7) & b=$!; wait $a; wait $b; echo $a $b $?";
    assert_eq!(output_of(script), "3 4 7\n");
}

#[test]
fn a_fork_that_a_signal_interrupts_passes_over_no_number() {
    // Each one's end interrupts the next fork, if it comes in time.
    let script = "i=0; while [ $i -lt 500 ]; do (exit) & echo $!; i=$((i+1)); done";
    let numbers: Vec<u32> = output_of(script).lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(numbers, (3..503).collect::<Vec<_>>());
}

#[test]
fn orphans_become_children_of_number_1() {
    // The inner shell waits on the pipe until its parent is gone, and reads its own status without a child.
    let script = "mkfifo $0; sh -c \"(read x <$0; while read k v; do case \\$k in PPid:) echo \\$v;; esac; \
                  done </proc/self/status; echo end >$0) & exit\"; echo go >$0; read x <$0; rm $0";
    let fifo = std::env::temp_dir().join(format!("pidns-orphan-{}", std::process::id()));
    let output =
        Command::new("sh").args(["-c", script]).arg(&fifo).engine(Engine::Ptrace).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n");
}

#[test]
fn number_1_cannot_be_killed_from_inside() {
    assert_eq!(
        output_of("kill -9 1; echo $?; kill -TERM 1; kill -STOP 1; echo still"),
        "0\nstill\n"
    );
}

#[test]
fn proc_shows_the_namespace_with_its_numbers() {
    assert_eq!(output_of("cd /proc; echo [0-9]*; sh -c 'readlink /proc/self; :'"), "1 2\n4\n");
    assert_eq!(
        output_of("cat /proc/1/comm; exec grep -E '^(NSpid|PPid)' /proc/self/status"),
        "pidns-init\nPPid:\t1\nNSpid:\t2\n"
    );
    assert_eq!(output_of("cut -d' ' -f1,4 /proc/$$/stat"), "2 1\n");
    assert_eq!(output_of("test -e /proc/9999 || echo no"), "no\n");
    assert_eq!(output_of("ls /proc/self/task | wc -l"), "1\n");
}

#[test]
fn ps_shows_the_inside_only() {
    if !has("ps") {
        return;
    }
    let shown = output_of("exec ps -e -o pid= -o comm=");
    let shown: Vec<Vec<&str>> =
        shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(shown, [["1", "pidns-init"], ["2", "ps"]]);
}

#[test]
fn where_a_program_may_run_is_its_own_business() {
    // Whoever stops as often as this shares the tracer's cpu, and is not to notice, nor is its child.
    let script = "i=0; while [ $i -lt 200 ]; do cd /; i=$((i+1)); done; \
                  while read k v; do case $k in Cpus_allowed:) echo $v;; esac; done </proc/self/status; \
                  nproc; exec nproc";
    let host = std::process::Command::new("sh").args(["-c", script]).output().unwrap();
    assert_eq!(output_of(script), String::from_utf8_lossy(&host.stdout));
}

#[test]
fn nested_namespaces_begin_at_1_again() {
    if !has("unshare") {
        return;
    }
    assert_eq!(output_of("unshare --pid --fork sh -c 'echo $$ $PPID'"), "1 0\n");
    let deeper = "unshare --pid --fork sh -c 'unshare --pid --fork sh -c \"echo \\$\\$; grep NSpid /proc/1/status\"'";
    assert_eq!(output_of(deeper), "1\nNSpid:\t1\n");
}

#[test]
fn the_end_of_a_nested_init_ends_its_members_and_nobody_else() {
    if !has("unshare") {
        return;
    }
    let (nested, other) = (marked_sleep(1), marked_sleep(2));
    let script = format!(
        "{other} & o=$!; unshare --pid --fork sh -c '{nested} & setsid {nested} & exit 5'; echo $?; \
         cat /proc/[0-9]*/comm; kill $o; wait $o; echo $?"
    );
    assert_eq!(output_of(&script), "5\npidns-init\nsh\nsleep\n143\n");
}

#[test]
fn leftovers_of_every_kind_are_gone_when_wait_returns() {
    let sleep = marked_sleep(3);
    let kinds = [
        format!("{sleep} &"),
        format!("({sleep} &)"),
        format!("setsid {sleep} &"),
        format!("(trap '' TERM HUP INT; {sleep}) & :"),
        format!("{sleep} & kill -STOP $!"),
        format!("(setsid sh -c '{sleep} & {sleep} & {sleep}' &)"),
    ];
    for script in kinds {
        let status = inside(&script).status().unwrap();
        assert_eq!(status.code(), Some(0), "{script}");
        assert_eq!(survivors(&sleep), 0, "{script}");
    }
}

#[test]
fn killing_the_job_or_dropping_it_leaves_nothing() {
    let sleep = marked_sleep(4);
    let start = || inside(&format!("{sleep} & setsid {sleep} & {sleep}")).spawn().unwrap();
    let mut child = start();
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal().map(pidns::Signal::number), Some(9));
    assert_eq!(survivors(&sleep), 0);
    drop(start());
    assert_eq!(survivors(&sleep), 0);
}

#[test]
fn a_time_limit_ends_the_job() {
    let sleep = marked_sleep(5);
    let mut command = inside(&format!("{sleep} & {sleep}"));
    let mut child = command.timeout(Duration::from_millis(200)).spawn().unwrap();
    child.wait().unwrap();
    assert!(child.report().timed_out);
    assert_eq!(survivors(&sleep), 0);
}

#[test]
fn a_caller_that_is_killed_leaves_nothing() {
    let sleep = marked_sleep(6);
    let mut helper = support::helper("a_helper_runs_a_job_until_it_is_killed", &sleep);
    assert!(support::until(SOON, || survivors(&sleep) >= 3), "the job has started");
    helper.kill().unwrap();
    helper.wait().unwrap();
    assert!(gone_within(SOON, &sleep), "{} are left", survivors(&sleep));
}

/// Not a test: what [`a_caller_that_is_killed_leaves_nothing`] runs in a process of its own.
#[test]
fn a_helper_runs_a_job_until_it_is_killed() {
    let Some(sleep) = support::helper_argument() else { return };
    let mut child =
        inside(&format!("{sleep} & setsid {sleep} & ({sleep} &); wait")).spawn().unwrap();
    child.wait().unwrap();
}

#[test]
fn stop_and_continue_are_seen_by_the_parent() {
    if !has("bash") {
        return;
    }
    let script = "set -m; sleep 100 & kill -STOP %1; wait %1; echo $?; kill -CONT %1; kill %1; wait %1; echo $?";
    let output = Command::new("bash").args(["-c", script]).engine(Engine::Ptrace).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "147\n143\n");
}

#[test]
fn a_container_s_filter_is_no_obstacle() {
    if !has("unshare") {
        return;
    }
    let shown = place::behind_a_container_s_filter(|| {
        output_of("echo $$; unshare --pid --fork sh -c 'echo $$'")
    });
    assert_eq!(shown, "2\n1\n");
}

#[test]
fn threads_work_behind_a_container_s_filter() {
    if !has("python3") {
        return;
    }
    let script = "import threading\n\
                  ts = [threading.Thread(target=lambda: None) for _ in range(50)]\n\
                  [t.start() for t in ts]; [t.join() for t in ts]; print(threading.get_native_id())";
    let run = || {
        let output =
            Command::new("python3").args(["-c", script]).engine(Engine::Ptrace).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    assert!(!run().is_empty());
    assert!(!place::behind_a_container_s_filter(run).is_empty());
}

#[test]
fn all_the_same_where_namespaces_are_switched_off() {
    place::again_switched_off("all_the_same", &[]);
}

#[test]
fn all_the_same_behind_a_container_s_filter_without_privilege() {
    place::again_behind_a_container_s_filter("all_the_same", &[]);
}
