//! A server of jobs: one runtime, as many jobs as are asked for, each under a name that `pidns ps`, `exec`, `kill` and
//! `wait` know too. When the server ends, in whatever way, so do its jobs.
//!
//! ```text
//! cargo run --features tokio --example job_server
//! start build make -j4        -> started build 4711
//! list                        -> build 4711 make -j4
//! kill build                  -> ended build killed by SIGKILL
//! ```
//!
//! Requests are lines of standard input, answers and ends lines of standard output. The end of the input is that of all.

use std::collections::BTreeMap;
use std::io;

use pidns::{Command, Stdio};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// A job as the server knows it; a task of its own waits for it.
struct Job {
    init: u32,
    command: String,
    /// Asks the task to kill it.
    kill: Option<oneshot::Sender<()>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut requests = BufReader::new(tokio::io::stdin()).lines();
    let (ends, mut ended) = mpsc::unbounded_channel();
    let mut jobs = BTreeMap::new();
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            request = requests.next_line() => match request? {
                Some(line) => println!("{}", answer(&line, &mut jobs, &mut tasks, &ends)),
                None => break,
            },
            Some((name, status)) = ended.recv() => {
                jobs.remove(&name);
                println!("ended {name} {status}");
            }
        }
    }
    // Dropping a task drops its job, and that kills all of it.
    tasks.shutdown().await;
    Ok(())
}

type Ends = mpsc::UnboundedSender<(String, String)>;

fn answer(
    line: &str,
    jobs: &mut BTreeMap<String, Job>,
    tasks: &mut JoinSet<()>,
    ends: &Ends,
) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["start", name, program, args @ ..] => match start(name, program, args, tasks, ends) {
            Ok(job) => {
                let answer = format!("started {name} {}", job.init);
                jobs.insert((*name).to_owned(), job);
                answer
            }
            Err(error) => format!("failed {name} {error}"),
        },
        ["list"] => {
            let line =
                |(name, job): (&String, &Job)| format!("{name} {} {}", job.init, job.command);
            let lines: Vec<String> = jobs.iter().map(line).collect();
            if lines.is_empty() { "none".to_owned() } else { lines.join("\n") }
        }
        ["kill", name] => match jobs.get_mut(*name).and_then(|job| job.kill.take()) {
            // The answer is its end.
            Some(kill) => kill.send(()).map_or("gone".to_owned(), |()| format!("killing {name}")),
            None => format!("failed {name} no such job"),
        },
        _ => "failed requests are: start NAME PROGRAM ARG..., list, kill NAME".to_owned(),
    }
}

fn start(
    name: &str,
    program: &str,
    args: &[&str],
    tasks: &mut JoinSet<()>,
    ends: &Ends,
) -> io::Result<Job> {
    let mut job = Command::new(program)
        .args(args)
        .name(name)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn_async()?;
    let init = job.init_pid();
    let (kill, mut killed) = oneshot::channel();
    let (name, ends) = (name.to_owned(), ends.clone());
    tasks.spawn(async move {
        let waited = tokio::select! {
            status = job.wait() => status,
            // A dropped sender is no request.
            Ok(()) = &mut killed => match job.start_kill() {
                Ok(()) => job.wait().await,
                Err(error) => Err(error),
            },
        };
        let status = waited.map_or_else(|error| error.to_string(), |status| status.to_string());
        // Nobody listens any more once the server is about to end.
        let _ = ends.send((name, status));
    });
    let command = [&[program], args].concat().join(" ");
    Ok(Job { init, command, kill: Some(kill) })
}
