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
        below(&mut out, root, &children, "");
    }
    out
}

/// Processes by the number of their parent.
type Children<'a> = BTreeMap<u32, Vec<&'a Process>>;

/// What is deeper is drawn no deeper.
const DEEPEST: usize = 40 * 3;

/// The children of `parent`, each with its own.
fn below(out: &mut String, parent: &Process, children: &Children<'_>, indent: &str) {
    let own = children.get(&parent.pid).map(Vec::as_slice).unwrap_or_default();
    for (at, child) in own.iter().enumerate() {
        let (branch, trunk) =
            if at + 1 == own.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        line(out, child, &format!("{indent}{branch}"));
        if indent.chars().count() < DEEPEST {
            below(out, child, children, &format!("{indent}{trunk}"));
        } else {
            below(out, child, children, indent);
        }
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
