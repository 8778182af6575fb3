//! Bugs planted on purpose, so that the proofs can show that they would find them. Without the feature `check` none can be.

use crate::set::TaskSet;

/// A rule to break on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(
    not(any(test, feature = "check")),
    expect(unreachable_pub, reason = "exported for tests only")
)]
pub enum Bug {
    /// The namespace is destroyed when init's leader exits, though another thread lives (breaks REP-12, REP-15).
    ZapWhenTheLeaderExits,
    /// Nested inits survive the zap (breaks ZAP-09).
    ZapSparesNestedInits,
    /// Init does not wait until its members are gone (breaks ZAP-05, ZAP-06).
    ZapForgetsTheCount,
    /// Init has no protection against SIGKILL from inside (breaks SIG-01).
    InitDiesFromInside,
}

impl<G, T> TaskSet<G, T> {
    /// Says whether a rule is to be broken.
    #[cfg(any(test, feature = "check"))]
    pub(crate) fn has_bug(&self, bug: Bug) -> bool {
        self.planted == Some(bug)
    }

    /// Says whether a rule is to be broken: never.
    #[cfg(not(any(test, feature = "check")))]
    pub(crate) fn has_bug(&self, _: Bug) -> bool {
        false
    }
}
