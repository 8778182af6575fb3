//! All namespaces that can be seen.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::time::Duration;

use super::world::World;
use super::{PidNamespace, process};
use crate::Engine;
use crate::registry::{self, Record};

/// A PID namespace in a list, as it was when it was looked at.
///
/// ```
/// for namespace in pidns::PidNamespace::list()? {
///     println!("{} {} {:?}", namespace.init_pid, namespace.processes, namespace.command);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Summary {
    /// The caller's number of its number 1.
    pub init_pid: u32,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The engine that it is had by: [`Engine::Kernel`] for those that others have made.
    pub engine: Engine,
    /// How many namespaces it is inside of that of /proc: 1 or more.
    pub level: u32,
    /// The number 1 of the namespace that it is nested in, if that is in the list.
    pub parent: Option<u32>,
    /// The user that number 1 runs as.
    pub uid: u32,
    /// How long ago its number 1 was started.
    pub age: Duration,
    /// How many processes are in it and in those nested in it, number 1 among them.
    pub processes: usize,
    /// What pidns runs there, or the command line of number 1.
    #[cfg_attr(feature = "serde", serde(serialize_with = "process::lossy_words"))]
    pub command: Vec<OsString>,
}

impl PidNamespace {
    /// Lists all PID namespaces below the caller's own that have processes, whoever made them: those of the kernel, and
    /// the caller's jobs with other engines. A namespace comes before those that are nested in it.
    ///
    /// Needs no privilege, but processes that /proc hides (its mount option `hidepid`) are not seen.
    ///
    /// # Errors
    /// Where /proc cannot be read, or shows another PID namespace than the caller's.
    pub fn list() -> io::Result<Vec<Summary>> {
        let records = records();
        let world = World::look()?;
        let now = process::uptime()?;
        let inits = world.namespaces().map(|(init, namespace)| (init, namespace.parent));
        let of_others = records.iter().filter(|(_, (_, record))| record.engine != Engine::Kernel);
        let inits: BTreeMap<_, _> = of_others.map(|(init, _)| (*init, None)).chain(inits).collect();
        let mut all: Vec<_> = inits
            .into_iter()
            .filter_map(|(init, parent)| summary(init, parent, &world, &records, now))
            .collect();
        all.sort_by_key(|summary| std::cmp::Reverse(summary.age));
        let mut by_parent: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for summary in all {
            by_parent.entry(summary.parent).or_default().push(summary);
        }
        Ok(nested(&mut by_parent, None))
    }
}

/// What is registered, by the caller's number of number 1.
fn records() -> BTreeMap<u32, (Option<String>, Record)> {
    let entries = registry::all().into_iter();
    let known = entries.filter_map(|entry| {
        let record = entry.record().ok().flatten()?;
        let init = record.init_here().filter(|init| record.is(*init))?;
        Some((init, (entry.name, record)))
    });
    known.collect()
}

fn summary(
    init: u32,
    parent: Option<u32>,
    world: &World,
    records: &BTreeMap<u32, (Option<String>, Record)>,
    now: Duration,
) -> Option<Summary> {
    let seen = world.process(init)?;
    // Of one whose number 1 is dead, nothing is left but that.
    let looked = process::look_at(init, 0, now).filter(|looked| looked.state != 'Z')?;
    let level = u32::try_from(seen.numbers.len()).unwrap_or(u32::MAX);
    let (name, record) = records.get(&init).cloned().unzip();
    let engine = record.as_ref().map_or(Engine::Kernel, |record| record.engine);
    let command = match record {
        Some(record) => record.command.into_iter().map(OsString::from).collect(),
        None => match process::supervised_by(&looked.command) {
            Some(inner) => inner.to_vec(),
            None => looked.command,
        },
    };
    Some(Summary {
        init_pid: init,
        name: name.flatten(),
        engine,
        // A namespace that is not the kernel's is one more.
        level: if engine == Engine::Kernel { level - 1 } else { level },
        parent,
        uid: seen.uid,
        age: looked.age,
        processes: world.inside(engine, init).len(),
        command,
    })
}

/// Those that are nested in `parent`, in their order, each with those that are nested in it.
fn nested(all: &mut BTreeMap<Option<u32>, Vec<Summary>>, parent: Option<u32>) -> Vec<Summary> {
    let mut list = Vec::new();
    for summary in all.remove(&parent).unwrap_or_default() {
        let init = summary.init_pid;
        list.push(summary);
        list.append(&mut nested(all, Some(init)));
    }
    list
}
