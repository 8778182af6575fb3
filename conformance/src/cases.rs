//! The cases that come with this crate, compiled in.

use crate::script::case::Case;
use crate::script::parse::{self, ParseError};

/// The files, by section of the behaviour table.
pub const FILES: &[(&str, &str)] = &[("cre.case", include_str!("../cases/cre.case"))];

/// Reads all cases.
///
/// # Errors
/// The first mistake in a file.
pub fn all() -> Result<Vec<Case>, ParseError> {
    let mut all = Vec::new();
    for (file, text) in FILES {
        all.extend(parse::cases(file, text)?);
    }
    Ok(all)
}
