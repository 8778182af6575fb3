//! The page shows the files as they are, and all of them.

use std::fs;

use super::support::{docs, recipes, text};

/// A block of code that is marked with the name of the file that it shows: `` ```sh file=leave-daemon.sh ``.
struct Block<'a> {
    file: &'a str,
    text: String,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut lines = page.lines();
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        let Some(opening) = line.strip_prefix("```") else { continue };
        let text: String = lines
            .by_ref()
            .take_while(|line| *line != "```")
            .map(|line| format!("{line}\n"))
            .collect();
        let file = opening.split_once("file=").map(|(_, file)| file);
        blocks.extend(file.map(|file| Block { file, text }));
    }
    blocks
}

#[test]
fn the_page_shows_every_file_as_it_is() {
    let page = fs::read_to_string(docs().join("recipes.md")).unwrap();
    let blocks = blocks(&page);
    for block in &blocks {
        assert_eq!(block.text, text(block.file), "{}", block.file);
    }
    let mut shown: Vec<_> = blocks.iter().map(|block| block.file.to_owned()).collect();
    let files = fs::read_dir(recipes()).unwrap();
    let mut files: Vec<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    // Python leaves its own beside them.
    files.retain(|file| file != "__pycache__");
    shown.sort();
    files.sort();
    assert_eq!(shown, files);
}
