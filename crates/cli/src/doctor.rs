//! `pidns doctor`: what works here, for people and as JSON.

use std::fmt::Write as _;

use pidns::probe::{Attempt, Diagnosis, Facts, Remedy, Verdict};
use pidns::{Engine, SpawnError};
use serde::Serialize;

use crate::args::Doctor;
use crate::exit::{self, Failure};
use crate::text;

/// All of it, as JSON.
#[derive(Serialize)]
struct Json<'a> {
    version: &'static str,
    auto: Option<&'static str>,
    engines: Vec<JsonEngine>,
    facts: &'a Facts,
}

#[derive(Serialize)]
struct JsonEngine {
    engine: &'static str,
    state: &'static str,
    stage: Option<pidns::Stage>,
    errno: Option<i32>,
    error: Option<String>,
    cause: Option<&'static str>,
    why: Option<String>,
    remedies: Vec<Remedy>,
}

/// Looks, and says what it has found.
pub(crate) fn doctor(args: &Doctor) -> Result<u8, Failure> {
    let facts = Facts::collect();
    let diagnosis = facts.diagnose();
    let answer = if args.json { json(&facts, &diagnosis) } else { words(&facts, &diagnosis) };
    text::print(&answer)?;
    Ok(if diagnosis.auto().is_some() { 0 } else { exit::FAILED })
}

fn json(facts: &Facts, diagnosis: &Diagnosis) -> String {
    let json = Json {
        version: env!("CARGO_PKG_VERSION"),
        auto: diagnosis.auto().map(Engine::name),
        engines: diagnosis.verdicts.iter().map(json_engine).collect(),
        facts,
    };
    text::json(&json)
}

fn json_engine(verdict: &Verdict) -> JsonEngine {
    let trouble = verdict.trouble();
    let error = trouble.map(|(error, _)| error);
    let cause = trouble.map(|(_, cause)| cause);
    JsonEngine {
        engine: verdict.engine().name(),
        state: state(verdict),
        stage: error.map(|error| error.stage()),
        errno: error.map(|error| error.errno()),
        error: error.map(|error| error.to_string()),
        cause: cause.map(pidns::probe::Cause::id),
        why: cause.map(ToString::to_string),
        remedies: cause.map(pidns::probe::Cause::remedies).unwrap_or_default(),
    }
}

fn state(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Works(_) => "works",
        Verdict::Limited { .. } => "limited",
        Verdict::Refused { .. } => "refused",
    }
}

fn words(facts: &Facts, diagnosis: &Diagnosis) -> String {
    let host = &facts.host;
    let mut out = format!(
        "pidns {} on Linux {} ({}), user {}\n\nEngines, the best first:\n",
        env!("CARGO_PKG_VERSION"),
        host.kernel,
        host.machine,
        facts.caller.uid
    );
    for verdict in &diagnosis.verdicts {
        engine(&mut out, verdict);
    }
    let _ = match diagnosis.auto() {
        Some(engine) => writeln!(out, "\n`pidns run` takes {}.", engine.name()),
        None => writeln!(out, "\n`pidns run` cannot run anything here."),
    };
    out.push_str("\nGood to know:\n");
    for (what, value) in good_to_know(facts) {
        let _ = writeln!(out, "  {what:<18} {value}");
    }
    out
}

fn engine(out: &mut String, verdict: &Verdict) {
    let name = verdict.engine().name();
    let _ = match verdict {
        Verdict::Works(_) => writeln!(out, "  {name:<10} works"),
        Verdict::Limited { error, .. } => {
            writeln!(out, "  {name:<10} works, but without a fresh /proc: {}", numbered(*error))
        }
        Verdict::Refused { error, .. } => {
            writeln!(out, "  {name:<10} does not work: {}", numbered(*error))
        }
    };
    let Some((_, cause)) = verdict.trouble() else { return };
    let _ = writeln!(out, "{:13}why: {cause}", "");
    for Remedy { what, how } in cause.remedies() {
        let how = how.map(|how| format!(": {how}")).unwrap_or_default();
        let _ = writeln!(out, "{:13}fix: {what}{how}", "");
    }
}

fn numbered(error: SpawnError) -> String {
    format!("{error} (errno {})", error.errno())
}

fn good_to_know(facts: &Facts) -> Vec<(&'static str, String)> {
    let caller = &facts.caller;
    let filter = match (caller.seccomp, caller.seccomp_filters) {
        (Some(0), _) => "none".to_owned(),
        (Some(2), Some(count)) => format!("{count} in force"),
        (Some(_), _) => "in force".to_owned(),
        (None, _) => UNKNOWN.to_owned(),
    };
    let cgroup = match (&facts.host.cgroup, facts.host.cgroup_writable) {
        (Some(path), true) => format!("{path}, writable"),
        (Some(path), false) => format!("{path}, not writable"),
        (None, _) => "none to be seen".to_owned(),
    };
    vec![
        ("user namespaces", user_namespaces(facts)),
        ("/proc", proc(facts)),
        ("seccomp filters", filter),
        ("no_new_privs", caller.no_new_privs.map_or(UNKNOWN, on_off).to_owned()),
        ("ptrace scope", scope(facts.sysctls.ptrace_scope).to_owned()),
        ("label", caller.label.clone().unwrap_or_else(|| "none".to_owned())),
        ("container", facts.host.container.clone().unwrap_or_else(|| "none noticed".to_owned())),
        ("cgroup2", cgroup),
        ("cgroup.kill", facts.host.cgroup_kill.map_or(UNKNOWN, yes_no).to_owned()),
        ("terminal", yes_no(caller.terminal).to_owned()),
    ]
}

const UNKNOWN: &str = "not known";

fn user_namespaces(facts: &Facts) -> String {
    match facts.clones.user {
        Attempt::Worked => "can be made".to_owned(),
        Attempt::NotMade if facts.caller.sys_admin => {
            "not needed: CAP_SYS_ADMIN is there".to_owned()
        }
        Attempt::NotMade => UNKNOWN.to_owned(),
        Attempt::Failed(errno) => {
            let error = std::io::Error::from_raw_os_error(errno);
            format!("cannot be made: {} (errno {errno})", text::without_number(&error))
        }
    }
}

fn proc(facts: &Facts) -> String {
    match &facts.proc {
        proc if !proc.mounted => "not mounted".to_owned(),
        proc if !proc.own => "shows another PID namespace".to_owned(),
        proc if proc.covered.is_empty() => "mounted, all of it".to_owned(),
        proc => format!("mounted, covered or read-only: {}", proc.covered.join(" ")),
    }
}

fn scope(scope: Option<u64>) -> &'static str {
    match scope {
        None => "no Yama here",
        Some(0) => "0: all of the same user",
        Some(1) => "1: descendants",
        Some(2) => "2: with CAP_SYS_PTRACE",
        Some(_) => "3: nobody",
    }
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
