//! Which file of the model has the rule of a row, and which case and which test show it.
//!
//! Read from the sources: a row is named in comments of the model (`// CRE-06`, `// CRE-17..20`), above its tests, and in the
//! cases. The page is `docs/linux-rules.md`.

use crate::cases;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is known of a row.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Files of the model.
    pub files: BTreeSet<String>,
    /// Names of cases.
    pub cases: BTreeSet<String>,
    /// Names of tests of the model.
    pub tests: BTreeSet<String>,
}

/// All rows.
pub type Rules = BTreeMap<String, Rule>;

/// The sections of the behaviour table.
const SECTIONS: &[&str] = &[
    "CRE", "SET", "TID", "NUM", "SYS", "IOC", "PFD", "SIG", "REP", "ZAP", "RBT", "WAI", "PTR",
    "CRD", "TTY", "PRC",
];

/// Reads sources and cases.
///
/// # Errors
/// What keeps the sources from being read.
pub fn collect() -> io::Result<Rules> {
    let mut rules = Rules::new();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/core");
    for file in sources(&model.join("src"))? {
        let name = file_name(&file);
        let text = fs::read_to_string(&file)?;
        for line in text.lines() {
            rows_in(line).for_each(|row| {
                rules.entry(row).or_default().files.insert(name.clone());
            });
        }
    }
    for file in sources(&model.join("tests"))? {
        add_tests(&mut rules, &fs::read_to_string(&file)?);
    }
    for case in cases::all().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
        for row in &case.rows {
            rules.entry(row.clone()).or_default().cases.insert(case.name.clone());
        }
    }
    Ok(rules)
}

/// The Rust files below `directory`, sorted.
fn sources(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A test belongs to the rows named since the test before it.
fn add_tests(rules: &mut Rules, text: &str) {
    let mut rows: Vec<String> = Vec::new();
    for line in text.lines() {
        rows.extend(rows_in(line));
        let name = line.trim_start().strip_prefix("fn ").and_then(|rest| rest.split('(').next());
        if let Some(name) = name {
            for row in rows.drain(..) {
                rules.entry(row).or_default().tests.insert(name.to_owned());
            }
        }
    }
}

/// The rows that a line names; `CRE-17..20` are four.
fn rows_in(line: &str) -> impl Iterator<Item = String> {
    let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'));
    let rows: Vec<String> = words.flat_map(rows_of_word).collect();
    rows.into_iter()
}

fn rows_of_word(word: &str) -> Vec<String> {
    let Some((section, numbers)) = word.split_once('-') else { return Vec::new() };
    if !SECTIONS.contains(&section) {
        return Vec::new();
    }
    let numbers = numbers.trim_end_matches('.');
    let (first, last) = numbers.split_once("..").unwrap_or((numbers, numbers));
    match (first.parse::<u32>(), last.parse::<u32>()) {
        (Ok(first), Ok(last)) => {
            (first..=last).map(|number| format!("{section}-{number:02}")).collect()
        }
        _ => Vec::new(),
    }
}

/// Writes the page.
#[must_use]
pub fn page(rules: &Rules) -> String {
    let mut text = String::from(
        "# Rules of Linux, where they are and what shows them\n\n\
         Rows are those of the behaviour table. *Rule*: files of `crates/core/src` that name the row. *Cases*: scripts of\n\
         `conformance/cases`, played on the host kernel and on the model. *Tests*: functions of `crates/core/tests`.\n\
         Written by `cargo run -p pidns-conformance -- rules`; do not edit.\n\n\
         | row | rule | cases | tests |\n|---|---|---|---|\n",
    );
    for (row, rule) in rules {
        let files = list(&rule.files, "`");
        let tests = list(&rule.tests, "`");
        text.push_str(&format!("| {row} | {files} | {} | {tests} |\n", list(&rule.cases, "")));
    }
    text
}

fn list(names: &BTreeSet<String>, quote: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("{quote}{name}{quote}")).collect();
    quoted.join("; ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_in_comments() {
        let rows: Vec<String> =
            rows_in("    /// `ENOSPC` // CRE-17..19 NUM-09, and ZAP-22. Not X-1 or CRE-x")
                .collect();
        assert_eq!(rows, ["CRE-17", "CRE-18", "CRE-19", "NUM-09", "ZAP-22"]);
    }

    #[test]
    fn the_model_names_the_rows_that_the_cases_show() {
        let rules = collect().unwrap();
        assert!(rules["ZAP-02"].files.contains("zap.rs"));
        assert!(!rules["ZAP-02"].cases.is_empty());
        assert!(page(&rules).contains("| ZAP-02 |"));
    }
}
