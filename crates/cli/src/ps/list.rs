//! All namespaces, a line each.

use std::fmt::Write as _;

use pidns::Summary;
use serde::Serialize;

use crate::text;

/// A namespace, as JSON. Times are in seconds.
#[derive(Serialize)]
pub(super) struct Json<'a> {
    init_pid: u32,
    name: Option<&'a str>,
    engine: &'static str,
    level: u32,
    parent: Option<u32>,
    uid: u32,
    age: f64,
    processes: usize,
    command: Vec<String>,
}

pub(super) fn json(all: &[Summary]) -> Vec<Json<'_>> {
    all.iter().map(Json::new).collect()
}

impl<'a> Json<'a> {
    fn new(summary: &'a Summary) -> Self {
        Self {
            init_pid: summary.init_pid,
            name: summary.name.as_deref(),
            engine: summary.engine.name(),
            level: summary.level,
            parent: summary.parent,
            uid: summary.uid,
            age: summary.age.as_secs_f64(),
            processes: summary.processes,
            command: text::lossy(&summary.command),
        }
    }
}

/// A table, those that are nested below those that they are in.
pub(super) fn text(all: &[Summary]) -> String {
    if all.is_empty() {
        return "no PID namespaces below this one\n".to_owned();
    }
    let name = |summary: &Summary| summary.name.clone().unwrap_or_else(|| "-".to_owned());
    let width = all.iter().map(|summary| name(summary).chars().count()).max().unwrap_or(0).max(4);
    let mut out = format!(
        "{:>8}  {:<9}  {:<width$}  {:>5}  {:>5}  {:>12}  {:>5}  COMMAND\n",
        "INIT", "ENGINE", "NAME", "LEVEL", "UID", "AGE", "PROCS"
    );
    for summary in all {
        let _ = writeln!(
            out,
            "{:>8}  {:<9}  {:<width$}  {:>5}  {:>5}  {:>12}  {:>5}  {}",
            summary.init_pid,
            summary.engine.name(),
            name(summary),
            summary.level,
            summary.uid,
            text::human(summary.age),
            summary.processes,
            text::words(&summary.command)
        );
    }
    out
}
