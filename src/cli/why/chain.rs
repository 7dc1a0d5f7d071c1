//! The links of the chain from a manifest to its Secret.

use jiff::Timestamp;

use super::found::Found;
use super::target;
use crate::api::v1::condition::READY;
use crate::api::v1::secret_store::AzureAuthType;
use crate::api::v1::{Condition, ConditionStatus, ExternalSecret, SecretStore};
use crate::cli::harmless;
use crate::cli::person::Cluster;
use crate::cli::person::explanation::{self, Explanation, Link};
use crate::cli::person::outcome::Outcome;
use crate::cli::person::overview::Overview;
use crate::cli::person::printing::{ago, span};
use crate::controller::core::conditions;
use crate::controller::secret_store::finding::CHECKS;
use crate::controller::store_access::key::StoreKey;
use crate::validate;

/// All links, in order.
pub(super) async fn links(
    cluster: &Cluster,
    object: &ExternalSecret,
    overview: &Overview,
    now: Timestamp,
) -> Vec<Found> {
    let mut links = spec(object, overview);
    for key in &overview.stores {
        links.extend(store(cluster, key, now).await);
    }
    let failed = failure(overview);
    if let Some(failed) = failed {
        join(&mut links, failed);
    }
    let first = links.iter().filter(|found| found.outcome == Outcome::Failed).map(|found| found.link).min();
    for link in [Link::Entry, Link::Template] {
        if links.iter().any(|found| found.link == link) {
            continue;
        }
        if first.is_some_and(|first| first < link) {
            links.push(Found::new(link, Outcome::NotReached, "not reached"));
        } else if let Some(message) = held(link, object, overview, now) {
            links.push(Found::new(link, Outcome::Ok, message));
        }
    }
    match links.iter_mut().find(|found| found.link == Link::Target) {
        Some(failed) => failed.writers = target::writers(cluster, overview).await,
        None => links.push(target::found(cluster, object, overview, now).await),
    }
    links.sort_by_key(|found| found.link);
    links
}

/// Adds what the controller reports on a link, unless a check just found that link broken. "The store is not Ready" says
/// less than the store itself does.
pub(super) fn join(links: &mut Vec<Found>, report: Found) {
    let is_of_store = report.link == Link::Store;
    let is_found = links.iter().any(|found| {
        found.outcome == Outcome::Failed && (found.link == report.link || (is_of_store && found.link <= Link::Identity))
    });
    if !is_found {
        links.retain(|found| found.link != report.link);
        links.push(report);
    }
}

/// What is known of a link that the controller got past.
fn held(link: Link, object: &ExternalSecret, overview: &Overview, now: Timestamp) -> Option<String> {
    let spec = object.spec.get().ok()?;
    match link {
        Link::Entry if overview.synced_at.is_some() => {
            let count = spec.data.len() + spec.data_from.len();
            let entries = if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") };
            Some(format!("{entries} read {}", overview.synced_at.map(|then| ago(then, now)).unwrap_or_default()))
        }
        Link::Template => {
            spec.target.as_ref()?.template.as_ref()?;
            overview.synced_at.map(|_| "it was rendered".to_owned())
        }
        _ => None,
    }
}

/// What the controller reports about its last attempt.
fn failure(overview: &Overview) -> Option<Found> {
    if overview.ready != Some(ConditionStatus::False) {
        return None;
    }
    // If the message is unknown, all that can be shown is its text.
    let link = overview.explanation.map_or(Link::Entry, |explanation| explanation.link);
    Some(failed(link, &overview.message, overview.cause.clone(), overview.explanation))
}

/// A link that failed with this message.
pub(super) fn failed(link: Link, message: &str, cause: Option<String>, explanation: Option<Explanation>) -> Found {
    let found = Found { field: field(message), ..Found::new(link, Outcome::Failed, message) };
    Found { cause, ..found.explained(explanation) }
}

/// The field that a message names, such as `spec.data[0]`.
pub(super) fn field(message: &str) -> Option<String> {
    let start = message.find("spec.")?;
    let rest = message.get(start..)?;
    let end =
        rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '[' | ']' | '_'))).unwrap_or(rest.len());
    rest.get(..end).map(|field| field.trim_end_matches('.').to_owned())
}

fn spec(object: &ExternalSecret, overview: &Overview) -> Vec<Found> {
    let link = Link::Spec;
    let spec = match object.spec.get() {
        Ok(spec) => spec,
        Err(field) => {
            let found = Found::new(link, Outcome::Failed, field.to_string());
            return vec![
                Found { field: Some(field.path.clone()), ..found }.explained(explanation::of(Some("InvalidSpec"), "")),
            ];
        }
    };
    let mut links = Vec::new();
    let problems = validate::external_secret::check(spec);
    if !problems.is_empty() {
        let found = Found::new(link, Outcome::Failed, validate::sentences(&problems));
        links.push(found.explained(explanation::of(Some("Rejected"), "")));
    }
    let warnings = validate::external_secret::warnings(spec);
    if !warnings.is_empty() {
        links.push(Found::new(link, Outcome::Warning, validate::sentences(&warnings)));
    }
    if !overview.is_observed {
        links.push(unprocessed());
    }
    if overview.is_stale {
        let found = Found::new(link, Outcome::Warning, "a refresh is overdue");
        links.push(Found {
            remedy: Some("See whether the controller runs: `external-secrets doctor`.".to_owned()),
            see: Some("docs/runbook.md#externalsecretstale"),
            ..found
        });
    }
    if links.is_empty() {
        links.push(Found::new(link, Outcome::Ok, "nothing is wrong with it"));
    }
    links
}

/// The controller has not seen the last change.
pub(super) fn unprocessed() -> Found {
    Found {
        remedy: Some("See whether the controller runs: `external-secrets doctor`.".to_owned()),
        see: Some("docs/troubleshooting.md#the-controller-does-not-become-ready"),
        ..Found::new(Link::Spec, Outcome::Warning, "the controller has not processed it in its current form")
    }
}

/// What there is to report about a store and its identity.
pub(super) async fn store(cluster: &Cluster, key: &StoreKey, now: Timestamp) -> Vec<Found> {
    let failed = |cause: &'static str, message: String| {
        vec![Found::new(Link::Store, Outcome::Failed, message).explained(explanation::of(Some(cause), ""))]
    };
    let store = match cluster.store(key).await {
        Ok(Some(store)) => store,
        Ok(None) => return failed("StoreNotFound", format!("{key} does not exist")),
        Err(error) => {
            return vec![Found::new(
                Link::Store,
                Outcome::Skipped,
                format!("{key} cannot be read: {}", error.reason()),
            )];
        }
    };
    let conditions = store.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let Some(ready) = conditions::find(conditions, READY) else {
        return failed("StoreNotValidated", format!("{key} was never validated{}", of_class(&store)));
    };
    let message = ready.message.as_deref().map(harmless::told).unwrap_or_default();
    let mut links = Vec::new();
    let broken = broken_check(conditions);
    if ready.status == ConditionStatus::False {
        let cause = broken.and_then(|check| check.reason.as_deref());
        let explanation = explanation::of(cause, &message);
        let link = explanation.map_or(Link::Store, |explanation| explanation.link.min(Link::Identity));
        links.push(Found::new(link, Outcome::Failed, format!("{key}: {message}")).explained(explanation));
        if link == Link::Store {
            return links;
        }
        links.push(Found::new(Link::Store, Outcome::Ok, format!("{key} is there")));
        return links;
    }
    let since = ready.last_transition_time.as_ref().map(|since| span(now.duration_since(since.0)));
    let is_ready = since.map_or_else(|| "is Ready".to_owned(), |span| format!("has been Ready for {span}"));
    links.push(match broken {
        None => Found::new(Link::Store, Outcome::Ok, format!("{key} {is_ready}")),
        Some(check) => {
            let said = check.message.as_deref().map(harmless::told).unwrap_or_default();
            Found::new(Link::Store, Outcome::Warning, format!("{key} is Ready, but {} is False: {said}", check.type_))
                .explained(explanation::of(check.reason.as_deref(), &said))
        }
    });
    links.extend(identity(&store, key).map(|message| Found::new(Link::Identity, Outcome::Ok, message)));
    links
}

/// The first condition besides Ready that is not True.
fn broken_check(conditions: &[Condition]) -> Option<&Condition> {
    let mut checks = CHECKS.iter().filter_map(|check| conditions::find(conditions, check.type_));
    checks.find(|check| check.status == ConditionStatus::False)
}

fn of_class(store: &SecretStore) -> String {
    let class = store
        .spec
        .get()
        .ok()
        .and_then(|spec| spec.controller.as_deref().map(harmless::word))
        .filter(|class| !class.is_empty());
    class.map(|class| format!("; it is for the controller of class {class:?}")).unwrap_or_default()
}

/// The identity with which a store reads, in words.
fn identity(store: &SecretStore, key: &StoreKey) -> Option<String> {
    let spec = store.spec.get().ok()?;
    let azure = spec.provider.azurekv.as_ref()?;
    Some(match azure.auth_type {
        AzureAuthType::WorkloadIdentity => match &azure.service_account_ref {
            Some(account) => {
                let namespace = account.namespace.as_deref().unwrap_or(&key.object.namespace);
                let place = if namespace.is_empty() { "the ExternalSecret's namespace" } else { namespace };
                format!("workload identity of service account {:?} in {place}", account.name)
            }
            None => "workload identity of the controller's own pod".to_owned(),
        },
        AzureAuthType::ManagedIdentity => "managed identity of the controller's machine".to_owned(),
        AzureAuthType::ServicePrincipal => "service principal, with credentials of a Secret".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_of_a_message_is_found() {
        let found = |message| field(message);
        let message = "could not get secret data from provider: spec.data[0] (\"a\"): secret \"x\"";
        assert_eq!(found(message).as_deref(), Some("spec.data[0]"));
        assert_eq!(
            found("the ExternalSecret is invalid: spec.target.template.").as_deref(),
            Some("spec.target.template")
        );
        assert_eq!(found("could not update secret"), None);
    }
}
