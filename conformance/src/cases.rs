//! The cases that come with this crate, compiled in.

use crate::script::case::Case;
use crate::script::parse::{self, ParseError};

/// The files, by section of the behaviour table.
pub const FILES: &[(&str, &str)] = &[
    ("cre.case", include_str!("../cases/cre.case")),
    ("set.case", include_str!("../cases/set.case")),
    ("tid.case", include_str!("../cases/tid.case")),
    ("num.case", include_str!("../cases/num.case")),
    ("sys.case", include_str!("../cases/sys.case")),
    ("ioc.case", include_str!("../cases/ioc.case")),
    ("pfd.case", include_str!("../cases/pfd.case")),
    ("sig.case", include_str!("../cases/sig.case")),
    ("rep.case", include_str!("../cases/rep.case")),
    ("zap.case", include_str!("../cases/zap.case")),
    ("ptr.case", include_str!("../cases/ptr.case")),
    ("found.case", include_str!("../cases/found.case")),
    ("rbt.case", include_str!("../cases/rbt.case")),
    ("wai.case", include_str!("../cases/wai.case")),
];

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
