//! The exchange of code: stubs for the places of one file, in one process.

use pidns_sys::memory_map::{Kind, Mapping};
use pidns_sys::ptrace::{self, Tid};

use super::super::memory;
use super::birth;
use super::files::Files;
use super::known::Place;
use super::room::{PAGE, Room};
use super::stub::{self, SITE, Site, Stub};
use super::switch;

/// What is to be written.
pub(super) struct Plan {
    stubs: Vec<Stub>,
    /// The last page of the code, as it is.
    pub(super) page: Box<[u8; PAGE]>,
    /// All places are as they are in the file.
    pub(super) is_whole: bool,
}

impl Plan {
    /// Stubs for places in a file's code that have none, as far as there is room.
    pub(super) fn of(tid: Tid, code: &Mapping, places: &[Place], key: u64) -> Option<Self> {
        if code.kind != Kind::READABLE | Kind::EXECUTABLE {
            return None;
        }
        let here: Vec<(u64, &Site)> = places
            .iter()
            .filter_map(|(offset, site)| {
                let after = (code.range.start + offset).checked_sub(code.offset)?;
                code.range.contains(&after).then_some((after, site))
            })
            .collect();
        let mut found = vec![[0; SITE]; here.len()];
        let (mut page, start) = (Box::new([0; PAGE]), code.range.end.checked_sub(PAGE as u64)?);
        let sites = here.iter().map(|(after, _)| after - SITE as u64).zip(&mut found);
        let mut pieces: Vec<(u64, &mut [u8])> =
            sites.map(|(at, bytes)| (at, bytes.as_mut_slice())).collect();
        pieces.push((start, page.as_mut_slice()));
        ptrace::read_pieces(tid, &mut pieces).ok()?;
        let bare = here.iter().zip(found).filter(|((_, site), found)| site.code() == *found);
        let bare: Vec<(u64, &Site)> = bare.map(|(place, _)| *place).collect();
        let is_whole = bare.len() == here.len();
        let room = Room::of(start, &page, key);
        let stubs = bare.into_iter().zip(room);
        let stubs = stubs.map_while(|((after, site), at)| stub::stub(at, after, site, key));
        Some(Self { stubs: stubs.collect(), page, is_whole })
    }

    /// Does it, unless the process does not wait for that any more; returns the stubs.
    pub(super) fn carry_out(
        mut self,
        files: &mut Files,
        wanted: Wanted,
        waits: impl Fn() -> bool,
    ) -> Option<Vec<Stub>> {
        let lowest = self.stubs.last()?.at;
        files.open(waits)?;
        self.stubs.iter_mut().filter(|stub| wanted.has(stub)).for_each(Stub::turn_on);
        // Upwards, as one piece.
        let code: Vec<u8> = self.stubs.iter().rev().flat_map(|stub| stub.bytes).collect();
        files.write(lowest, &code)?;
        for stub in &self.stubs {
            files.write(stub.site, &stub.jump)?;
        }
        Some(self.stubs)
    }
}

/// Which switches are to be on from the beginning.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Wanted {
    births: bool,
    peeks: bool,
}

impl Wanted {
    pub(super) const NONE: Self = Self { births: false, peeks: false };

    /// Those of a process that is alone in its memory; `peeks` says whether it has children only that the host has as such.
    pub(in super::super) fn alone(peeks: bool) -> Self {
        Self { births: true, peeks }
    }

    pub(super) fn has(self, stub: &Stub) -> bool {
        match stub.kind {
            Some(switch::Kind::Birth) => self.births,
            Some(switch::Kind::Peek) => self.peeks,
            Some(switch::Kind::Number) | None => false,
        }
    }
}

/// The site of a call, if it can have a stub.
pub(super) fn site_of(tid: Tid, call: i64, after: u64) -> Option<Site> {
    let site = Site::new(call, memory::read(tid, after.checked_sub(SITE as u64)?).ok()?)?;
    let fits = switch::Kind::of(call) != Some(switch::Kind::Birth)
        || memory::read(tid, after).is_ok_and(|code| birth::is_function(call, code));
    fits.then_some(site)
}
