//! `pidns wait`.

use pidns::Waited;

use crate::args::Wait;
use crate::exit::{self, Failure};
use crate::{target, text};

/// Waits until the namespace is gone, and ends as its command has.
pub(crate) fn wait(args: &Wait) -> Result<u8, Failure> {
    let namespace = target::open(&args.target)?;
    let waited = match args.timeout {
        Some(timeout) => namespace.wait_within(timeout),
        None => namespace.wait().map(Waited::Ended),
    };
    match waited {
        Ok(Waited::TimedOut) => Ok(exit::TIMEOUT),
        Ok(Waited::Ended(status)) => Ok(status.map_or(0, |status| status.shell_code())),
        Err(error) => {
            let target = text::quoted(args.target.as_ref());
            Err(Failure::new(target, text::without_number(&error)))
        }
    }
}
