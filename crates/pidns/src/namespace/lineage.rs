//! The descendants of a process, by the lists of children in /proc: costs what they are, not what the machine has.

use std::collections::BTreeSet;
use std::fs;
use std::io;

/// All processes below `root`, which may change while we look: orphans turn up below `root`, so its children are read
/// again until nothing new is there.
pub(super) fn descendants(root: u32) -> io::Result<Vec<u32>> {
    let mut found = BTreeSet::new();
    loop {
        let mut new: Vec<u32> =
            children(root)?.into_iter().filter(|pid| !found.contains(pid)).collect();
        if new.is_empty() {
            return Ok(found.into_iter().collect());
        }
        while let Some(pid) = new.pop() {
            if found.insert(pid) {
                // One that has ended meanwhile has none.
                new.extend(children(pid).unwrap_or_default());
            }
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
