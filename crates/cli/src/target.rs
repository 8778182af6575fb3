//! What a TARGET on the command line means.

use pidns::{OpenError, PidNamespace};

use crate::exit::Failure;
use crate::text;

/// The namespace of a name or of a process in it.
pub(crate) fn open(target: &str) -> Result<PidNamespace, Failure> {
    PidNamespace::find(target).map_err(|error| {
        let hint = hint(&error);
        Failure::new(text::quoted(target.as_ref()), error).with_hint(hint)
    })
}

fn hint(error: &OpenError) -> Option<&'static str> {
    match error {
        OpenError::NoSuchName | OpenError::NoSuchProcess => Some(
            "`pidns ps` lists what there is; a target is a name, or the number of a process inside",
        ),
        OpenError::Outside => {
            Some("nothing outside of a PID namespace is touched; `pidns ps` lists them")
        }
        _ => None,
    }
}
