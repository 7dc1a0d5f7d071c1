//! When a push is due.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::interval::interval;
use super::minting;
use crate::api::v1alpha1::{PushSecretSpec, PushSecretStatus};
use crate::sync::hash;
use crate::sync::refresh::{Due, Reason, jitter};

/// Whether a push is due: after a change of the PushSecret, and when the interval since the last successful push has passed.
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
    let by_interval = last.checked_add(interval + jitter(meta, last, interval));
    let generated = status.and_then(|status| status.generated.as_ref());
    // A generated token expires, however long the interval is.
    let by_life = generated.filter(|made| made.until.is_some()).and_then(|made| minting::over(made, spec));
    match (by_interval, by_life) {
        (_, Some(end)) if end <= now => Due::Now(Reason::Expiry),
        (Ok(next), _) if next <= now => Due::Now(Reason::Interval),
        (Ok(next), end) => Due::At(end.map_or(next, |end| end.min(next))),
        // The time is out of range.
        (Err(_), Some(end)) => Due::At(end),
        (Err(_), None) => Due::OnChange,
    }
}
