//! `cargo xtask man`: the man pages, from what the commands say of themselves.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Command;
use clap_mangen::Man;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `pidns-init -h` prints.
const INIT: &str = include_str!("../../crates/init/src/program/usage.txt");

/// Writes `pidns.1`, a page for each of its commands, and `pidns-init.1` into `directory`.
pub(crate) fn write(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    for (name, page) in pages()? {
        fs::write(directory.join(format!("{name}.1")), page)?;
    }
    println!("man pages are in {}", directory.display());
    Ok(())
}

/// Each page with its name.
fn pages() -> Result<Vec<(String, String)>> {
    let mut pidns = pidns_cli::args::command().disable_help_subcommand(true);
    pidns.build();
    let commands = std::iter::once(&pidns).chain(pidns.get_subcommands());
    let mut pages =
        commands.map(|command| Ok((name(command), page(command)?))).collect::<Result<Vec<_>>>()?;
    pages.push(("pidns-init".to_owned(), init()?));
    let names: Vec<String> = pages.iter().map(|(name, _)| name.clone()).collect();
    for (name, page) in &mut pages {
        page.push_str(&see_also(names.iter().filter(|other| *other != name)));
    }
    Ok(pages)
}

fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// The page of a command that clap knows. The text below its options becomes sections.
fn page(command: &Command) -> Result<String> {
    let man = Man::new(command.clone()).source(format!("pidns {VERSION}")).manual("pidns");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (mut described, mut sections) = (String::new(), String::new());
    for paragraph in after.split("\n\n") {
        match paragraph.split_once(':') {
            Some(("Exit status", text)) => {
                sections.push_str(&section("EXIT STATUS", &prose(&capitalized(text.trim()))));
            }
            Some(("Examples" | "Try", text)) => {
                sections.push_str(&section("EXAMPLES", &verbatim(text)));
            }
            _ => described.push_str(&format!(".PP\n{}", prose(paragraph))),
        }
    }
    page.extend_from_slice(described.as_bytes());
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    page.extend_from_slice(sections.as_bytes());
    Ok(String::from_utf8(page)?)
}

/// The page of `pidns-init`: its usage, a summary, and paragraphs with headings.
fn init() -> Result<String> {
    let (usage, rest) = INIT.split_once("\n\n").context("the usage stands alone")?;
    let (summary, rest) = rest.split_once("\n\n").context("the summary comes next")?;
    let usage = usage.strip_prefix("Usage: ").context("a line of usage")?;
    let mut page = format!(".TH pidns-init 1 \"\" \"pidns {VERSION}\" pidns\n");
    page += &section("NAME", "pidns\\-init \\- number 1 for containers and PID namespaces\n");
    page += &section("SYNOPSIS", &prose(usage));
    page += &section("DESCRIPTION", &prose(summary));
    for paragraph in rest.split("\n\n") {
        let (heading, text) = paragraph.split_once(':').context("a paragraph has a heading")?;
        page += &section(&heading.to_uppercase(), &verbatim(text));
    }
    Ok(page)
}

fn see_also<'a>(pages: impl Iterator<Item = &'a String>) -> String {
    let own = pages.map(|name| format!("{name}(1)"));
    let others = ["unshare(1)", "pid_namespaces(7)"].map(str::to_owned);
    let all: Vec<String> = own.chain(others).collect();
    section("SEE ALSO", &prose(&all.join(", ")))
}

fn section(heading: &str, content: &str) -> String {
    format!(".SH \"{heading}\"\n{content}")
}

fn capitalized(text: &str) -> String {
    let (first, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    first.to_uppercase() + rest
}

/// Text that is filled.
fn prose(text: &str) -> String {
    escaped(text.trim())
}

/// Lines that stay as they are.
fn verbatim(text: &str) -> String {
    format!(".nf\n{}.fi\n", escaped(text.trim_matches('\n')))
}

/// Lines of which none is taken for a request: groff_char(7).
fn escaped(text: &str) -> String {
    let line = |line: &str| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        format!("{guard}{line}\n")
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_command_has_a_page_with_what_its_help_says() {
        let pages = super::pages().unwrap();
        let of = |wanted: &str| &pages.iter().find(|(name, _)| name == wanted).unwrap().1;
        for wanted in
            ["pidns", "pidns-ps", "pidns-exec", "pidns-kill", "pidns-wait", "pidns-doctor"]
        {
            assert!(of(wanted).contains("SYNOPSIS"), "{wanted}");
        }
        let run = of("pidns-run");
        for word in ["EXIT STATUS", "EXAMPLES", "PIDNS_ENGINE", "PIDNS_LEAKS", "pidns\\-init(1)"] {
            assert!(run.contains(word), "{word}: {run}");
        }
        assert!(of("pidns-init").contains("TINI_SUBREAPER"));
        let strays = pages.iter().flat_map(|(_, page)| page.lines());
        assert_eq!(strays.filter(|line| line.starts_with(".SH EXTRA")).count(), 0);
    }
}
