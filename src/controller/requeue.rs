//! When to come back.

use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action;
use rand::RngExt;

use crate::sync::refresh::Due;

/// Comes back when a refresh is due.
#[must_use]
pub fn until(due: Due, now: Timestamp) -> Action {
    match due {
        Due::Now(_) => Action::requeue(Duration::ZERO),
        Due::At(time) => Action::requeue(time.duration_since(now).unsigned_abs()),
        Due::OnChange => Action::await_change(),
    }
}

/// Spreads retries by up to a fifth, so that what failed together is not tried together.
#[must_use]
pub fn spread(wait: Duration) -> Duration {
    wait + wait.mul_f64(rand::rng().random_range(0.0..0.2))
}
