//! Bars in SVG, from what a bench has printed.

use std::fs;
use std::path::Path;

use anyhow::Result;
use svg::Document;
use svg::node::element::{Rectangle, Style, Text};

/// A chart: its file's name, its title, which lines it shows, and who is ours.
pub(crate) struct Chart {
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    /// Shown are lines `PREFIX.NAME SUFFIX: value unit`, by NAME.
    pub(crate) prefix: &'static str,
    pub(crate) suffix: &'static str,
}

const LABEL: f64 = 190.0;
const BAR: f64 = 420.0;
const VALUE: f64 = 110.0;
const ROW: f64 = 24.0;
const TOP: f64 = 44.0;

/// Draws `chart` from the lines of a bench into `directory`, shortest bar first.
pub(crate) fn draw(chart: &Chart, lines: &[String], directory: &Path) -> Result<()> {
    let mut bars: Vec<(String, f64, String)> =
        lines.iter().filter_map(|line| bar(chart, line)).collect();
    bars.sort_by(|a, b| a.1.total_cmp(&b.1));
    let longest = bars.last().map_or(1.0, |bar| bar.1);
    let height = TOP + ROW * f64::from(u32::try_from(bars.len())?) + 12.0;
    let width = LABEL + BAR + VALUE;
    let style = "text { font: 13px sans-serif; fill: #24292f } .title { font-weight: bold } \
                 .ours { fill: #1a7f5a } .theirs { fill: #8c959f }";
    let mut document = Document::new()
        .set("viewBox", (0, 0, width, height))
        .set("width", width)
        .set("height", height)
        .add(Style::new(style))
        .add(Rectangle::new().set("width", width).set("height", height).set("fill", "#ffffff"))
        .add(Text::new(chart.title).set("x", 12).set("y", 24).set("class", "title"));
    let mut y = TOP;
    for (name, value, unit) in &bars {
        let length = BAR * value / longest;
        let class = if name.contains("pidns") { "ours" } else { "theirs" };
        let middle = y + ROW / 2.0 + 2.0;
        document = document
            .add(Text::new(name.replace('_', " ")).set("x", 12).set("y", middle))
            .add(
                Rectangle::new()
                    .set("x", LABEL)
                    .set("y", y)
                    .set("width", length)
                    .set("height", ROW - 6.0)
                    .set("class", class),
            )
            .add(
                Text::new(format!("{value:.0} {unit}"))
                    .set("x", LABEL + length + 6.0)
                    .set("y", middle),
            );
        y += ROW;
    }
    fs::create_dir_all(directory)?;
    let path = directory.join(chart.file);
    svg::save(&path, &document)?;
    println!("{} shows {} bars", path.display(), bars.len());
    Ok(())
}

fn bar(chart: &Chart, line: &str) -> Option<(String, f64, String)> {
    let (name, value) = line.split_once(": ")?;
    let name = name.strip_prefix(chart.prefix)?.strip_suffix(chart.suffix)?;
    let (value, unit) = value.split_once(' ')?;
    Some((name.to_owned(), value.parse().ok()?, unit.to_owned()))
}
