//! Whether the generator of a PushSecret generates new values, or the pushed ones stay.
//!
//! A generated value cannot be reproduced, and it exists only in the vault. So it stays there until it is due or somebody requests
//! another; a restart, a retry, or a change of a label or of a store replaces none. The status records when values were generated:
//! [`PushGenerated`].

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use super::interval::interval;
use crate::api::v1alpha1::push_secret::{PushGenerated, UpdatePolicy};
use crate::api::v1alpha1::{PushSecretSpec, PushSecretStatus};
use crate::sync::minting::force;

/// What happens to the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Generate them.
    Mint(Cause),
    /// Keep those in the vault, if all of them exist.
    Keep,
}

/// Why values are generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// None were generated before, as far as is known.
    New,
    /// The spec has changed since.
    SpecChanged,
    /// A person requested it with the annotation `force-sync`.
    Forced,
    /// They have expired, or are due.
    Due,
}

/// Decides whether values are generated.
#[must_use]
pub fn decide(meta: &ObjectMeta, spec: &PushSecretSpec, status: &PushSecretStatus, now: Timestamp) -> Decision {
    let Some(last) = last(status) else { return Decision::Mint(Cause::New) };
    if last.generation != meta.generation {
        return Decision::Mint(Cause::SpecChanged);
    }
    // Existing objects are not updated, whatever is requested.
    if spec.update_policy == UpdatePolicy::IfNotExists {
        return Decision::Keep;
    }
    // A status written by ESO does not say what was requested before.
    let asked = force(meta);
    if status.generated.is_some() && asked.is_some() && asked != last.forced {
        return Decision::Mint(Cause::Forced);
    }
    match over(&last, spec) {
        Some(end) if end <= now => Decision::Mint(Cause::Due),
        _ => Decision::Keep,
    }
}

/// When generated values are due; `None` if they stay until something changes.
#[must_use]
pub fn over(last: &PushGenerated, spec: &PushSecretSpec) -> Option<Timestamp> {
    let interval = interval(spec)?;
    let made = last.made_at.as_ref()?.0;
    let by_interval = made.checked_add(interval).ok();
    let by_life = last.until.as_ref().and_then(|until| {
        let life = until.0.duration_since(made);
        made.checked_add(Duration::try_from(life).ok()?.mul_f64(2.0 / 3.0)).ok()
    });
    by_interval.into_iter().chain(by_life).min()
}

/// The last generated values: as recorded, or according to a status that ESO wrote.
fn last(status: &PushSecretStatus) -> Option<PushGenerated> {
    if let Some(generated) = &status.generated {
        return Some(generated.clone());
    }
    let (generation, _) = status.synced_resource_version.as_deref()?.split_once('-')?;
    Some(PushGenerated {
        made_at: Some(status.refresh_time.clone()?),
        generation: Some(generation.parse().ok()?),
        ..PushGenerated::default()
    })
}

/// The record of generated values.
#[must_use]
pub fn record(meta: &ObjectMeta, made: Timestamp, until: Option<Timestamp>) -> PushGenerated {
    let seconds = |time: Timestamp| Time(Timestamp::from_second(time.as_second()).unwrap_or(time));
    PushGenerated {
        made_at: Some(seconds(made)),
        generation: meta.generation,
        until: until.map(seconds),
        forced: force(meta),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn spec(more: &Value) -> PushSecretSpec {
        let mut spec = json!({"refreshInterval": "1h", "secretStoreRefs": [], "selector": {}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    fn meta(generation: i64, asked: Option<&str>) -> ObjectMeta {
        let annotations = asked.map(|text| [("force-sync".to_owned(), text.to_owned())].into());
        ObjectMeta { generation: Some(generation), annotations, ..ObjectMeta::default() }
    }

    fn made() -> PushSecretStatus {
        let generated = record(&meta(1, Some("asked")), time("2026-01-01T00:00:00.5Z"), None);
        PushSecretStatus { generated: Some(generated), ..PushSecretStatus::default() }
    }

    #[rstest]
    #[case::a_restart_or_a_retry(json!({}), 1, Some("asked"), "2026-01-01T00:59:59Z", Decision::Keep)]
    #[case::the_annotation_is_taken_off(json!({}), 1, None, "2026-01-01T00:00:01Z", Decision::Keep)]
    #[case::the_interval_is_over(json!({}), 1, Some("asked"), "2026-01-01T01:00:00Z", Decision::Mint(Cause::Due))]
    #[case::asked_for(json!({}), 1, Some("anew"), "2026-01-01T00:00:01Z", Decision::Mint(Cause::Forced))]
    #[case::another_spec(json!({}), 2, Some("asked"), "2026-01-01T00:00:01Z", Decision::Mint(Cause::SpecChanged))]
    #[case::no_interval(json!({"refreshInterval": "0"}), 1, Some("asked"), "2030-01-01T00:00:00Z", Decision::Keep)]
    #[case::if_not_exists(
        json!({"updatePolicy": "IfNotExists"}), 1, Some("anew"), "2030-01-01T00:00:00Z", Decision::Keep
    )]
    fn a_minted_value_stays_until_it_is_due_or_asked_for(
        #[case] more: Value,
        #[case] generation: i64,
        #[case] asked: Option<&str>,
        #[case] now: &str,
        #[case] decision: Decision,
    ) {
        assert_eq!(decide(&meta(generation, asked), &spec(&more), &made(), time(now)), decision);
    }

    #[test]
    fn what_eso_pushed_counts_as_made_at_its_last_refresh() {
        let status: PushSecretStatus = serde_json::from_value(json!({
            "refreshTime": "2026-01-01T00:00:00Z", "syncedResourceVersion": "3-abc",
        }))
        .unwrap();
        let decide = |generation, now| decide(&meta(generation, Some("x")), &spec(&json!({})), &status, time(now));
        assert_eq!(decide(3, "2026-01-01T00:30:00Z"), Decision::Keep);
        assert_eq!(decide(3, "2026-01-01T01:00:00Z"), Decision::Mint(Cause::Due));
        assert_eq!(decide(4, "2026-01-01T00:30:00Z"), Decision::Mint(Cause::SpecChanged));
        let none = PushSecretStatus::default();
        let first = super::decide(&meta(1, None), &spec(&json!({})), &none, time("2026-01-01T00:00:00Z"));
        assert_eq!(first, Decision::Mint(Cause::New));
    }

    #[test]
    fn a_token_is_asked_for_anew_after_two_thirds_of_its_life() {
        let until = Some(time("2026-01-01T00:30:00Z"));
        let last = record(&meta(1, None), time("2026-01-01T00:00:00Z"), until);
        assert_eq!(over(&last, &spec(&json!({}))), Some(time("2026-01-01T00:20:00Z")));
        assert_eq!(over(&last, &spec(&json!({"refreshInterval": "5m"}))), Some(time("2026-01-01T00:05:00Z")));
        assert_eq!(over(&last, &spec(&json!({"refreshInterval": "0"}))), None);
    }
}
