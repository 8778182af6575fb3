//! How much memory the processes that stay around a command hold.

use std::fs;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::measure;
use crate::tools::{self, Programs};

/// Tells the resident and the private memory of supervisors and of inits, ours and others'.
pub(super) fn compare(programs: &Programs) -> Result<()> {
    let pause = programs.path("pause");
    for (name, program) in tools::pidns() {
        let line = [program.as_str(), "run", "--engine", "kernel", "--", &pause];
        with_running(&line, |supervisor| {
            tell(&format!("memory.{name}_supervisor"), supervisor)?;
            tell(&format!("memory.{name}_init"), child_of(supervisor)?)
        })?;
    }
    for (name, program, options) in
        [("tini", "tini", "-s"), ("dumb_init", "dumb-init", ""), ("catatonit", "catatonit", "")]
    {
        let Some(program) = tools::installed(program) else { continue };
        let mut line = vec![program.as_str()];
        line.extend(options.split_ascii_whitespace());
        line.extend(["--", &pause]);
        with_running(&line, |init| tell(&format!("memory.{name}"), init))?;
    }
    Ok(())
}

fn with_running(line: &[&str], look: impl FnOnce(u32) -> Result<()>) -> Result<()> {
    let mut child = Command::new(line[0]).args(&line[1..]).stdin(Stdio::null()).spawn()?;
    let looked = until_pause_runs(&mut child).and_then(|()| look(child.id()));
    // Every one of these ends its command when it is told to; `pause` dies of SIGTERM.
    Command::new("kill").arg(child.id().to_string()).status()?;
    child.wait()?;
    looked
}

/// Waits until `pause` runs somewhere below `child`: all is in its final state then.
fn until_pause_runs(child: &mut Child) -> Result<()> {
    loop {
        ensure!(child.try_wait()?.is_none(), "it ended too soon");
        let mut pid = child.id();
        while let Ok(next) = child_of(pid) {
            pid = next;
        }
        if fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == "pause")
        {
            return Ok(());
        }
        std::thread::yield_now();
    }
}

fn child_of(pid: u32) -> Result<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let first = text.split_ascii_whitespace().next().context("it has no child")?;
    Ok(first.parse()?)
}

fn tell(name: &str, pid: u32) -> Result<()> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let field = |field: &str| -> Result<u64> {
        let line = rollup
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .context("smaps_rollup lacks a field")?;
        Ok(line.split_ascii_whitespace().next().context("an empty field")?.parse()?)
    };
    measure::tell(&format!("{name}_rss_kb"), field("Rss:")?, "kB");
    measure::tell(
        &format!("{name}_private_kb"),
        field("Private_Clean:")? + field("Private_Dirty:")?,
        "kB",
    );
    Ok(())
}
