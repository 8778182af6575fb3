//! The descendants of a process, by the lists of children in /proc: costs what they are, not what the machine has.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use super::process;

/// All processes below `root`, which may change while we look: orphans turn up below `root`, so its children are read
/// again until nothing new is there. Whoever is started meanwhile is passed over: a storm of forks has no last one.
pub(super) fn descendants(root: u32) -> io::Result<Vec<u32>> {
    let now = process::uptime()?;
    let was_there = |pid| process::start_of(pid).is_some_and(|start| process::ticks(start) <= now);
    let mut found = BTreeSet::new();
    let mut new = vec![root];
    loop {
        while let Some(pid) = new.pop() {
            // One that has ended meanwhile has none.
            new.extend(children(pid).unwrap_or_default().into_iter().filter(|child| {
                !found.contains(child) && was_there(*child) && found.insert(*child)
            }));
        }
        new = children(root)?;
        new.retain(|pid| !found.contains(pid) && was_there(*pid));
        found.extend(&new);
        if new.is_empty() {
            return Ok(found.into_iter().collect());
        }
    }
}

/// The children of all threads of `pid`. See proc_pid_task(5), `children`.
pub(super) fn children(pid: u32) -> io::Result<Vec<u32>> {
    let mut all = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(text) = fs::read_to_string(task?.path().join("children")) else { continue };
        all.extend(text.split_ascii_whitespace().filter_map(|word| word.parse::<u32>().ok()));
    }
    Ok(all)
}
