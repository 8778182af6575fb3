//! Events for the crate `tracing`, with the feature of that name; nothing without it.
//!
//! All are of the target `pidns` and the level DEBUG, and carry `init_pid`, by which those of a job belong together.

use std::ffi::OsStr;

use crate::{Change, Report};

/// A command runs.
pub(crate) fn launched(report: &Report, program: &OsStr) {
    #[cfg(feature = "tracing")]
    {
        for passed in &report.passed_over {
            let (engine, error) = (passed.engine.name(), passed.error);
            tracing::debug!(target: "pidns", engine, %error, "engine passed over");
        }
        tracing::debug!(
            target: "pidns",
            init_pid = report.init_pid,
            engine = report.engine.name(),
            number = report.number,
            program = %program.display(),
            launch = ?report.times.launch,
            "launched"
        );
    }
    #[cfg(not(feature = "tracing"))]
    let _ = (report, program);
}

/// A command was not started.
pub(crate) fn not_launched(error: crate::SpawnError, program: &OsStr) {
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "pidns", %error, program = %program.display(), "not launched");
    #[cfg(not(feature = "tracing"))]
    let _ = (error, program);
}

/// Something has become of a command.
pub(crate) fn changed(report: &Report, change: Change) {
    #[cfg(feature = "tracing")]
    {
        let status = report.status.map(tracing::field::display);
        tracing::debug!(target: "pidns", init_pid = report.init_pid, ?change, status, "changed");
    }
    #[cfg(not(feature = "tracing"))]
    let _ = (report, change);
}

/// All processes of a job are gone.
pub(crate) fn gone(report: &Report) {
    #[cfg(feature = "tracing")]
    tracing::debug!(
        target: "pidns",
        init_pid = report.init_pid,
        status = report.status.map(tracing::field::display),
        timed_out = report.timed_out,
        leaks = report.leaks.as_ref().map(Vec::len),
        run = ?report.times.run,
        zap = ?report.times.zap,
        "gone"
    );
    #[cfg(not(feature = "tracing"))]
    let _ = report;
}
