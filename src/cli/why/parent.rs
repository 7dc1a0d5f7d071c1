//! `why` of a ClusterExternalSecret or ClusterPushSecret: its manifest, its namespaces, and what it made there.

use futures::{StreamExt as _, stream};
use jiff::Timestamp;

use super::chain::unprocessed;
use super::found::Found;
use crate::api::parsed::InvalidField;
use crate::api::v1::{ClusterExternalSecret, ClusterExternalSecretSpec, ConditionStatus, ExternalSecret};
use crate::api::v1alpha1::{ClusterPushSecret, ClusterPushSecretSpec, PushSecret};
use crate::cli::person::Cluster;
use crate::cli::person::explanation::Link;
use crate::cli::person::kind::Kind;
use crate::cli::person::outcome::Outcome;
use crate::cli::person::overview::Overview;
use crate::cli::person::parents::ParentOverview;
use crate::cli::person::printing::span;
use crate::cli::person::pushes::PushOverview;
use crate::controller::core::key::ObjectKey;
use crate::validate::{self, Problem};

/// The cause if a namespace lacks what is made there.
pub(super) const NAMESPACES_FAILED: &str = "NamespacesFailed";
/// The cause if one of the objects that it made is not Ready.
pub(super) const NOT_READY: &str = "NotReady";

/// How many namespaces are named.
const NAMED: usize = 5;
/// How many of the objects that it made are read, to find some that are not Ready.
const LOOKED_AT: usize = 200;
/// How many are read concurrently.
const CONCURRENCY: usize = 16;

/// What a ClusterExternalSecret or ClusterPushSecret made, of which one is not Ready.
pub(super) enum Failing {
    ExternalSecrets(Vec<ExternalSecret>),
    PushSecrets(Vec<PushSecret>),
}

impl Failing {
    fn each(&self, now: Timestamp) -> Vec<(ObjectKey, String)> {
        match self {
            Self::ExternalSecrets(objects) => {
                let overviews = objects.iter().map(|object| Overview::of(object, now));
                overviews.map(|overview| (overview.key.clone(), overview.says())).collect()
            }
            Self::PushSecrets(objects) => {
                let overviews = objects.iter().map(|object| PushOverview::of(object, now));
                overviews.map(|overview| (overview.key.clone(), overview.says())).collect()
            }
        }
    }
}

/// What is known of the manifest.
pub(super) fn of_external_secrets(object: &ClusterExternalSecret) -> Vec<Found> {
    spec(object.spec.get(), |spec: &ClusterExternalSecretSpec| {
        (validate::cluster_external_secret::check(spec), validate::cluster_external_secret::warnings(spec))
    })
}

/// What is known of the manifest.
pub(super) fn of_push_secrets(object: &ClusterPushSecret) -> Vec<Found> {
    spec(object.spec.get(), |spec: &ClusterPushSecretSpec| {
        (validate::cluster_push_secret::check(spec), validate::cluster_push_secret::warnings(spec))
    })
}

fn spec<S>(spec: Result<&S, &InvalidField>, check: impl FnOnce(&S) -> (Vec<Problem>, Vec<Problem>)) -> Vec<Found> {
    let failed = |message: String| Found {
        remedy: Some("Correct the fields that the message names.".to_owned()),
        cause: Some("InvalidSpec".to_owned()),
        ..Found::new(Link::Spec, Outcome::Failed, message)
    };
    let (problems, warnings) = match spec {
        Ok(spec) => check(spec),
        Err(invalid) => return vec![Found { field: Some(invalid.path.clone()), ..failed(invalid.to_string()) }],
    };
    let mut links = Vec::new();
    if !problems.is_empty() {
        links.push(failed(validate::sentences(&problems)));
    }
    if !warnings.is_empty() {
        links.push(Found::new(Link::Spec, Outcome::Warning, validate::sentences(&warnings)));
    }
    if links.is_empty() {
        links.push(Found::new(Link::Spec, Outcome::Ok, "nothing is wrong with it"));
    }
    links
}

/// The other links, in order.
pub(super) fn links(overview: &ParentOverview, failing: &Failing, now: Timestamp) -> Vec<Found> {
    let mut links = Vec::new();
    if !overview.state.is_observed {
        links.push(unprocessed());
    }
    links.extend(namespaces(overview));
    links.extend(children(overview, failing, now));
    links
}

fn namespaces(overview: &ParentOverview) -> Vec<Found> {
    let (kind, name) = (overview.makes().name(), if overview.child.is_empty() { "it" } else { &overview.child });
    let remedy = format!(
        "Correct what the message names; where {kind} {name:?} is somebody else's, delete it, or set another name in spec.{}Name.",
        kind.chars().take(1).flat_map(char::to_lowercase).chain(kind.chars().skip(1)).collect::<String>()
    );
    let failed = |message: String| Found {
        cause: Some(NAMESPACES_FAILED.to_owned()),
        remedy: Some(remedy.clone()),
        see: Some(see(overview)),
        ..Found::new(Link::Namespaces, Outcome::Failed, message)
    };
    let named = overview.failed.iter().take(NAMED);
    let mut links: Vec<_> = named.map(|(namespace, why)| failed(format!("namespace {namespace}: {why}"))).collect();
    let more = overview.failed.len().saturating_sub(NAMED);
    if more > 0 {
        links.push(Found { remedy: None, see: None, ..failed(format!("and {more} more namespaces")) });
    }
    if links.is_empty() && overview.state.ready == Some(ConditionStatus::False) {
        links.push(failed(overview.state.message.clone()));
    }
    if links.is_empty() {
        let message = match overview.provisioned.len() {
            0 => "it selects no namespace".to_owned(),
            1 => format!("1 namespace has its {kind}"),
            count => format!("{count} namespaces have their {kind}"),
        };
        let outcome = if overview.provisioned.is_empty() { Outcome::Warning } else { Outcome::Ok };
        links.push(Found::new(Link::Namespaces, outcome, message));
    }
    links
}

const fn see(overview: &ParentOverview) -> &'static str {
    match overview.kind {
        Kind::ClusterPushSecret => "docs/push-secrets.md#in-many-namespaces",
        _ => "docs/cluster-external-secrets.md#status",
    }
}

fn children(overview: &ParentOverview, failing: &Failing, now: Timestamp) -> Vec<Found> {
    let Some(told) = &overview.children else {
        let is_known = overview.state.ready.is_some() && !overview.provisioned.is_empty();
        let message = format!("each {} is Ready", overview.makes().name());
        return is_known.then(|| Found::new(Link::Children, Outcome::Ok, message)).into_iter().collect();
    };
    let short = if overview.makes() == Kind::PushSecret { "ps/" } else { "" };
    let found = failing.each(now).into_iter().take(NAMED).map(|(key, says)| Found {
        remedy: Some(format!("See `external-secrets why {short}{} -n {}`.", key.name, key.namespace)),
        ..Found::new(Link::Children, Outcome::Failed, format!("{key}: {says}"))
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() { vec![Found::new(Link::Children, Outcome::Failed, told.clone())] } else { found }
}

/// Those of the objects that it made that are not Ready, as far as the caller may read them.
pub(super) async fn failing_external_secrets(cluster: &Cluster, overview: &ParentOverview) -> Failing {
    let now = Timestamp::now();
    let read = |key: ObjectKey| async move { cluster.external_secret(&key).await.ok().flatten() };
    let found = stream::iter(made(overview)).map(read).buffered(CONCURRENCY);
    let objects = found.filter_map(async |object| object);
    let is_failing = |object: &ExternalSecret| Overview::of(object, now).ready != Some(ConditionStatus::True);
    let objects: Vec<_> = objects.collect().await;
    Failing::ExternalSecrets(objects.into_iter().filter(is_failing).take(NAMED).collect())
}

/// Those of the objects that it made that are not Ready, as far as the caller may read them.
pub(super) async fn failing_push_secrets(cluster: &Cluster, overview: &ParentOverview) -> Failing {
    let now = Timestamp::now();
    let read = |key: ObjectKey| async move { cluster.push_secret(&key).await.ok().flatten() };
    let found = stream::iter(made(overview)).map(read).buffered(CONCURRENCY);
    let objects: Vec<_> = found.filter_map(async |object| object).collect().await;
    let is_failing = |object: &PushSecret| PushOverview::of(object, now).state.ready != Some(ConditionStatus::True);
    Failing::PushSecrets(objects.into_iter().filter(is_failing).take(NAMED).collect())
}

/// What it made, if one of these is not Ready.
fn made(overview: &ParentOverview) -> Vec<ObjectKey> {
    if overview.children.is_none() {
        return Vec::new();
    }
    let namespaces = overview.provisioned.iter().take(LOOKED_AT);
    namespaces.map(|namespace| ObjectKey::new(namespace, &overview.child)).collect()
}

/// The headline.
pub(super) fn head(overview: &ParentOverview, now: Timestamp) -> String {
    let since =
        overview.state.since.map(|since| format!(" for {}", span(now.duration_since(since)))).unwrap_or_default();
    let all = overview.provisioned.len() + overview.failed.len();
    let state = match overview.state.ready {
        Some(ConditionStatus::True) => format!("Ready{since}"),
        Some(_) => format!("not Ready{since}"),
        None => "not processed yet".to_owned(),
    };
    let provisioned = overview.provisioned.len();
    format!("{} {}: {state}; {provisioned} of {all} namespaces provisioned", overview.kind.name(), overview.name)
}

/// Why it does not work, in one word; `None` if it does.
pub(super) fn cause(overview: &ParentOverview) -> Option<&'static str> {
    match (overview.state.ready, overview.failed.is_empty()) {
        (Some(ConditionStatus::False), true) => Some("InvalidSpec"),
        (Some(ConditionStatus::False), false) => Some(NAMESPACES_FAILED),
        _ => overview.children.as_ref().map(|_| NOT_READY),
    }
}
