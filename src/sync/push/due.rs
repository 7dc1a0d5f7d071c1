//! When a push is due.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::GoDuration;
use crate::api::v1alpha1::push_secret::DEFAULT_REFRESH_INTERVAL;
use crate::api::v1alpha1::{PushSecretSpec, PushSecretStatus};
use crate::sync::hash;
use crate::sync::refresh::{Due, Reason, SHORTEST_INTERVAL, jitter};

/// Whether a push is due: at a change of the PushSecret, and when the interval has passed since the last that succeeded.
#[must_use]
pub fn due(meta: &ObjectMeta, spec: &PushSecretSpec, status: Option<&PushSecretStatus>, now: Timestamp) -> Due {
    let synced = status.and_then(|status| status.synced_resource_version.as_deref()).filter(|text| !text.is_empty());
    let last = status.and_then(|status| status.refresh_time.as_ref()).map(|time| time.0);
    let (Some(synced), Some(last)) = (synced, last) else { return Due::Now(Reason::First) };
    if synced != hash::synced_resource_version(meta) {
        return Due::Now(Reason::Changed);
    }
    let Some(interval) = interval(spec) else { return Due::OnChange };
    if last > now {
        return Due::Now(Reason::ClockWentBack);
    }
    match last.checked_add(interval + jitter(meta, last, interval)) {
        Ok(next) if next > now => Due::At(next),
        Ok(_) => Due::Now(Reason::Interval),
        // Beyond the range of time.
        Err(_) => Due::OnChange,
    }
}

/// How often a push is due; `None` where only changes count. A duration that is none counts as if none were given.
#[must_use]
pub fn interval(spec: &PushSecretSpec) -> Option<Duration> {
    let given = spec.refresh_interval.as_deref().and_then(|text| text.parse::<GoDuration>().ok());
    given.unwrap_or(DEFAULT_REFRESH_INTERVAL).positive().map(|interval| interval.max(SHORTEST_INTERVAL))
}
