//! How often a push is due.

use std::time::Duration;

use crate::api::GoDuration;
use crate::api::v1alpha1::PushSecretSpec;
use crate::api::v1alpha1::push_secret::DEFAULT_REFRESH_INTERVAL;
use crate::sync::refresh::SHORTEST_INTERVAL;

/// How often a push is due; `None` if only changes count. An invalid duration counts as a missing one.
#[must_use]
pub fn interval(spec: &PushSecretSpec) -> Option<Duration> {
    let given = spec.refresh_interval.as_deref().and_then(|text| text.parse::<GoDuration>().ok());
    given.unwrap_or(DEFAULT_REFRESH_INTERVAL).positive().map(|interval| interval.max(SHORTEST_INTERVAL))
}
