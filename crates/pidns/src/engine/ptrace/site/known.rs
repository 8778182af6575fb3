//! What is known of files and programs: which places ask often, and where the code is in memory.

use std::collections::HashMap;

use pidns_sys::memory_map::{FileId, Kind, Mapping};

use super::program::Program;
use super::room::PAGE;
use super::stub::Site;

/// A site, and where in its file it ends.
pub(super) type Place = (u64, Site);

#[derive(Debug, Default)]
pub(super) struct Known {
    files: HashMap<FileId, Code>,
    layouts: HashMap<Program, Vec<Layout>>,
}

/// A file's code.
#[derive(Debug, Default)]
struct Code {
    /// The places that ask often, and the programs that do so there.
    places: Vec<(Place, Vec<Program>)>,
    /// Its last page, as it is in the file.
    page: Option<Box<[u8; PAGE]>>,
}

/// Where a program has a file's code: mostly at the same distance from where it has begun.
#[derive(Clone, Debug)]
struct Layout {
    file: FileId,
    distance: u64,
    length: u64,
    offset: u64,
    /// It begins there.
    is_loader: bool,
}

impl Layout {
    fn of(code: &Mapping, start: u64) -> Self {
        let Mapping { range, offset, file, .. } = code;
        Self {
            file: *file,
            distance: range.start.wrapping_sub(start),
            length: range.end - range.start,
            offset: *offset,
            is_loader: range.contains(&start),
        }
    }

    fn at(&self, start: u64) -> Mapping {
        let from = start.wrapping_add(self.distance);
        Mapping {
            range: from..from.saturating_add(self.length),
            offset: self.offset,
            file: self.file,
            kind: Kind::READABLE | Kind::EXECUTABLE,
        }
    }
}

impl Known {
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Adds a place of a file where a program asks often.
    pub(super) fn add(&mut self, file: FileId, place: Place, program: Program) {
        let places = &mut self.files.entry(file).or_default().places;
        match places.iter_mut().find(|(known, _)| *known == place) {
            Some((_, programs)) if programs.contains(&program) => {}
            Some((_, programs)) => programs.push(program),
            None => places.push((place, vec![program])),
        }
    }

    /// The places of a file, of one program or all: a loader does the same for each.
    pub(super) fn places(&self, file: FileId, program: Option<Program>) -> Vec<Place> {
        let places = self.files.get(&file).map(|code| &code.places);
        let asks = |programs: &[Program]| program.is_none_or(|program| programs.contains(&program));
        let of_program = places.into_iter().flatten().filter(|(_, programs)| asks(programs));
        of_program.map(|(place, _)| *place).collect()
    }

    /// The files, besides one, in which a program asks.
    pub(super) fn files(&self, program: Program, besides: Option<FileId>) -> Vec<FileId> {
        let asks =
            |code: &Code| code.places.iter().any(|(_, programs)| programs.contains(&program));
        let files = self.files.iter().filter(|(file, code)| Some(**file) != besides && asks(code));
        files.map(|(file, _)| *file).collect()
    }

    /// How many stubs a program will have, if that is known.
    pub(super) fn count(&self, program: Program) -> Option<usize> {
        let loader = self.layouts.get(&program)?.iter().find(|layout| layout.is_loader)?.file;
        let others = self.files(program, Some(loader));
        let others = others.into_iter().map(|file| self.places(file, Some(program)).len());
        Some(self.places(loader, None).len() + others.sum::<usize>())
    }

    /// Where a program's loader should be, if it begins at `start`.
    pub(super) fn loader(&self, program: Program, start: u64) -> Option<Mapping> {
        let layouts = self.layouts.get(&program)?;
        layouts.iter().find(|layout| layout.is_loader).map(|layout| layout.at(start))
    }

    /// Where a program should have a file's code.
    pub(super) fn code(&self, program: Program, start: u64, file: FileId) -> Option<Mapping> {
        let layouts = self.layouts.get(&program)?;
        layouts.iter().find(|layout| layout.file == file).map(|layout| layout.at(start))
    }

    /// Says whether this is the last page of a file's code.
    pub(super) fn is_page(&self, file: FileId, page: &[u8; PAGE]) -> bool {
        self.files.get(&file).and_then(|code| code.page.as_deref()) == Some(page)
    }

    /// Notes where a program that began at `start` has code, and the last page of that.
    pub(super) fn note(&mut self, program: Program, start: u64, code: &Mapping, page: &[u8; PAGE]) {
        let layouts = self.layouts.entry(program).or_default();
        let layout = Layout::of(code, start);
        layouts.retain(|old| old.file != layout.file && !(old.is_loader && layout.is_loader));
        layouts.push(layout);
        self.files.entry(code.file).or_default().page.get_or_insert_with(|| Box::new(*page));
    }
}
