//! [`Engine::Auto`]: the first engine that works here.
//!
//! Nothing is probed: the engines are tried in their order, and one that cannot work here says so by the stage and the
//! error with which it fails. Where the first works, choosing costs nothing.

use std::sync::Arc;

use pidns_sys::Errno;

use super::{Engine, Job, Spec, launch_with};
use crate::error::{SpawnError, Stage};

/// The engines in the order in which they are tried: by how much they isolate.
pub(crate) const ORDER: [Engine; 3] = [Engine::Kernel, Engine::Ptrace, Engine::Subreaper];

/// An engine that does not work here, and was passed over for another.
///
/// ```no_run
/// let job = pidns::Command::new("true").spawn()?;
/// for passed in &job.report().passed_over {
///     println!("not {}: {}", passed.engine.name(), passed.error);
/// }
/// # Ok::<(), pidns::SpawnError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PassedOver {
    /// Which.
    pub engine: Engine,
    /// Why.
    pub error: SpawnError,
}

/// A job, and how its engine was found.
pub(crate) struct Chosen {
    pub(crate) engine: Engine,
    pub(crate) job: Box<dyn Job>,
    pub(crate) passed_over: Vec<PassedOver>,
}

/// Starts `spec` with the first engine that works here. Where none does, the error is that of the first.
pub(crate) fn launch(spec: &Arc<Spec>) -> Result<Chosen, SpawnError> {
    first_that_works(|engine| launch_with(engine, spec)).map(|(engine, job, passed_over)| Chosen {
        engine,
        job,
        passed_over,
    })
}

fn first_that_works<T>(
    mut start: impl FnMut(Engine) -> Result<T, SpawnError>,
) -> Result<(Engine, T, Vec<PassedOver>), SpawnError> {
    let mut passed_over = Vec::new();
    for engine in ORDER {
        match start(engine) {
            Ok(job) => return Ok((engine, job, passed_over)),
            Err(error) if is_about_the_place(error) => {
                passed_over.push(PassedOver { engine, error });
            }
            Err(error) => return Err(error),
        }
    }
    let first = passed_over.first().map(|passed| passed.error);
    Err(first.unwrap_or(SpawnError::new(Stage::Engine, Errno::NOSYS)))
}

/// Says whether `error` means that the engine does not work here, and not that the command is wrong or the machine
/// short of something.
fn is_about_the_place(error: SpawnError) -> bool {
    let errno = Errno::from_raw_os_error(error.errno());
    match error.stage() {
        Stage::Engine => true,
        // Refused by privilege, filter or security module; a limit of namespaces; a kernel without them.
        Stage::Namespace => matches!(
            errno,
            Errno::PERM
                | Errno::ACCESS
                | Errno::NOSPC
                | Errno::USERS
                | Errno::INVAL
                | Errno::NOSYS
                | Errno::OPNOTSUPP
        ),
        // Without /proc there is nothing to write the maps to.
        Stage::UserMap => {
            matches!(errno, Errno::PERM | Errno::ACCESS | Errno::NOENT | Errno::ROFS | Errno::INVAL)
        }
        // A security module that lets user namespaces be made, but without capabilities in them.
        Stage::Mounts => matches!(errno, Errno::PERM | Errno::ACCESS),
        // No programs in memory, which number 1 is.
        Stage::Image => matches!(errno, Errno::ACCESS | Errno::PERM | Errno::NOSYS),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(
        results: [Result<(), (Stage, Errno)>; 3],
    ) -> (Result<Engine, Stage>, Vec<Engine>, usize) {
        let mut tried = 0;
        let chosen = first_that_works(|_| {
            tried += 1;
            results[tried - 1].map_err(|(stage, errno)| SpawnError::new(stage, errno))
        });
        match chosen {
            Ok((engine, (), passed)) => {
                (Ok(engine), passed.iter().map(|passed| passed.engine).collect(), tried)
            }
            Err(error) => (Err(error.stage()), Vec::new(), tried),
        }
    }

    #[test]
    fn nothing_else_is_tried_where_the_first_works() {
        let absent = Err((Stage::Engine, Errno::NOSYS));
        assert_eq!(outcome([Ok(()), absent, absent]), (Ok(Engine::Kernel), vec![], 1));
    }

    #[test]
    fn refusals_of_the_place_lead_to_the_next() {
        for refusal in [
            (Stage::Namespace, Errno::PERM),
            (Stage::Namespace, Errno::NOSPC),
            (Stage::Namespace, Errno::NOSYS),
            (Stage::Namespace, Errno::INVAL),
            (Stage::UserMap, Errno::PERM),
            (Stage::UserMap, Errno::NOENT),
            (Stage::Mounts, Errno::ACCESS),
            (Stage::Image, Errno::ACCESS),
        ] {
            let refused = Err(refusal);
            assert_eq!(
                outcome([refused, Ok(()), Ok(())]),
                (Ok(Engine::Ptrace), vec![Engine::Kernel], 2),
                "{refusal:?}"
            );
            assert_eq!(
                outcome([refused, Err((Stage::Engine, Errno::PERM)), Ok(())]),
                (Ok(Engine::Subreaper), vec![Engine::Kernel, Engine::Ptrace], 3),
                "{refusal:?}"
            );
        }
    }

    #[test]
    fn what_is_wrong_with_the_command_or_short_is_wrong_with_every_engine() {
        for error in [
            (Stage::Exec, Errno::NOENT),
            (Stage::Exec, Errno::ACCESS),
            (Stage::Directory, Errno::NOENT),
            (Stage::Namespace, Errno::AGAIN),
            (Stage::Namespace, Errno::NOMEM),
            (Stage::Descriptors, Errno::MFILE),
            (Stage::Arguments, Errno::INVAL),
            (Stage::Proc, Errno::PERM),
        ] {
            assert_eq!(outcome([Err(error), Ok(()), Ok(())]), (Err(error.0), vec![], 1));
        }
    }

    #[test]
    fn where_none_works_the_first_says_why() {
        let absent = Err((Stage::Engine, Errno::NOSYS));
        let refused = Err((Stage::Namespace, Errno::PERM));
        assert_eq!(outcome([refused, absent, absent]), (Err(Stage::Namespace), vec![], 3));
    }
}
