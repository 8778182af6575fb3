//! The processes in one namespace, as a tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use pidns::{PidNamespace, Process};
use serde::Serialize;

use crate::text;

/// A namespace with its processes, as JSON. Times are in seconds.
#[derive(Serialize)]
pub(super) struct Json<'a> {
    init_pid: u32,
    name: Option<&'a str>,
    engine: &'static str,
    processes: Vec<JsonProcess>,
}

#[derive(Serialize)]
struct JsonProcess {
    pid: u32,
    number: Option<u32>,
    ppid: u32,
    state: char,
    age: f64,
    command: Vec<String>,
}

pub(super) fn json<'a>(namespace: &'a PidNamespace, processes: &[Process]) -> Json<'a> {
    Json {
        init_pid: namespace.init_pid(),
        name: namespace.name(),
        engine: namespace.engine().name(),
        processes: processes.iter().map(json_process).collect(),
    }
}

fn json_process(process: &Process) -> JsonProcess {
    JsonProcess {
        pid: process.pid,
        number: process.number,
        ppid: process.ppid,
        state: process.state,
        age: process.age.as_secs_f64(),
        command: text::lossy(&process.command),
    }
}

pub(super) fn text(namespace: &PidNamespace, processes: &[Process]) -> String {
    let name = namespace.name().map(|name| format!("{name}: ")).unwrap_or_default();
    let mut out = format!(
        "{name}engine {}, number 1 is process {}, {} in all\n",
        namespace.engine().name(),
        namespace.init_pid(),
        processes.len()
    );
    let _ = writeln!(out, "{:>8}  {:>7}  S  {:>12}  COMMAND", "PID", "NUMBER", "AGE");
    let pids: BTreeSet<u32> = processes.iter().map(|process| process.pid).collect();
    let mut children: Children<'_> = BTreeMap::new();
    for process in processes.iter().filter(|process| pids.contains(&process.ppid)) {
        children.entry(process.ppid).or_default().push(process);
    }
    // Number 1, and those whose parents are outside because somebody has put them in.
    for root in processes.iter().filter(|process| !pids.contains(&process.ppid)) {
        line(&mut out, root, "");
        below(&mut out, root, &children);
    }
    out
}

/// Processes by the number of their parent.
type Children<'a> = BTreeMap<u32, Vec<&'a Process>>;

/// What is deeper is drawn no deeper.
const DEEPEST: usize = 40;

/// What stands before a process that has younger siblings, or has none, and before those below it.
const BRANCH: [&str; 2] = ["├─ ", "└─ "];
const TRUNK: [&str; 2] = ["│  ", "   "];

/// Those below `root`, each followed by its own children. Not by recursion: whoever is looked at decides how deep it goes.
fn below(out: &mut String, root: &Process, children: &Children<'_>) {
    let of = |process: &Process| {
        children.get(&process.pid).map(Vec::as_slice).unwrap_or_default().iter()
    };
    // The siblings that are still to come, at each generation; and what stands before each of those.
    let mut generations = vec![of(root)];
    let mut trunks: Vec<&str> = Vec::new();
    while let Some(siblings) = generations.last_mut() {
        let Some(process) = siblings.next() else {
            generations.pop();
            trunks.pop();
            continue;
        };
        let is_last = usize::from(siblings.len() == 0);
        let indent: String = trunks.iter().take(DEEPEST).copied().collect();
        line(out, process, &format!("{indent}{}", BRANCH[is_last]));
        trunks.push(TRUNK[is_last]);
        generations.push(of(process));
    }
}

fn line(out: &mut String, process: &Process, branch: &str) {
    let number = process.number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let _ = writeln!(
        out,
        "{:>8}  {number:>7}  {}  {:>12}  {branch}{}",
        process.pid,
        process.state,
        text::human(process.age),
        text::words(&process.command)
    );
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The lines below process 1, of processes and their parents.
    fn drawn(processes: impl IntoIterator<Item = (u32, u32)>) -> Vec<String> {
        let all: Vec<Process> = processes.into_iter().map(process).collect();
        let mut children: Children<'_> = BTreeMap::new();
        for one in &all {
            children.entry(one.ppid).or_default().push(one);
        }
        let mut out = String::new();
        below(&mut out, &process((1, 0)), &children);
        // After the last column before it, the age.
        let tree = |line: &str| line.split_once(" us  ").map(|(_, tree)| tree.to_owned());
        out.lines().filter_map(tree).collect()
    }

    fn process((pid, ppid): (u32, u32)) -> Process {
        let command = vec![format!("c{pid}").into()];
        Process { pid, number: Some(pid), ppid, command, state: 'S', age: Duration::ZERO }
    }

    #[test]
    fn each_is_followed_by_its_own_children() {
        let lines = drawn([(2, 1), (3, 1), (4, 2), (5, 4), (6, 2), (7, 3)]);
        let tree = ["├─ c2", "│  ├─ c4", "│  │  └─ c5", "│  └─ c6", "└─ c3", "   └─ c7"];
        assert_eq!(lines, tree);
    }

    #[test]
    fn a_chain_of_any_length_is_drawn() {
        let lines = drawn((2..100_000).map(|pid| (pid, pid - 1)));
        assert_eq!(lines.len(), 99_998);
        assert_eq!(lines[99_997], format!("{}└─ c99999", " ".repeat(3 * DEEPEST)));
    }
}
