//! What works here, and why the rest does not.
//!
//! ```text
//! Facts::collect()  -->  Facts  --diagnose()-->  Diagnosis: a Verdict for each engine, with a Cause
//! ```
//!
//! [`Facts`] is plain data: what happened when each engine was tried, and what this place is like. [`collect`] fills it
//! from the machine and decides nothing; [`diagnose`] is a pure function of it, so that places which no test machine
//! can be made into are tested by facts that are made up. [`Cause`] is the vocabulary: what stands in the way, and what
//! would remove it.
//!
//! ```
//! let diagnosis = pidns::probe::Facts::collect().diagnose();
//! for verdict in &diagnosis.verdicts {
//!     if let Some((error, cause)) = verdict.trouble() {
//!         println!("{}: {error}, because {cause}", verdict.engine().name());
//!     }
//! }
//! // What commands are run with here, unless they say otherwise.
//! let auto = diagnosis.auto();
//! # let _ = auto;
//! ```
//!
//! [`Engine::Auto`](crate::Engine::Auto) needs none of this: it tries the engines themselves.

mod cause;
mod collect;
mod diagnose;
mod facts;
#[cfg(test)]
mod tests;

pub use cause::{Cause, Remedy};
pub use diagnose::{Diagnosis, Verdict};
pub use facts::{Attempt, Caller, Clones, Facts, Host, Proc, Sysctls, Trials};
