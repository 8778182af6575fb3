//! What the command line can say, and what it stands for.

use crate::cases;
use crate::host::{HostWorld, place};
use crate::script::case::Case;
use crate::script::parse;
use crate::sim::SimWorld;
use crate::world::World;
use std::ffi::OsString;
use std::path::PathBuf;

/// The options of all commands.
#[derive(Debug)]
pub(super) struct Options {
    worlds: Option<Vec<String>>,
    pidns: Option<PathBuf>,
    row: Option<String>,
    case: Option<String>,
    file: Option<String>,
    prefix: Vec<OsString>,
    /// How many scripts to generate.
    pub(super) count: u64,
    /// The seed of the first.
    pub(super) seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            worlds: None,
            pidns: None,
            row: None,
            case: None,
            file: None,
            prefix: Vec::new(),
            count: 300,
            seed: 1,
        }
    }
}

impl Options {
    /// Reads the words behind the command.
    pub(super) fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let value =
                words.next().ok_or_else(|| format!("{word} wants a value, or is unknown"))?;
            options.set(word, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, word: &str, value: &str) -> Result<(), String> {
        let number = || value.parse().map_err(|_| format!("{word} wants a number, not {value}"));
        match word {
            "--world" => self.worlds = Some(value.split(',').map(str::to_owned).collect()),
            "--pidns" => self.pidns = Some(PathBuf::from(value)),
            "--row" => self.row = Some(value.to_owned()),
            "--case" => self.case = Some(value.to_owned()),
            "--file" => self.file = Some(value.to_owned()),
            "--prefix" => self.prefix = value.split_whitespace().map(OsString::from).collect(),
            "--count" => self.count = number()?,
            "--seed" => self.seed = number()?,
            other => return Err(format!("unknown option {other}")),
        }
        Ok(())
    }

    /// Returns the cases that are asked for.
    pub(super) fn cases(&self) -> Result<Vec<Case>, String> {
        let read = match &self.file {
            None => cases::all(),
            Some(file) => {
                let text =
                    std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
                parse::cases(file, &text)
            }
        };
        let mut cases = read.map_err(|error| error.to_string())?;
        cases.retain(|case| self.row.as_ref().is_none_or(|row| case.rows.contains(row)));
        cases.retain(|case| self.case.as_ref().is_none_or(|text| case.name.contains(text)));
        if cases.is_empty() { Err("no such case".to_owned()) } else { Ok(cases) }
    }

    /// Makes the worlds that are asked for.
    pub(super) fn worlds(&self) -> Result<Vec<Box<dyn World>>, String> {
        let usual: &[&str] = match &self.pidns {
            None => &["host", "core"],
            Some(_) => &["host", "core", place::OFF, place::FILTERED],
        };
        match &self.worlds {
            Some(names) => names.iter().map(|name| self.world(name)).collect(),
            None => usual.iter().map(|name| self.world(name)).collect(),
        }
    }

    fn world(&self, name: &str) -> Result<Box<dyn World>, String> {
        match (name, &self.pidns) {
            ("host", _) => Ok(Box::new(HostWorld::new("host", Vec::new()))),
            ("core" | "sim", _) => Ok(Box::new(SimWorld::new())),
            (name, Some(pidns)) if place::ALL.contains(&name) => place::world(name, pidns),
            (engine, _) if !self.prefix.is_empty() => {
                Ok(Box::new(HostWorld::new(engine, self.prefix.clone())))
            }
            (other, _) => Err(format!("the world {other} needs a --pidns or a --prefix")),
        }
    }
}
