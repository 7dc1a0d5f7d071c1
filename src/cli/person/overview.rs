//! The summary of one ExternalSecret, derived from the object alone.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::explanation::{self, Explanation};
use super::names;
use super::printing::{ago, span};
use crate::api::v1::condition::READY;
use crate::api::v1::external_secret::{DEFAULT_REFRESH_INTERVAL, ExternalSecretStatus, RefreshPolicy};
use crate::api::v1::{Condition, ConditionStatus, ExternalSecret, ExternalSecretSpec};
use crate::cli::harmless;
use crate::controller::core::conditions;
use crate::controller::core::key::ObjectKey;
use crate::controller::external_secret::index::stores_of;
use crate::controller::store_access::key::StoreKey;
use crate::provider::error::Retry;
use crate::sync::one_line::on_one_line;
use crate::sync::refresh::{self, Due, Inputs, TargetState, TemplatesState};
use crate::sync::target::target_name;

/// How long past its due time, including the jitter, a refresh counts as late: then no controller is handling the
/// object.
pub(super) const LATE: SignedDuration = SignedDuration::from_mins(1);

/// The summary of an ExternalSecret.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Overview {
    pub(in crate::cli) key: ObjectKey,
    /// The stores that it reads.
    pub(in crate::cli) stores: Vec<StoreKey>,
    pub(in crate::cli) target: String,
    /// Its condition Ready, if it has one.
    pub(in crate::cli) ready: Option<ConditionStatus>,
    /// When that condition last changed.
    pub(in crate::cli) since: Option<Timestamp>,
    /// When it was last synced.
    pub(in crate::cli) synced_at: Option<Timestamp>,
    pub(in crate::cli) next: Next,
    /// Why it is not Ready, in one word.
    pub(in crate::cli) cause: Option<String>,
    pub(in crate::cli) message: String,
    pub(in crate::cli) explanation: Option<Explanation>,
    /// Whether a refresh is overdue.
    pub(in crate::cli) is_stale: bool,
    /// Whether the controller has handled its current generation.
    pub(in crate::cli) is_observed: bool,
}

/// When the controller will handle it next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Next {
    /// It has not been handled yet, or a refresh is due.
    Now,
    /// The next refresh is due at this time.
    At(Timestamp),
    /// It failed and will be retried with backoff.
    Retried,
    /// Never by itself, for this reason.
    Never(&'static str),
}

impl Next {
    /// In words.
    pub(in crate::cli) fn in_words(self, now: Timestamp) -> String {
        match self {
            Self::Now => "now".to_owned(),
            Self::At(time) => format!("in {}", span(time.duration_since(now))),
            Self::Retried => "retried within 5m".to_owned(),
            Self::Never(why) => format!("never: {why}"),
        }
    }

    pub(super) fn document(self) -> Value {
        match self {
            Self::Now => json!({"now": true}),
            Self::At(time) => json!({"at": time.to_string()}),
            Self::Retried => json!({"retried": "with backoff"}),
            Self::Never(why) => json!({"never": why}),
        }
    }
}

impl Overview {
    pub(in crate::cli) fn of(object: &ExternalSecret, now: Timestamp) -> Self {
        let meta = &object.metadata;
        let key = ObjectKey::of(meta);
        let status = object.status.as_ref();
        let ready = status.and_then(|status| conditions::find(&status.conditions, READY));
        let spec = object.spec.get().ok();
        let message = ready.and_then(|ready| ready.message.as_deref()).map(on_one_line).unwrap_or_default();
        let is_failed = ready.is_some_and(|ready| ready.status == ConditionStatus::False);
        let told = status.and_then(|status| status.cause.as_deref()).filter(|cause| !cause.is_empty());
        let explanation = is_failed.then(|| explanation::of(told, &message)).flatten();
        let cause = told.map(harmless::word).or_else(|| explanation.map(|explanation| explanation.cause.to_owned()));
        let synced_at = status.and_then(|status| status.refresh_time.as_ref()).map(|time| time.0);
        let next = match (spec, is_failed) {
            (_, true) => match explanation.map(|explanation| explanation.retry) {
                Some(Retry::OnChange) => Next::Never("it waits for a change"),
                _ => Next::Retried,
            },
            (Some(spec), false) => next(object, spec, now),
            (None, false) => Next::Now,
        };
        Self {
            stores: spec.map(|spec| stores_of(spec, &key.namespace)).unwrap_or_default(),
            target: spec.map(|spec| target_name(meta, spec).to_owned()).unwrap_or_default(),
            ready: ready.map(|ready| ready.status),
            since: ready.and_then(|ready| ready.last_transition_time.as_ref()).map(|time| time.0),
            synced_at,
            is_stale: spec.is_some_and(|spec| is_stale(object, spec, synced_at, now)),
            is_observed: is_observed(meta.generation, status, ready),
            key,
            next,
            cause,
            message: harmless::told(&message),
            explanation,
        }
    }

    /// The store that it reads, as people type it.
    pub(in crate::cli) fn store(&self) -> String {
        match self.stores.as_slice() {
            [] => String::new(),
            [store] => names::short(store),
            [store, more @ ..] => format!("{} +{}", names::short(store), more.len()),
        }
    }

    /// Whether it is Ready, in a word.
    pub(in crate::cli) fn ready_word(&self) -> &'static str {
        ready_word(self.ready)
    }

    /// When it was last synced, in words.
    pub(in crate::cli) fn synced(&self, now: Timestamp) -> String {
        self.synced_at.map_or_else(|| "never".to_owned(), |then| ago(then, now))
    }

    /// What else there is to report, shortest first; nothing if it is healthy.
    pub(in crate::cli) fn says(&self) -> String {
        if self.ready.is_none() {
            return "the controller has not processed it yet".to_owned();
        }
        if !self.is_observed {
            return "the controller has not processed it since it was changed".to_owned();
        }
        if self.ready == Some(ConditionStatus::True) {
            return if self.is_stale {
                "a refresh is overdue: does the controller run?".to_owned()
            } else {
                String::new()
            };
        }
        match &self.cause {
            Some(cause) => format!("{cause}: {}", self.message),
            None => self.message.clone(),
        }
    }

    /// For programs to read.
    pub(in crate::cli) fn document(&self) -> Value {
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let store = |key: &StoreKey| json!({"kind": key.kind.name(), "name": key.object.name});
        json!({
            "namespace": self.key.namespace,
            "name": self.key.name,
            "store": self.stores.first().map(store),
            "stores": self.stores.iter().map(store).collect::<Vec<_>>(),
            "target": self.target,
            "ready": Some(self.ready_word()).filter(|word| !word.is_empty()),
            "since": time(self.since),
            "syncedAt": time(self.synced_at),
            "due": self.next.document(),
            "stale": self.is_stale,
            "observed": self.is_observed,
            "cause": self.cause,
            "message": self.message,
        })
    }
}

/// The status of a condition Ready, in a word; nothing if there is none.
pub(in crate::cli) const fn ready_word(ready: Option<ConditionStatus>) -> &'static str {
    match ready {
        Some(ConditionStatus::True) => "True",
        Some(ConditionStatus::False) => "False",
        Some(ConditionStatus::Unknown) => "Unknown",
        None => "",
    }
}

fn inputs<'a>(object: &'a ExternalSecret, spec: &'a ExternalSecretSpec, now: Timestamp) -> Inputs<'a> {
    Inputs {
        meta: &object.metadata,
        spec,
        status: object.status.as_ref(),
        target: TargetState::Intact,
        templates: TemplatesState::Same,
        token: None,
        now,
    }
}

fn next(object: &ExternalSecret, spec: &ExternalSecretSpec, now: Timestamp) -> Next {
    match refresh::due(inputs(object, spec, now)) {
        Due::Now(_) => Next::Now,
        Due::At(time) => Next::At(time),
        Due::OnChange => Next::Never(match spec.refresh_policy {
            Some(RefreshPolicy::CreatedOnce) => "CreatedOnce",
            Some(RefreshPolicy::OnChange) => "OnChange",
            _ if spec.refresh_interval.unwrap_or(DEFAULT_REFRESH_INTERVAL).positive().is_none() => "refreshInterval 0",
            _ => "syncWindows never open",
        }),
    }
}

/// Whether a periodic refresh is overdue. The condition may still be Ready.
fn is_stale(object: &ExternalSecret, spec: &ExternalSecretSpec, last: Option<Timestamp>, now: Timestamp) -> bool {
    let Some(last) = last else { return false };
    let Some(interval) = spec.refresh_interval.unwrap_or(DEFAULT_REFRESH_INTERVAL).positive() else { return false };
    let allowed = SignedDuration::try_from(interval.mul_f64(1.05)).unwrap_or(SignedDuration::MAX).saturating_add(LATE);
    now.duration_since(last) > allowed && matches!(refresh::due(inputs(object, spec, now)), Due::Now(_))
}

/// Whether the controller has handled a generation. ESO does not report that.
fn is_observed(generation: Option<i64>, status: Option<&ExternalSecretStatus>, ready: Option<&Condition>) -> bool {
    let observed = status
        .and_then(|status| status.observed_generation)
        .or_else(|| ready.and_then(|ready| ready.observed_generation));
    match (generation, observed) {
        (Some(generation), Some(observed)) => observed >= generation,
        _ => ready.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::hash;

    const NOW: &str = "2026-11-30T12:00:00Z";

    fn object(spec: &Value, status: &Value) -> ExternalSecret {
        let mut object: ExternalSecret = serde_json::from_value(json!({
            "metadata": {"namespace": "shop", "name": "db", "uid": "u", "generation": 2},
            "spec": spec, "status": status,
        }))
        .unwrap();
        if let Some(status) = &mut object.status
            && status.refresh_time.is_some()
        {
            status.synced_resource_version = Some(hash::synced_resource_version(&object.metadata));
        }
        object
    }

    fn overview(spec: &Value, status: &Value) -> Overview {
        Overview::of(&object(spec, status), NOW.parse().unwrap())
    }

    fn synced(at: &str) -> Value {
        json!({"refreshTime": at, "observedGeneration": 2, "conditions": [{"type": "Ready", "status": "True"}]})
    }

    #[test]
    fn the_next_refresh_is_shown_or_why_there_is_none() {
        let fresh = || synced("2026-11-30T11:56:00Z");
        let next = |spec| overview(&spec, &fresh()).next.in_words(NOW.parse().unwrap());
        assert!(next(json!({"refreshInterval": "1h"})).starts_with("in 5"), "56 minutes and the jitter");
        assert_eq!(next(json!({"refreshPolicy": "CreatedOnce"})), "never: CreatedOnce");
        assert_eq!(next(json!({"refreshInterval": "0"})), "never: refreshInterval 0");
    }

    #[test]
    fn a_ready_one_that_nobody_refreshes_is_stale() {
        let of = |at| overview(&json!({"refreshInterval": "1h"}), &synced(at));
        assert!(!of("2026-11-30T11:00:00Z").is_stale, "the jitter is not over");
        let stale = of("2026-11-30T10:00:00Z");
        assert!(stale.is_stale && stale.says().contains("overdue"), "{}", stale.says());
        let once = overview(&json!({"refreshPolicy": "CreatedOnce"}), &synced("2020-01-01T00:00:00Z"));
        assert!(!once.is_stale);
    }

    #[test]
    fn a_failure_shows_its_cause_even_if_the_status_does_not_keep_it() {
        let message =
            "could not get secret data from provider: spec.data[0]: secret \"a\" (SecretNotFound): check the name";
        let failed = |cause: &Value| {
            let ready = json!({"type": "Ready", "status": "False", "message": message, "observedGeneration": 2});
            overview(&json!({}), &json!({"cause": cause, "conditions": [ready]}))
        };
        for cause in [json!("SecretNotFound"), Value::Null] {
            let overview = failed(&cause);
            assert_eq!(overview.cause.as_deref(), Some("SecretNotFound"));
            assert_eq!(overview.next, Next::Retried);
        }
    }

    #[test]
    fn an_object_changed_since_its_last_sync_is_not_shown_as_ready() {
        let mut status = synced("2026-11-30T11:59:00Z");
        status["observedGeneration"] = json!(1);
        assert!(overview(&json!({}), &status).says().contains("has not processed it"));
        let new = overview(&json!({}), &json!({"observedGeneration": -1}));
        assert_eq!((new.next, new.ready_word()), (Next::Now, ""));
    }
}
