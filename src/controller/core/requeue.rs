//! When to come back.

use std::time::Duration;

use rand::RngExt;

/// How long an object waits after its pass panicked, if the pass did not report that on the object.
pub(super) const PAUSE_AFTER_PANIC: Duration = Duration::from_mins(1);

/// When to come back to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// When it changes.
    OnChange,
    /// After this time, or when it changes.
    After(Duration),
}

impl Next {
    /// The same, but after this time at the latest.
    #[must_use]
    pub(crate) fn no_later_than(self, most: Duration) -> Self {
        match self {
            Self::OnChange => Self::After(most),
            Self::After(wait) => Self::After(wait.min(most)),
        }
    }
}

/// Adds up to a fifth at random, so that what failed together is not retried together.
#[must_use]
pub(crate) fn spread(wait: Duration) -> Duration {
    wait + wait.mul_f64(rand::rng().random_range(0.0..0.2))
}
