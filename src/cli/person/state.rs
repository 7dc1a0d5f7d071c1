//! What the status of a PushSecret, or of an object that makes others, reports.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::explanation::Explanation;
use crate::api::v1::condition::READY;
use crate::api::v1::{Condition, ConditionStatus};
use crate::cli::harmless;
use crate::controller::core::conditions;
use crate::sync::one_line::on_one_line;

/// What an object's status reports.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct State {
    /// Its condition Ready, if it has one.
    pub(in crate::cli) ready: Option<ConditionStatus>,
    /// When that condition last changed.
    pub(in crate::cli) since: Option<Timestamp>,
    /// Why it is not Ready, in one word.
    pub(in crate::cli) cause: Option<String>,
    pub(in crate::cli) message: String,
    pub(in crate::cli) explanation: Option<Explanation>,
    /// Whether the controller has handled its current generation.
    pub(in crate::cli) is_observed: bool,
}

/// The parts of a status from which that is learned.
#[derive(Clone, Copy)]
pub(super) struct Reported<'a> {
    pub(super) conditions: &'a [Condition],
    /// Why it is not Ready, in one word.
    pub(super) cause: Option<&'a str>,
    /// The generation that the controller has handled.
    pub(super) observed: Option<i64>,
}

/// Finds the meaning of a cause and a message.
pub(super) type Explain = fn(Option<&str>, &str) -> Option<Explanation>;

impl State {
    pub(super) fn of(meta: &ObjectMeta, reported: Reported<'_>, explain: Explain) -> Self {
        let Reported { conditions, cause, observed } = reported;
        let ready = conditions::find(conditions, READY);
        let message = ready.and_then(|ready| ready.message.as_deref()).map(on_one_line).unwrap_or_default();
        let is_failed = ready.is_some_and(|ready| ready.status == ConditionStatus::False);
        let told = cause.filter(|cause| !cause.is_empty());
        let explanation = is_failed.then(|| explain(told, &message)).flatten();
        let observed = observed.or_else(|| ready.and_then(|ready| ready.observed_generation));
        Self {
            ready: ready.map(|ready| ready.status),
            since: ready.and_then(|ready| ready.last_transition_time.as_ref()).map(|time| time.0),
            cause: told.map(harmless::word).or_else(|| explanation.map(|explanation| explanation.cause.to_owned())),
            message: harmless::told(&message),
            explanation,
            // ESO does not report which generation it has handled.
            is_observed: match (meta.generation, observed) {
                (Some(generation), Some(observed)) => observed >= generation,
                _ => ready.is_some(),
            },
        }
    }

    /// Whether it is Ready in its current form.
    pub(in crate::cli) fn is_ready(&self) -> bool {
        self.ready == Some(ConditionStatus::True) && self.is_observed
    }

    /// What there is to report; `None` if it is healthy.
    pub(super) fn says(&self) -> Option<String> {
        match self {
            Self { ready: None, .. } => Some("the controller has not processed it yet".to_owned()),
            Self { is_observed: false, .. } => {
                Some("the controller has not processed it since it was changed".to_owned())
            }
            Self { ready: Some(ConditionStatus::True), .. } => None,
            Self { cause: Some(cause), message, .. } => Some(format!("{cause}: {message}")),
            Self { message, .. } => Some(message.clone()),
        }
    }
}
