//! Jobs that are awaited.
#![cfg(feature = "tokio")]

use std::path::Path;
use std::time::{Duration, Instant};

use pidns::{Change, Command, Engine, PidNamespace, Signal, Stdio};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

const PLENTY: Duration = Duration::from_secs(20);

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null());
    command
}

/// A job whose shell has said that it is ready, which `script` has to do.
async fn ready(script: &str) -> pidns::tokio::Child {
    let mut job = shell(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn_async()
        .expect("it starts");
    let mut line = String::new();
    let stdout = job.stdout.as_mut().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).await.expect("it can be read");
    assert_eq!(line, "ready\n");
    job
}

#[tokio::test]
async fn a_status_is_awaited() {
    assert_eq!(shell("exit 7").status_async().await.expect("it runs").code(), Some(7));
    let killed = shell("kill -9 $$").status_async().await.expect("it runs");
    assert_eq!(killed.signal(), Some(Signal::KILL));
}

#[tokio::test]
async fn output_is_collected_and_what_is_left_behind_does_not_hold_it_up() {
    let mut command = shell("cat; echo out; echo err >&2; sleep 1000 & exit 3");
    let output = timeout(PLENTY, command.output_async()).await.expect("in time").expect("it runs");
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        (output.stdout.as_slice(), output.stderr.as_slice()),
        (&b"out\n"[..], &b"err\n"[..])
    );
}

#[tokio::test]
async fn much_passes_through_pipes_in_both_directions() {
    let mut job =
        shell("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn_async().expect("it starts");
    let bytes: Vec<u8> = (0..1_000_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let (mut stdin, mut stdout) =
        (job.stdin.take().expect("piped"), job.stdout.take().expect("piped"));
    let sent = bytes.clone();
    let writer = tokio::spawn(async move { stdin.write_all(&sent).await });
    let mut read = Vec::new();
    stdout.read_to_end(&mut read).await.expect("it can be read");
    writer.await.expect("it does not panic").expect("it can be written");
    assert!(read == bytes);
    assert!(job.wait().await.expect("it can be waited for").success());
}

#[tokio::test]
async fn a_wait_that_is_given_up_can_be_taken_up_again() {
    let mut job = ready("echo ready; read x; exit 5").await;
    // The first wait closes standard input otherwise.
    let stdin = job.stdin.take();
    for _ in 0..5 {
        assert!(timeout(Duration::from_millis(1), job.wait()).await.is_err());
    }
    assert_eq!(
        job.wait_timeout(Duration::from_millis(1)).await.expect("it can be waited for"),
        None
    );
    assert_eq!(job.try_wait().expect("it can be waited for"), None);
    drop(stdin);
    let status = timeout(PLENTY, job.wait()).await.expect("in time").expect("it can be waited for");
    assert_eq!(status.code(), Some(5));
    assert_eq!(job.wait().await.expect("it is known").code(), Some(5));
}

#[tokio::test]
async fn a_time_limit_and_its_report() {
    let mut job = Command::new("sleep")
        .arg("1000")
        .timeout(Duration::from_millis(20))
        .spawn_async()
        .expect("it starts");
    let status = timeout(PLENTY, job.wait()).await.expect("in time").expect("it can be waited for");
    assert_eq!((status.signal(), job.report().timed_out), (Some(Signal::KILL), true));
}

#[tokio::test]
async fn killing_leaves_nothing() {
    let mut job = ready("trap '' TERM HUP; setsid sleep 1000 & echo ready; read x").await;
    let namespace = job.namespace().expect("it is there");
    let all = namespace.tree().expect("it can be looked at");
    assert!(all.len() >= 3, "{all:?}");
    timeout(PLENTY, job.kill()).await.expect("in time").expect("it can be killed");
    for process in all {
        assert!(!Path::new(&format!("/proc/{}", process.pid)).exists(), "{process:?}");
    }
}

#[tokio::test]
async fn dropping_a_job_ends_it() {
    for engine in [Engine::Kernel, Engine::Ptrace, Engine::Subreaper] {
        let mut command = shell("trap '' TERM HUP; sleep 1000 & sleep 1000");
        let Ok(job) = command.engine(engine).spawn_async() else {
            println!("skipped: engine {} does not work here", engine.name());
            continue;
        };
        let namespace = job.namespace().expect("it is there");
        drop(job);
        let gone = timeout(PLENTY, namespace.wait_async()).await.expect("in time");
        gone.expect("it can be waited for");
    }
}

#[tokio::test]
async fn dropping_the_future_of_an_output_ends_its_job() {
    let mark = format!("1000.{}", std::process::id());
    let mut command = shell(&format!("sleep {mark}"));
    assert!(timeout(Duration::from_millis(50), command.output_async()).await.is_err());
    let start = Instant::now();
    while is_running(&mark) {
        assert!(start.elapsed() < PLENTY, "it is still there");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// True if some process has this word in its command line.
fn is_running(word: &str) -> bool {
    let all = std::fs::read_dir("/proc").expect("it is there").flatten();
    let mut lines = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.any(|line| line.split(|byte| *byte == 0).any(|part| part == word.as_bytes()))
}

#[test]
fn a_job_may_outlive_its_runtime() {
    let runtime = tokio::runtime::Runtime::new().expect("it can be made");
    let (namespace, job) = runtime.block_on(async {
        let job = shell("sleep 1000").spawn_async().expect("it starts");
        (job.namespace().expect("it is there"), job)
    });
    drop(runtime);
    drop(job);
    assert!(namespace.wait_timeout(Duration::ZERO).expect("it can be waited for"));
}

#[tokio::test]
async fn changes_are_awaited() {
    let mut job = ready("echo ready; kill -STOP $$; exit 4").await;
    let change = timeout(PLENTY, job.next_change()).await.expect("in time");
    assert_eq!(change.expect("it can be waited for"), Some(Change::Stopped(Signal::STOP)));
    job.signal(Signal::CONT).expect("it is there");
    loop {
        let change = timeout(PLENTY, job.next_change()).await.expect("in time");
        match change.expect("it can be waited for") {
            Some(Change::Continued) => {}
            Some(Change::Ended) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(job.next_change().await.expect("it is known"), None);
    assert_eq!(job.wait().await.expect("it can be waited for").code(), Some(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_jobs_run_at_once() {
    let jobs: Vec<_> = (0..50)
        .map(|n| tokio::spawn(async move { shell(&format!("exit {n}")).status_async().await }))
        .collect();
    for (n, job) in (0..).zip(jobs) {
        let status = timeout(PLENTY, job).await.expect("in time").expect("it does not panic");
        assert_eq!(status.expect("it runs").code(), Some(n));
    }
}

#[tokio::test]
async fn a_guest_is_awaited_and_a_namespace_too() {
    let mut job = ready("echo ready; read x").await;
    let namespace = job.namespace().expect("it is there");
    if namespace.engine() != Engine::Ptrace {
        let mut guest = namespace.spawn_async(&mut shell("exit 6")).expect("it can be entered");
        assert_eq!(guest.wait().await.expect("it can be waited for").code(), Some(6));
    }
    let by_pid = PidNamespace::of_process(job.init_pid()).expect("it is there");
    let waiting = tokio::spawn(async move { by_pid.wait_async().await });
    job.kill().await.expect("it can be killed");
    timeout(PLENTY, waiting)
        .await
        .expect("in time")
        .expect("no panic")
        .expect("it can be waited for");
}
