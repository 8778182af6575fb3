//! Plays jobs one after the other, and counts.

use std::os::unix::process::CommandExt;
use std::process::{Child, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

use super::job::{Action, Job};
use super::tally::Tally;
use super::witness::Witnesses;
use crate::leak;
use crate::mark::{self, Mark};
use crate::tools::{Role, Tool};

/// How long a job may take to end, and all to be gone after it, before that is a fault.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(time: Duration, seed: u64, engines: &str) -> Result<ExitCode> {
    let start = Instant::now();
    mark::adopt()?;
    let mut worker = Worker::new(seed, engines)?;
    while start.elapsed() < time {
        worker.play()?;
    }
    print!("{}", worker.tally);
    Ok(ExitCode::SUCCESS)
}

struct Worker {
    random: fastrand::Rng,
    leak: String,
    engines: Vec<Tool>,
    witnesses: Witnesses,
    tally: Tally,
}

impl Worker {
    fn new(seed: u64, engines: &str) -> Result<Self> {
        let leak = leak::compiled()?;
        let wanted: Vec<&str> = engines.split(',').collect();
        let mut engines: Vec<Tool> = Tool::engines()?;
        engines.retain(|tool| wanted.contains(&tool.engine()));
        ensure!(!engines.is_empty(), "no engine works here");
        let witnesses = Witnesses::start(&leak)?;
        let random = fastrand::Rng::with_seed(seed);
        Ok(Self { random, leak, engines, witnesses, tally: Tally::default() })
    }

    /// Plays one job to its end.
    fn play(&mut self) -> Result<()> {
        let engine = self.engines[self.random.usize(..self.engines.len())].clone();
        let job = Job::random(&mut self.random, engine.may_trace());
        let mark = Mark::new();
        self.witnesses.pass()?;
        let mut child = start(&engine, &job, &self.leak, &mark)?;
        thread::sleep(job.delay);
        let acted = act(&engine, &job, &mut child, &mut self.random)?;
        let ended = wait(&mut child)?;
        self.tally.job(engine.engine());
        self.tally.kills += u64::from(acted.is_some() && job.action != Action::Leave);
        self.check_end(&engine, &job, ended);
        self.check_survivors(&engine, &job, acted, &mark);
        let seen = self.witnesses.look()?;
        self.tally.outsiders += seen.passed;
        if seen.hit > 0 {
            self.tally.outsiders_hit += seen.hit;
            eprintln!("chaos: {} outsiders hit: {} {job:?}", seen.hit, engine.name);
        }
        Ok(())
    }

    fn check_end(&mut self, engine: &Tool, job: &Job, ended: Option<ExitStatus>) {
        if ended.is_none_or(|status| !job.allows(status)) {
            self.tally.wrong_statuses += 1;
            eprintln!("chaos: wrong end {ended:?}: {} {job:?}", engine.name);
        }
    }

    /// All have to be gone: at once, or soon where nobody is there any more to wait for them.
    fn check_survivors(&mut self, engine: &Tool, job: &Job, acted: Option<Instant>, mark: &Mark) {
        let start = acted.unwrap_or_else(Instant::now);
        let mut left = mark.processes();
        while !left.is_empty() && !job.is_waited_for() && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
            left = mark.processes();
        }
        if left.is_empty() {
            if !job.is_waited_for() {
                self.tally.gone_after(start.elapsed());
            }
            return;
        }
        self.tally.survivors += u64::try_from(left.len()).unwrap_or(u64::MAX);
        let names: Vec<_> = left.iter().filter_map(|pid| Some((*pid, mark::name(*pid)?))).collect();
        eprintln!("chaos: survivors {names:?}: {} {job:?}", engine.name);
    }
}

fn start(engine: &Tool, job: &Job, leak: &str, mark: &Mark) -> Result<Child> {
    let (key, value) = mark.env();
    let mut command = engine.command_with(&job.options, &[leak, &job.leak, &job.end]);
    // A group of its own, to be killed as a whole.
    command.process_group(0).env(key, value).stdout(Stdio::null());
    command.spawn().context(engine.name)
}

/// Does to the job what is to be done, and says when; `None` if there was nobody to do it to.
fn act(
    engine: &Tool,
    job: &Job,
    child: &mut Child,
    random: &mut fastrand::Rng,
) -> Result<Option<Instant>> {
    if child.try_wait()?.is_some() {
        return Ok(None);
    }
    let supervisor = Pid::from_child(child);
    match job.action {
        Action::Leave => return Ok(None),
        Action::KillGroup => kill_process_group(supervisor, Signal::KILL)?,
        Action::Terminate => rustix::process::kill_process(supervisor, Signal::TERM)?,
        Action::Kill(Role::Supervisor) => child.kill()?,
        Action::Kill(role) => {
            if !kill_found(child, |everybody| engine.find(role, child.id(), everybody)) {
                return Ok(None);
            }
        }
        Action::KillMember => {
            let mut choose = |members: &[u32]| random.choice(members).copied();
            if !kill_found(child, |everybody| choose(&members(everybody))) {
                return Ok(None);
            }
        }
    }
    Ok(Some(Instant::now()))
}

/// The processes of the command.
fn members(everybody: &[u32]) -> Vec<u32> {
    let is_member = |pid: &u32| mark::name(*pid).is_some_and(|name| name == "leak");
    everybody.iter().copied().filter(is_member).collect()
}

/// Kills the descendant of `child` that `choose` chooses, as soon as there is one; says whether there was.
fn kill_found(child: &Child, mut choose: impl FnMut(&[u32]) -> Option<u32>) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(200) {
        let everybody = mark::descendants(child.id());
        let chosen = choose(&everybody).and_then(|pid| Pid::from_raw(pid.cast_signed()));
        // Still the same if it is still a descendant now that it is held.
        let held = chosen.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        if let (Some(chosen), Some(held)) = (chosen, held) {
            let raw = chosen.as_raw_nonzero().get().unsigned_abs();
            if mark::descendants(child.id()).contains(&raw)
                && pidfd_send_signal(held, Signal::KILL).is_ok()
            {
                return true;
            }
        }
        thread::sleep(Duration::from_micros(200));
    }
    false
}

/// Waits for the end; one that does not come is made.
fn wait(child: &mut Child) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_micros(500));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}
