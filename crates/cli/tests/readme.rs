//! README's examples do what they show.
#![forbid(unsafe_code)]

mod support;

use pidns_testkit::{eventually, find};
use support::run;

/// A command line of an example, and what it is shown to print.
struct Example {
    line: String,
    shown: Vec<String>,
}

/// The commands in the console blocks of `text`.
fn examples(text: &str) -> Vec<Example> {
    let mut all: Vec<Example> = Vec::new();
    let mut in_console = false;
    for line in text.lines() {
        match (line.strip_prefix("```"), line.strip_prefix("$ ")) {
            (Some(kind), _) => in_console = kind == "console",
            (None, Some(line)) if in_console => {
                all.push(Example { line: line.to_owned(), shown: Vec::new() });
            }
            (None, None) if in_console => {
                all.last_mut().expect("a command comes first").shown.push(line.to_owned());
            }
            _ => {}
        }
    }
    all
}

/// `line` without what is different each time: numbers of processes, and times.
fn without_chance(line: &str) -> String {
    let words = line.split(' ').collect::<Vec<_>>();
    let mut plain = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let before = index.checked_sub(1).map_or("", |before| words[before]);
        let after = words.get(index + 1).copied().unwrap_or_default();
        let is_chance = ["number", "(process", "process"].contains(&before)
            || ["us", "ms", "s"].iter().any(|unit| after.trim_end_matches(',') == *unit);
        plain.push(match word.trim_matches(|c: char| !c.is_ascii_digit()).parse::<f64>() {
            Ok(_) if is_chance => word.replace(|c: char| c.is_ascii_digit() || c == '.', ""),
            _ if ["us", "ms", "s"].contains(word) => "time".to_owned(),
            _ => (*word).to_owned(),
        });
    }
    plain.join(" ")
}

#[test]
fn the_examples_print_what_they_are_shown_to_print() {
    let Some(_) = find("pgrep") else { return };
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md"));
    let examples = examples(&readme.unwrap());
    assert!(!examples.is_empty());
    for Example { line, shown } in examples {
        let plain = |lines: Vec<&str>| lines.into_iter().map(without_chance).collect::<Vec<_>>();
        let shown = plain(shown.iter().map(String::as_str).collect());
        let mut printed = String::new();
        // On a busy machine, what was left behind may still be on its way to its program.
        eventually(&format!("{line} prints {shown:?}"), || {
            // In a namespace, so that nobody else's processes are seen.
            let mut command = run(["--engine", "kernel", "--", "sh", "-c"]);
            let output = command.arg(format!("exec 2>&1; {line}")).output().unwrap();
            printed = support::text(&output.stdout);
            plain(printed.lines().collect()) == shown
        });
    }
}
