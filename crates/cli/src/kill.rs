//! `pidns kill`.

use crate::args::Kill;
use crate::exit::Failure;
use crate::{target, text};

/// Destroys the namespace and waits until it is gone, or sends the signal.
pub(crate) fn kill(args: &Kill) -> Result<u8, Failure> {
    let namespace = target::open(&args.target)?;
    let done = match args.signal {
        Some(signal) => namespace.signal(signal),
        None => namespace.destroy().and_then(|()| namespace.wait_gone()),
    };
    done.map_err(|error| {
        Failure::new(text::quoted(args.target.as_ref()), text::without_number(&error))
    })?;
    Ok(0)
}
