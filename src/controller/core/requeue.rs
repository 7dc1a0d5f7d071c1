//! When to come back.

use std::time::Duration;

use rand::RngExt;

/// When to come back to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// When something changes.
    OnChange,
    /// After this time, or sooner when something changes.
    After(Duration),
}

/// Spreads retries by up to a fifth, so that what failed together is not tried together.
#[must_use]
pub(crate) fn spread(wait: Duration) -> Duration {
    wait + wait.mul_f64(rand::rng().random_range(0.0..0.2))
}
