//! When to come back.

use std::time::Duration;

use jiff::Timestamp;
use rand::RngExt;

use crate::sync::refresh::Due;

/// When to come back to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// When something changes.
    OnChange,
    /// After this time, or sooner when something changes.
    After(Duration),
}

/// Comes back when a refresh is due.
#[must_use]
pub fn until(due: Due, now: Timestamp) -> Next {
    match due {
        Due::Now(_) => Next::After(Duration::ZERO),
        Due::At(time) => Next::After(time.duration_since(now).unsigned_abs()),
        Due::OnChange => Next::OnChange,
    }
}

/// Spreads retries by up to a fifth, so that what failed together is not tried together.
#[must_use]
pub fn spread(wait: Duration) -> Duration {
    wait + wait.mul_f64(rand::rng().random_range(0.0..0.2))
}
