//! Where an engine is known to differ: the cases that it does not play as stated, and why.
//!
//! [`crate::table`] holds a run against this: a case here has to differ, every other one to pass. `pidns-conformance
//! differences` prints it by row, for `docs/divergences.md`.

use crate::host::place;
use crate::script::case::Case;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Worlds whose names begin with this are those of the ptrace engine.
const PTRACE: &str = place::HERE;

/// Cases of a common reason.
#[derive(Debug)]
struct Difference {
    why: &'static str,
    cases: &'static [&'static str],
}

/// The ptrace engine's.
const OF_PTRACE: &[Difference] = &[
    Difference {
        why: "guests cannot trace: a task has one tracer, and that is ours",
        cases: &[
            "the target of a tracer is named in its own namespace",
            "a member may trace the init, with the rights to do so",
            "a member traced from outside stays a zombie until its tracer has waited",
            "a member traced from outside is let go when its tracer ends",
            "an init traced by a third process is reaped by that one first",
            "an init that traces its own child ends all the same",
            "a member that traces another, and both are killed",
            "an orphan that is traced is reaped by the init after its tracer",
        ],
    },
    Difference {
        why: "an init is held before its memory goes, so its vfork parent goes on after the zap",
        cases: &["the parent of a vforked init goes on before the namespace is gone"],
    },
    Difference {
        why: "an orphan is the tracer's child to the host, so its new parent cannot `setpgid` it",
        cases: &["a group keeps the number of its dead leader"],
    },
    Difference {
        why: "two SIGCHLD come where Linux merges them",
        cases: &["an orphan with another exit signal becomes an ordinary child"],
    },
    Difference {
        why: "an orphan's group may count as orphaned",
        cases: &["a group whose member has its parent, an init, in the session is not orphaned"],
    },
    Difference {
        why: "a pidfd of somebody reaped gives `ESRCH`, also where it was never visible",
        cases: &["a pidfd of somebody reaped is still invisible"],
    },
];

/// Its own where a container's filter answers first.
const OF_A_FILTER: &[Difference] = &[Difference {
    why: "only behind a container's filter: `setns` of another type than PID has that filter's answer",
    cases: &["the kind of namespace has to match"],
}];

fn of(world: &str) -> impl Iterator<Item = &'static Difference> {
    let own = if world.starts_with(PTRACE) { OF_PTRACE } else { &[] };
    let filter = if world == place::FILTERED { OF_A_FILTER } else { &[] };
    own.iter().chain(filter)
}

/// Why `world` plays `case` differently, if it is known to.
#[must_use]
pub fn reason(world: &str, case: &Case) -> Option<&'static str> {
    let known = |difference: &&Difference| difference.cases.contains(&case.name.as_str());
    of(world).find(known).map(|difference| difference.why)
}

/// The rows that `world` does not pass, with the reasons: lines of a table in Markdown.
#[must_use]
pub fn page(world: &str, cases: &[Case]) -> String {
    let mut rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for case in cases {
        let Some(why) = reason(world, case) else { continue };
        for row in &case.rows {
            let reasons = rows.entry(row).or_default();
            if !reasons.contains(&why) {
                reasons.push(why);
            }
        }
    }
    let mut by_reason: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (row, reasons) in rows {
        by_reason.entry(reasons.join("; ")).or_default().push(row);
    }
    let mut lines: Vec<_> = by_reason.into_iter().collect();
    lines.sort_by(|left, right| left.1.cmp(&right.1));
    let mut text = String::new();
    for (why, rows) in lines {
        let _ = writeln!(text, "| {} | {why} |", rows.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;

    #[test]
    fn every_difference_is_of_a_case() {
        let cases = cases::all().unwrap();
        for name in of(place::FILTERED).flat_map(|difference| difference.cases) {
            assert_eq!(cases.iter().filter(|case| case.name == *name).count(), 1, "{name}");
        }
    }

    #[test]
    fn the_page_on_divergences_shows_them() {
        let page = page(place::FILTERED, &cases::all().unwrap());
        let shown = include_str!("../../docs/divergences.md");
        assert!(shown.contains(&page), "docs/divergences.md should have these lines:\n{page}");
    }
}
