//! `why` of a PushSecret: the links of the chain from its manifest, through its Secret, to the objects in the vault.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::core::Selector;

use super::chain::{self, failed, unprocessed};
use super::found::Found;
use crate::answers::Objects;
use crate::api::v1::ConditionStatus;
use crate::api::v1alpha1::PushSecret;
use crate::api::v1alpha1::push_secret::PushSecretSelector;
use crate::cli::person::Cluster;
use crate::cli::person::explanation::{self, Link};
use crate::cli::person::outcome::Outcome;
use crate::cli::person::overview::Next;
use crate::cli::person::printing::{ago, span};
use crate::cli::person::pushes::PushOverview;
use crate::controller::core::api_call::bounded;
use crate::validate;

/// All links, in order.
pub(super) async fn links(
    cluster: &Cluster,
    object: &PushSecret,
    overview: &PushOverview,
    now: Timestamp,
) -> Vec<Found> {
    let mut links = spec(object, overview);
    for key in &overview.stores {
        links.extend(chain::store(cluster, key, now).await);
    }
    let reported = report(overview);
    if reported.as_ref().is_none_or(|reported| reported.link != Link::Source)
        && let Ok(spec) = object.spec.get()
    {
        links.extend(source(cluster, &spec.selector, &overview.key.namespace).await);
    }
    if let Some(reported) = reported {
        chain::join(&mut links, reported);
    }
    let first = links.iter().filter(|found| found.outcome == Outcome::Failed).map(|found| found.link).min();
    if links.iter().all(|found| found.link != Link::Objects) {
        links.push(match first {
            Some(_) => Found::new(Link::Objects, Outcome::NotReached, "not reached"),
            None => objects(overview, now),
        });
    }
    links.sort_by_key(|found| found.link);
    links
}

/// The headline.
pub(super) fn head(overview: &PushOverview, now: Timestamp) -> String {
    let since =
        overview.state.since.map(|since| format!(" for {}", span(now.duration_since(since)))).unwrap_or_default();
    let pushed =
        overview.pushed_at.map_or_else(|| "never pushed".to_owned(), |then| format!("pushed {}", ago(then, now)));
    let next = match overview.next {
        Next::Now => "a push is due".to_owned(),
        Next::At(time) => format!("next push in {}", span(time.duration_since(now))),
        Next::Retried => "retried within 5m".to_owned(),
        Next::Never(why) => format!("not pushed by itself: {why}"),
    };
    let state = match overview.state.ready {
        Some(ConditionStatus::True) => format!("Ready{since}; {pushed}; {next}"),
        Some(_) => format!("not Ready{since}; {pushed}; {next}"),
        None => "not processed yet".to_owned(),
    };
    format!("PushSecret {}: {state}", overview.key)
}

fn spec(object: &PushSecret, overview: &PushOverview) -> Vec<Found> {
    let link = Link::Spec;
    let spec = match object.spec.get() {
        Ok(spec) => spec,
        Err(invalid) => {
            let found = Found::new(link, Outcome::Failed, invalid.to_string());
            let found = Found { field: Some(invalid.path.clone()), ..found };
            return vec![found.explained(explanation::of_push(Some("InvalidSpec"), ""))];
        }
    };
    let mut links = Vec::new();
    let problems = validate::push_secret::check(spec);
    if !problems.is_empty() {
        let found = Found::new(link, Outcome::Failed, validate::sentences(&problems));
        links.push(found.explained(explanation::of_push(Some("Rejected"), "")));
    }
    let warnings = validate::push_secret::warnings(spec);
    if !warnings.is_empty() {
        links.push(Found::new(link, Outcome::Warning, validate::sentences(&warnings)));
    }
    if !overview.state.is_observed {
        links.push(unprocessed());
    }
    if overview.is_stale {
        links.push(failed_to_run("a push is overdue"));
    }
    if links.is_empty() {
        links.push(Found::new(link, Outcome::Ok, "nothing is wrong with it"));
    }
    links
}

fn failed_to_run(what: &str) -> Found {
    Found {
        remedy: Some("See whether the controller runs: `external-secrets doctor`.".to_owned()),
        see: Some("docs/runbook.md#externalsecretstale"),
        ..Found::new(Link::Spec, Outcome::Warning, what)
    }
}

/// What the controller reports about its last attempt.
fn report(overview: &PushOverview) -> Option<Found> {
    let state = &overview.state;
    if state.ready != Some(ConditionStatus::False) {
        return None;
    }
    // If the message is unknown, all that can be shown is its text.
    let link = state.explanation.map_or(Link::Objects, |explanation| explanation.link);
    Some(failed(link, &state.message, state.cause.clone(), state.explanation))
}

/// Whether the Secrets are there. Only their metadata is read.
async fn source(cluster: &Cluster, selector: &PushSecretSelector, namespace: &str) -> Option<Found> {
    let new = |outcome, message: String| Found::new(Link::Source, outcome, message);
    if let Some(generator) = &selector.generator_ref {
        return Some(new(Outcome::Ok, format!("the generator {:?} makes the values", generator.name)));
    }
    let secret = selector.secret.as_ref()?;
    let api: Objects<Secret> = Objects::namespaced(cluster.client.clone(), namespace, &());
    let missing =
        |message: String| Some(new(Outcome::Failed, message).explained(explanation::of_push(Some("Source"), "")));
    if let Some(name) = secret.name.as_deref().filter(|name| !name.is_empty()) {
        return match bounded(api.get_metadata_opt(name)).await {
            Ok(Some(_)) => Some(new(Outcome::Ok, format!("Secret {namespace}/{name} is there"))),
            Ok(None) => missing(format!("Secret {namespace}/{name} does not exist")),
            Err(error) => {
                Some(new(Outcome::Skipped, format!("Secret {namespace}/{name} cannot be read: {}", error.reason())))
            }
        };
    }
    let labels = Selector::try_from(secret.selector.clone()?).ok()?;
    let params = kube::api::ListParams::default().labels_from(&labels);
    match bounded(api.list_metadata(&params)).await {
        Ok(found) if found.is_empty() => {
            missing("no Secret has the labels of spec.selector.secret.selector".to_owned())
        }
        Ok(found) => Some(new(Outcome::Ok, format!("its labels select {} Secrets", found.len()))),
        Err(error) => Some(new(Outcome::Skipped, format!("Secrets cannot be listed: {}", error.reason()))),
    }
}

/// What was pushed.
fn objects(overview: &PushOverview, now: Timestamp) -> Found {
    let count = if overview.objects == 1 { "1 object".to_owned() } else { format!("{} objects", overview.objects) };
    match overview.pushed_at {
        Some(then) => Found::new(Link::Objects, Outcome::Ok, format!("{count} as wanted {}", ago(then, now))),
        None => Found::new(Link::Objects, Outcome::NotReached, "nothing was pushed yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_of_a_message_about_a_push_is_found() {
        assert_eq!(
            chain::field("the PushSecret is invalid: spec.selector: name a Secret").as_deref(),
            Some("spec.selector")
        );
    }
}
