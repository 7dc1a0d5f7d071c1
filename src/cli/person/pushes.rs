//! The summary of one PushSecret, derived from the object alone.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::explanation;
use super::overview::{LATE, Next, ready_word};
use super::printing::ago;
use super::state::{Reported, State};
use crate::api::v1::ConditionStatus;
use crate::api::v1alpha1::{PushSecret, PushSecretSpec};
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::key::StoreKey;
use crate::provider::error::Retry;
use crate::sync::push::due::due;
use crate::sync::push::interval::interval;
use crate::sync::refresh::Due;

/// The summary of a PushSecret.
#[derive(Clone, Debug)]
pub(in crate::cli) struct PushOverview {
    pub(in crate::cli) key: ObjectKey,
    /// The stores that it names.
    pub(in crate::cli) stores: Vec<StoreKey>,
    /// Whether it also selects stores by labels.
    selects_stores: bool,
    /// How many objects it has written, or is about to.
    pub(in crate::cli) objects: usize,
    pub(in crate::cli) state: State,
    /// When it was last pushed.
    pub(in crate::cli) pushed_at: Option<Timestamp>,
    pub(in crate::cli) next: Next,
    /// Whether a push is overdue.
    pub(in crate::cli) is_stale: bool,
}

impl PushOverview {
    pub(in crate::cli) fn of(object: &PushSecret, now: Timestamp) -> Self {
        let meta = &object.metadata;
        let key = ObjectKey::of(meta);
        let status = object.status.clone().unwrap_or_default();
        let reported = Reported {
            conditions: &status.conditions,
            cause: status.cause.as_deref(),
            observed: status.observed_generation,
        };
        let state = State::of(meta, reported, explanation::of_push);
        let spec = object.spec.get().ok();
        let due = spec.map(|spec| due(meta, spec, Some(&status), now));
        let pushed_at = status.refresh_time.as_ref().map(|time| time.0);
        let next = match (state.ready, due) {
            (Some(ConditionStatus::False), _) => match state.explanation.map(|explanation| explanation.retry) {
                Some(Retry::OnChange) => Next::Never("it waits for a change"),
                _ => Next::Retried,
            },
            (_, Some(Due::At(time))) => Next::At(time),
            (_, Some(Due::OnChange)) => Next::Never("refreshInterval 0"),
            (_, Some(Due::Now(_)) | None) => Next::Now,
        };
        let is_late = spec.zip(pushed_at).is_some_and(|(spec, last)| is_late(spec, last, now));
        Self {
            stores: spec.map(|spec| stores(spec, &key.namespace)).unwrap_or_default(),
            selects_stores: spec
                .is_some_and(|spec| spec.secret_store_refs.iter().any(|reference| reference.label_selector.is_some())),
            objects: status.synced_push_secrets.values().map(std::collections::BTreeMap::len).sum(),
            pushed_at,
            next,
            is_stale: is_late && matches!(due, Some(Due::Now(_))),
            state,
            key,
        }
    }

    /// The stores that it writes to, as people type them.
    pub(in crate::cli) fn store(&self) -> String {
        let mut names: Vec<_> = self.stores.iter().map(super::names::short).collect();
        if self.selects_stores {
            names.push("by labels".to_owned());
        }
        match names.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [first, more @ ..] => format!("{first} +{}", more.len()),
        }
    }

    /// When it was last pushed, in words.
    pub(in crate::cli) fn pushed(&self, now: Timestamp) -> String {
        self.pushed_at.map_or_else(|| "never".to_owned(), |then| ago(then, now))
    }

    /// What else there is to report; nothing if it is healthy.
    pub(in crate::cli) fn says(&self) -> String {
        let overdue = || self.is_stale.then(|| "a push is overdue: does the controller run?".to_owned());
        self.state.says().or_else(overdue).unwrap_or_default()
    }

    /// For programs to read.
    pub(in crate::cli) fn document(&self) -> Value {
        let State { since, cause, message, is_observed, .. } = &self.state;
        json!({
            "namespace": self.key.namespace,
            "name": self.key.name,
            "stores": self.stores.iter().map(|key| json!({"kind": key.kind.name(), "name": key.object.name})).collect::<Vec<_>>(),
            "objects": self.objects,
            "ready": Some(ready_word(self.state.ready)).filter(|word| !word.is_empty()),
            "since": since.map(|time| time.to_string()),
            "pushedAt": self.pushed_at.map(|time| time.to_string()),
            "due": self.next.document(),
            "stale": self.is_stale,
            "observed": is_observed,
            "cause": cause,
            "message": message,
        })
    }
}

/// The stores that a spec names.
fn stores(spec: &PushSecretSpec, namespace: &str) -> Vec<StoreKey> {
    let named = spec.secret_store_refs.iter().filter(|reference| reference.label_selector.is_none());
    let keys = named.filter_map(|reference| {
        Some(StoreKey::referenced(reference.kind.unwrap_or_default(), namespace, reference.name.as_deref()?))
    });
    keys.collect()
}

/// Whether a push is overdue by more than the jitter. The condition may still be Ready.
fn is_late(spec: &PushSecretSpec, last: Timestamp, now: Timestamp) -> bool {
    let Some(interval) = interval(spec) else { return false };
    let allowed = SignedDuration::try_from(interval.mul_f64(1.05)).unwrap_or(SignedDuration::MAX).saturating_add(LATE);
    now.duration_since(last) > allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::hash;

    fn overview(spec: &Value, status: &Value) -> PushOverview {
        let mut object: PushSecret = serde_json::from_value(json!({
            "metadata": {"namespace": "shop", "name": "db", "uid": "u", "generation": 2},
            "spec": spec, "status": status,
        }))
        .unwrap();
        if let Some(status) = &mut object.status
            && status.refresh_time.is_some()
        {
            status.synced_resource_version = Some(hash::synced_resource_version(&object.metadata));
        }
        PushOverview::of(&object, "2026-11-30T12:00:00Z".parse().unwrap())
    }

    fn spec() -> Value {
        json!({"refreshInterval": "1h", "secretStoreRefs": [{"name": "team"}], "selector": {"secret": {"name": "a"}}})
    }

    #[test]
    fn a_push_that_nobody_repeats_is_stale_and_one_that_failed_says_why() {
        let pushed = |at: &str| {
            let ready = json!({"type": "Ready", "status": "True", "observedGeneration": 2});
            overview(&spec(), &json!({"refreshTime": at, "observedGeneration": 2, "conditions": [ready]}))
        };
        assert_eq!(pushed("2026-11-30T11:50:00Z").says(), "");
        assert!(pushed("2026-11-30T10:00:00Z").says().contains("overdue"));
        assert_eq!(pushed("2026-11-30T11:50:00Z").store(), "store/team");
        let ready =
            json!({"type": "Ready", "status": "False", "message": "set secret failed: taken", "observedGeneration": 2});
        let failed = overview(&spec(), &json!({"cause": "Refused", "observedGeneration": 2, "conditions": [ready]}));
        assert_eq!(failed.says(), "Refused: set secret failed: taken");
        assert!(failed.state.explanation.unwrap().remedy.contains("Adopt"));
        assert_eq!(failed.next, Next::Retried);
        assert!(overview(&spec(), &json!({"observedGeneration": -1})).says().contains("not processed it yet"));
    }
}
