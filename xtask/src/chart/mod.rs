//! Bars in SVG, from what a bench has printed. [`all`] says which charts there are.

mod all;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use svg::node::element::{Rectangle, Style, Text};
use svg::{Document, Node};

/// A chart: the name of its file, its title, and its bars in groups.
struct Chart {
    file: &'static str,
    title: &'static str,
    groups: Vec<Group>,
    /// Longer bars are cut, and show it: the others could not be told apart.
    longest: f64,
}

/// Bars that are compared with each other.
struct Group {
    title: &'static str,
    bars: Vec<Bar>,
}

/// A bar: the name of the line that it shows, and what people read.
struct Bar {
    line: String,
    label: &'static str,
}

const LABEL: f64 = 300.0;
const LENGTH: f64 = 330.0;
const VALUE: f64 = 90.0;
const MARGIN: f64 = 12.0;
const ROW: f64 = 22.0;

/// Readable where pages are white and where they are black: the background goes with the text.
const STYLE: &str = "\
    text { font: 13px sans-serif; fill: #1f2328 } .title { font-size: 14px; font-weight: bold } \
    .group { fill: #59636e } .page { fill: #ffffff } .ours { fill: #1a7f5a } .theirs { fill: #8c959f } \
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .group { fill: #9198a1 } .page { fill: #0d1117 } \
    .ours { fill: #2ea879 } .theirs { fill: #656c76 } }";

/// Draws all charts that `lines` of a bench have something for into `directory`.
pub(crate) fn draw(lines: &[String], directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    for chart in all::charts() {
        let groups: Vec<Measured> =
            chart.groups.iter().filter_map(|group| measured(group, lines)).collect();
        if groups.is_empty() {
            continue;
        }
        let path = directory.join(chart.file);
        svg::save(&path, &document(chart.title, &groups, chart.longest))?;
        println!("{} is drawn", path.display());
    }
    Ok(())
}

/// The same with lines that a bench has printed into `file`.
pub(crate) fn draw_file(file: &Path, directory: &Path) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    draw(&text.lines().map(str::to_owned).collect::<Vec<_>>(), directory)
}

/// A group with its values, shortest bar first.
struct Measured {
    title: &'static str,
    bars: Vec<(&'static str, f64, String)>,
}

/// What there is of a group; what was not measured, such as a tool that is not installed, is left out.
fn measured(group: &Group, lines: &[String]) -> Option<Measured> {
    let mut bars: Vec<_> = group
        .bars
        .iter()
        .filter_map(|bar| {
            let value =
                lines.iter().find_map(|line| line.strip_prefix(&bar.line)?.strip_prefix(": "))?;
            let number = value.split_once(' ')?.0.parse().ok()?;
            Some((bar.label, number, value.to_owned()))
        })
        .collect();
    bars.sort_by(|a: &(_, f64, _), b| a.1.total_cmp(&b.1));
    (!bars.is_empty()).then_some(Measured { title: group.title, bars })
}

fn document(title: &str, groups: &[Measured], limit: f64) -> Document {
    let mut page = Page { document: Document::new().add(Style::new(STYLE)), y: 0.0 };
    page.document = page.document.add(background());
    page.title(title, "title");
    let all = groups.iter().flat_map(|group| &group.bars);
    let longest = all.map(|bar| bar.1).fold(f64::MIN_POSITIVE, f64::max).min(limit);
    for group in groups {
        if !group.title.is_empty() {
            page.title(group.title, "group");
        }
        for (label, number, value) in &group.bars {
            page.bar(label, LENGTH * number.min(longest) / longest, value);
            if *number > longest {
                page.cut();
            }
        }
    }
    let height = page.y + MARGIN;
    page.document.set("viewBox", (0, 0, WIDTH, height)).set("width", WIDTH).set("height", height)
}

const WIDTH: f64 = MARGIN + LABEL + LENGTH + VALUE;

fn background() -> Rectangle {
    Rectangle::new().set("width", "100%").set("height", "100%").set("class", "page")
}

/// A page that is filled from above.
struct Page {
    document: Document,
    y: f64,
}

impl Page {
    fn title(&mut self, title: &str, class: &str) {
        self.y += ROW + 6.0;
        self.text(title, MARGIN, self.y - 4.0, class);
        self.y += 4.0;
    }

    fn bar(&mut self, label: &str, length: f64, value: &str) {
        let class = if label.contains("pidns") { "ours" } else { "theirs" };
        let bar = Rectangle::new()
            .set("x", MARGIN + LABEL)
            .set("y", self.y)
            .set("width", length.max(1.0))
            .set("height", ROW - 6.0)
            .set("class", class);
        self.add(bar);
        let middle = self.y + ROW / 2.0 + 2.0;
        self.text(label, MARGIN, middle, "label");
        self.text(value, MARGIN + LABEL + length + 6.0, middle, "value");
        self.y += ROW;
    }

    /// The last bar is longer than it is drawn.
    fn cut(&mut self) {
        let gap = Rectangle::new()
            .set("x", MARGIN + LABEL + LENGTH - 16.0)
            .set("y", self.y - ROW)
            .set("width", 4.0)
            .set("height", ROW - 6.0)
            .set("class", "page");
        self.add(gap);
    }

    fn text(&mut self, text: &str, x: f64, y: f64, class: &str) {
        self.add(Text::new(text).set("x", x).set("y", y).set("class", class));
    }

    fn add(&mut self, node: impl Node) {
        self.document.append(node);
    }
}

#[cfg(test)]
mod tests {
    use super::{Bar, Group, document, measured};

    #[test]
    fn bars_are_in_order_and_what_was_not_measured_is_left_out() {
        let bar = |line: &str, label| Bar { line: line.to_owned(), label };
        let bars = vec![bar("a_us", "slow"), bar("b_us", "pidns <fast>"), bar("c_us", "absent")];
        let lines = ["a_us: 30 us", "a_us_more: 1 us", "b_us: 7 us"].map(str::to_owned);
        let group = measured(&Group { title: "group", bars }, &lines).unwrap();
        let labels: Vec<_> = group.bars.iter().map(|bar| bar.0).collect();
        assert_eq!(labels, ["pidns <fast>", "slow"]);
        let picture = document("title", &[group], f64::INFINITY).to_string();
        for part in [
            "class=\"ours\"",
            "class=\"theirs\"",
            "30 us",
            "pidns &lt;fast&gt;",
            "prefers-color-scheme: dark",
        ] {
            assert!(picture.contains(part), "{part}: {picture}");
        }
        assert!(
            measured(&Group { title: "", bars: vec![bar("c_us", "absent")] }, &lines).is_none()
        );
    }
}
