//! The status of a ClusterExternalSecret.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::step::Outcome;
use crate::api::v1::cluster_external_secret::FailedNamespace;
use crate::api::v1::condition::READY;
use crate::api::v1::{ClusterExternalSecretStatus, Condition, ConditionStatus};
use crate::sync::failed_namespaces::{MOST_LISTED, first, reason};
use crate::sync::one_line::{on_one_line, shortened};

/// The condition for whether the ExternalSecrets themselves are Ready. ESO has no such condition.
pub const EXTERNAL_SECRETS_READY: &str = "ExternalSecretsReady";

/// The longest message.
const LONGEST_MESSAGE: usize = 1024;

/// The namespace that ESO lists if it cannot determine which ones are selected.
pub const UNKNOWN_NAMESPACE: &str = "unknown";

/// The content of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement {
    /// Each namespace has its ExternalSecret.
    Provisioned,
    /// Some namespaces do not.
    NamespacesFailed,
    /// The spec is invalid.
    InvalidSpec,
    /// All ExternalSecrets are Ready.
    AllReady,
    /// Some are not.
    NotReady,
}

/// How a [`Statement`] is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// The condition's type.
    pub type_: &'static str,
    /// Its status.
    pub status: ConditionStatus,
    /// Its reason.
    pub reason: &'static str,
    /// The first words of its message, which are ESO's if ESO has such a message; `None` if there is no message.
    pub lead: Option<&'static str>,
    /// What a person can do about it.
    pub remedy: &'static str,
}

impl Statement {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Provisioned, Self::NamespacesFailed, Self::InvalidSpec, Self::AllReady, Self::NotReady];

    /// The table, from which `docs/conditions.md` is generated.
    #[must_use]
    pub const fn said(self) -> Said {
        const FAILED: Option<&str> = Some("one or more namespaces failed");
        let (type_, status, reason, lead, remedy) = match self {
            Self::Provisioned => (READY, ConditionStatus::True, "Provisioned", None, "Nothing."),
            Self::NamespacesFailed => (
                READY,
                ConditionStatus::False,
                "NamespacesFailed",
                FAILED,
                "Look at `status.failedNamespaces`. Each namespace is tried again by itself.",
            ),
            Self::InvalidSpec => (
                READY,
                ConditionStatus::False,
                "InvalidSpec",
                FAILED,
                "Correct the field that the message names. The ExternalSecrets stay as they are until then.",
            ),
            Self::AllReady => (EXTERNAL_SECRETS_READY, ConditionStatus::True, "AllReady", None, "Nothing."),
            Self::NotReady => (
                EXTERNAL_SECRETS_READY,
                ConditionStatus::False,
                "NotReady",
                Some("not all ExternalSecrets are ready"),
                "Look at the conditions of the ExternalSecrets in the namespaces that are named.",
            ),
        };
        Said { type_, status, reason, lead, remedy }
    }
}

/// What is known of a ClusterExternalSecret.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The `metadata.generation` that was reconciled.
    pub generation: Option<i64>,
    /// The value with which a comparison of all namespaces was requested.
    pub refresh: Option<String>,
    /// The name of the ExternalSecrets; `None` if the spec cannot be read.
    pub name: Option<&'a str>,
    /// The outcome in each namespace.
    pub outcomes: &'a BTreeMap<String, Outcome>,
    /// Why the spec is invalid.
    pub fault: Option<&'a Fault>,
    /// Whether some namespaces have not been processed yet.
    pub is_pending: bool,
    /// The provisioned namespaces whose ExternalSecret is not Ready, sorted.
    pub not_ready: &'a [String],
    /// The number of ExternalSecrets in provisioned namespaces.
    pub children: usize,
    /// The time now.
    pub now: Timestamp,
}

/// Why a spec is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is unknown which namespaces are selected.
    #[error("{0}")]
    Selector(String),
    /// A field is invalid.
    #[error("{0}")]
    Field(String),
}

/// The status for these facts. Conditions that are the same in `before` keep their time.
#[must_use]
pub fn status(facts: &Facts<'_>, before: &ClusterExternalSecretStatus) -> ClusterExternalSecretStatus {
    let provisioned = facts.outcomes.iter().filter(|(_, outcome)| **outcome == Outcome::Provisioned);
    let failed = facts.outcomes.iter().filter_map(|(namespace, outcome)| match outcome {
        Outcome::Failed(why) => Some(FailedNamespace { namespace: namespace.clone(), reason: Some(reason(why)) }),
        Outcome::Provisioned | Outcome::Absent => None,
    });
    let mut failed: Vec<_> = failed.collect();
    if let Some(Fault::Selector(why)) = facts.fault {
        failed.push(FailedNamespace { namespace: UNKNOWN_NAMESPACE.to_owned(), reason: Some(reason(why)) });
        failed.sort_by(|one, other| one.namespace.cmp(&other.namespace));
    }
    let provisioned: Vec<_> = provisioned.map(|(namespace, _)| namespace.clone()).collect();
    let said = [(EXTERNAL_SECRETS_READY, of_children(facts, provisioned.len())), (READY, ready(facts, &failed))];
    let conditions = said.into_iter().filter_map(|(type_, said)| match said {
        Some((statement, more)) => Some(condition(statement, &more, facts, before)),
        // Not known yet, so it does not change.
        None => before.conditions.iter().find(|condition| condition.type_ == type_).cloned(),
    });
    let conditions = conditions.collect();
    let mut status = ClusterExternalSecretStatus {
        external_secret_name: facts.name.map(str::to_owned).or_else(|| before.external_secret_name.clone()),
        provisioned_namespaces: provisioned,
        failed_namespaces: failed,
        conditions,
        observed_generation: if facts.is_pending { before.observed_generation } else { facts.generation },
        last_handled_refresh: if facts.is_pending {
            before.last_handled_refresh.clone()
        } else {
            facts.refresh.clone()
        },
    };
    status.failed_namespaces.truncate(MOST_LISTED);
    status
}

/// The condition Ready and what follows the first words of its message; `None` while it is unknown.
fn ready(facts: &Facts<'_>, failed: &[FailedNamespace]) -> Option<(Statement, String)> {
    if let Some(Fault::Field(why)) = facts.fault {
        return Some((Statement::InvalidSpec, why.clone()));
    }
    if failed.is_empty() {
        return (!facts.is_pending).then(|| (Statement::Provisioned, String::new()));
    }
    let all = facts.outcomes.values().filter(|outcome| **outcome != Outcome::Absent).count();
    let named =
        failed.iter().map(|failed| format!("{} ({})", failed.namespace, failed.reason.as_deref().unwrap_or_default()));
    let unknown = usize::from(matches!(facts.fault, Some(Fault::Selector(_))));
    let more = format!("{} of {}: {}", failed.len(), all + unknown, first(named));
    Some((Statement::NamespacesFailed, more))
}

/// The condition of the ExternalSecrets themselves; `None` until all have been seen.
fn of_children(facts: &Facts<'_>, provisioned: usize) -> Option<(Statement, String)> {
    if facts.not_ready.is_empty() {
        let is_known = !facts.is_pending && facts.children >= provisioned;
        return is_known.then(|| (Statement::AllReady, String::new()));
    }
    let more = format!("{} of {}: {}", facts.not_ready.len(), facts.children, first(facts.not_ready.iter().cloned()));
    Some((Statement::NotReady, more))
}

fn condition(statement: Statement, more: &str, facts: &Facts<'_>, before: &ClusterExternalSecretStatus) -> Condition {
    let said = statement.said();
    let previous = before.conditions.iter().find(|condition| condition.type_ == said.type_);
    let since = previous.filter(|condition| condition.status == said.status);
    let since = since.and_then(|condition| condition.last_transition_time.clone());
    // Kubernetes' times are whole seconds.
    let now = Timestamp::from_second(facts.now.as_second()).unwrap_or(facts.now);
    Condition {
        type_: said.type_.to_owned(),
        status: said.status,
        reason: Some(said.reason.to_owned()),
        message: said.lead.map(|lead| shortened(on_one_line(&format!("{lead}: {more}")), LONGEST_MESSAGE)),
        last_transition_time: Some(since.unwrap_or(Time(now))),
        observed_generation: facts.generation,
    }
}

/// Whether a status differs from the stored one. ESO writes conditions without reasons and generations, and its CRD
/// does not store them, so their absence is not a difference.
#[must_use]
pub fn differs(stored: &ClusterExternalSecretStatus, wanted: &ClusterExternalSecretStatus) -> bool {
    let same = |(stored, wanted): (&Condition, &Condition)| {
        (&stored.type_, stored.status) == (&wanted.type_, wanted.status)
            && stored.message.as_deref().unwrap_or_default() == wanted.message.as_deref().unwrap_or_default()
            && (stored.reason.is_none() || stored.reason == wanted.reason)
            && (stored.observed_generation.is_none() || stored.observed_generation == wanted.observed_generation)
    };
    stored.external_secret_name != wanted.external_secret_name
        || stored.provisioned_namespaces != wanted.provisioned_namespaces
        || stored.failed_namespaces != wanted.failed_namespaces
        || stored.conditions.len() != wanted.conditions.len()
        || !stored.conditions.iter().zip(&wanted.conditions).all(same)
}

/// A status as a merge patch, in which empty lists are removed.
#[must_use]
pub fn patch(status: &ClusterExternalSecretStatus) -> Value {
    let list = |items: Value| if items.as_array().is_some_and(Vec::is_empty) { Value::Null } else { items };
    json!({
        "externalSecretName": status.external_secret_name,
        "provisionedNamespaces": list(json!(status.provisioned_namespaces)),
        "failedNamespaces": list(json!(status.failed_namespaces)),
        "conditions": list(json!(status.conditions)),
        "observedGeneration": status.observed_generation,
        "lastHandledRefresh": status.last_handled_refresh,
    })
}

/// The outcome in each namespace, according to a status.
#[must_use]
pub fn outcomes(status: &ClusterExternalSecretStatus) -> BTreeMap<String, Outcome> {
    let provisioned = status.provisioned_namespaces.iter().map(|name| (name.clone(), Outcome::Provisioned));
    let failed = status.failed_namespaces.iter().filter(|failed| failed.namespace != UNKNOWN_NAMESPACE);
    let failed =
        failed.map(|failed| (failed.namespace.clone(), Outcome::Failed(failed.reason.clone().unwrap_or_default())));
    provisioned.chain(failed).collect()
}
