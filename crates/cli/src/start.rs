//! Why a command was not started, in words, and with the exit code for that.

use std::ffi::OsString;

use pidns::{SpawnError, Stage};

use crate::exit::{self, Failure};
use crate::text;

/// The command was not started, for this reason.
pub(crate) fn failed(command: &[OsString], error: SpawnError) -> Failure {
    let not_found = pidns_sys::Errno::NOENT.raw_os_error();
    match (error.stage(), error.errno()) {
        (Stage::Exec, errno) => {
            let code = if errno == not_found { exit::NOT_FOUND } else { exit::CANNOT_EXECUTE };
            let why = std::io::Error::from_raw_os_error(errno);
            Failure::new(text::quoted(&command[0]), text::without_number(&why))
                .with_hint(error.hint().or_else(|| interpreter_hint(command, errno)))
                .with_code(code)
        }
        (Stage::Arguments, errno) if errno == pidns_sys::Errno::NOTSUP.raw_os_error() => {
            Failure::new(
                "--leaks",
                "with --as-init, the others are killed together with COMMAND: there is no moment to list them",
            )
        }
        _ => Failure::of(error).with_hint(error.hint()),
    }
}

/// "No such file" about a file that is there is confusing.
fn interpreter_hint(command: &[OsString], errno: i32) -> Option<&'static str> {
    let missing = errno == pidns_sys::Errno::NOENT.raw_os_error()
        && std::path::Path::new(&command[0]).exists();
    missing.then_some(
        "the file is there, but what it names in its #! line, or its dynamic loader, is not",
    )
}
