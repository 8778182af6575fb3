//! `pidns wait`.

use crate::args::Wait;
use crate::exit::{self, Failure};
use crate::{target, text};

/// Waits until the namespace is gone, and ends as its command has.
pub(crate) fn wait(args: &Wait) -> Result<u8, Failure> {
    let namespace = target::open(&args.target)?;
    let waited = match args.timeout {
        Some(timeout) => namespace.wait_timeout(timeout),
        None => Ok(true),
    };
    let ended = waited.and_then(|gone| gone.then(|| namespace.wait()).transpose());
    let status = ended.map_err(|error| {
        Failure::new(text::quoted(args.target.as_ref()), text::without_number(&error))
    })?;
    Ok(status.map_or(exit::TIMEOUT, |status| status.map_or(0, |status| status.shell_code())))
}
