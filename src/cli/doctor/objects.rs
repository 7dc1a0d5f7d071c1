//! Checks whether ExternalSecrets are synced, on time, and the only owner of their Secret.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use super::finding::{Check, Finding};
use super::patient::Patient;
use crate::api::ServedVersion;
use crate::api::v1::external_secret::CreationPolicy;
use crate::api::v1::{ConditionStatus, ExternalSecret};
use crate::cli::person::Cluster;
use crate::cli::person::overview::Overview;

const SYNCED: Check = Check::new("externalsecrets", "synced");
const STALE: Check = Check::new("externalsecrets", "stale");
const OWNERS: Check = Check::new("externalsecrets", "two-owners");
const VERSIONS: Check = Check::new("externalsecrets", "old-versions");

/// Where kubectl keeps what was applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// How many objects a message names.
const NAMED: usize = 3;

pub(super) async fn look(patient: &Patient<'_>, cluster: &Cluster) -> Vec<Finding> {
    let objects = match cluster.external_secrets(patient.namespace, None).await {
        Ok(objects) => objects,
        Err(error) => return vec![SYNCED.skipped("externalsecrets", &error)],
    };
    let overviews = objects.iter().map(|object| (object, Overview::of(object, patient.now)));
    let is_wanted = |overview: &Overview| patient.store.is_none_or(|store| overview.stores.contains(store));
    let overviews: Vec<_> = overviews.filter(|(_, overview)| is_wanted(overview)).collect();
    if overviews.is_empty() {
        return vec![SYNCED.not_looked_at("there is no ExternalSecret")];
    }
    let mut findings = synced(&overviews);
    findings.push(stale(&overviews));
    findings.extend(two_owners(&overviews));
    // Where only the old version is served, nothing else can be applied.
    if cluster.version == ServedVersion::V1 {
        findings.push(old_versions(&overviews));
    }
    findings
}

/// One finding per cause, for those that are not Ready.
fn synced(overviews: &[(&ExternalSecret, Overview)]) -> Vec<Finding> {
    let is_ready = |overview: &Overview| overview.ready == Some(ConditionStatus::True);
    let ready = overviews.iter().filter(|(_, overview)| is_ready(overview)).count();
    let mut by_cause: BTreeMap<String, Vec<&Overview>> = BTreeMap::new();
    for (_, overview) in overviews.iter().filter(|(_, overview)| overview.ready.is_some() && !is_ready(overview)) {
        by_cause.entry(overview.cause.clone().unwrap_or_default()).or_default().push(overview);
    }
    let mut findings = Vec::new();
    if ready > 0 || by_cause.is_empty() {
        findings.push(SYNCED.ok(format!("{ready} of {} ExternalSecrets are Ready", overviews.len())));
    }
    for (cause, failed) in by_cause {
        let Some(first) = failed.first() else { continue };
        let cause = if cause.is_empty() { "not Ready".to_owned() } else { cause };
        let message = format!("{} ({}): {cause}: {}", count(failed.len()), named(&failed), first.message);
        let remedy = format!("See `external-secrets why {} -n {}`.", first.key.name, first.key.namespace);
        let finding = SYNCED.failed(message, &remedy, "docs/runbook.md#externalsecretnotready");
        let finding = finding.explained(first.explanation);
        findings.push(finding.about(ExternalSecret::KIND, &first.key.namespace, &first.key.name));
    }
    findings
}

fn count(number: usize) -> String {
    if number == 1 { "1 ExternalSecret".to_owned() } else { format!("{number} ExternalSecrets") }
}

fn named(overviews: &[&Overview]) -> String {
    let names: Vec<_> = overviews.iter().take(NAMED).map(|overview| overview.key.to_string()).collect();
    let more = overviews.len().saturating_sub(NAMED);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}

/// Those that no controller handles although they have changed or a refresh is due.
fn stale(overviews: &[(&ExternalSecret, Overview)]) -> Finding {
    let late: Vec<_> = overviews
        .iter()
        .map(|(_, overview)| overview)
        .filter(|overview| overview.is_stale || overview.ready.is_none())
        .collect();
    match late.first() {
        None => STALE.ok("none is overdue"),
        Some(first) => STALE
            .warning(
                format!("{} ({}): overdue, or not processed yet", count(late.len()), named(&late)),
                "See whether the controller runs, serves the class of their stores, and is not too busy.",
                "docs/runbook.md#externalsecretstale",
            )
            .about(ExternalSecret::KIND, &first.key.namespace, &first.key.name),
    }
}

/// Secrets that two ExternalSecrets want to own.
fn two_owners(overviews: &[(&ExternalSecret, Overview)]) -> Vec<Finding> {
    let mut owners: BTreeMap<(&str, &str), Vec<&Overview>> = BTreeMap::new();
    for (object, overview) in overviews {
        let target = object.spec.get().ok().and_then(|spec| spec.target.as_ref());
        let policy = target.map(|target| target.creation_policy).unwrap_or_default();
        let is_secret = target.is_none_or(|target| target.manifest.is_none());
        if is_secret && matches!(policy, CreationPolicy::Owner | CreationPolicy::Orphan) {
            owners.entry((&overview.key.namespace, &overview.target)).or_default().push(overview);
        }
    }
    let shared = owners.into_iter().filter(|(_, owners)| owners.len() > 1);
    let findings = shared.map(|((namespace, name), owners)| {
        let message = format!("{} write Secret {namespace}/{name}: {}", count(owners.len()), named(&owners));
        let remedy = "Give each another `target.name`, or all but one `creationPolicy: Merge`.";
        OWNERS.failed(message, remedy, "docs/runbook.md#externalsecretnotready").about("Secret", namespace, name)
    });
    findings.collect()
}

/// Those that somebody applies in an older version, which not every cluster serves.
fn old_versions(overviews: &[(&ExternalSecret, Overview)]) -> Finding {
    let old = overviews.iter().filter(|(object, _)| is_applied_as_old(&object.metadata)).map(|(_, overview)| overview);
    let old: Vec<_> = old.collect();
    let Some(first) = old.first() else { return VERSIONS.ok("none is applied as v1beta1") };
    let message = format!("{} ({}): applied as v1beta1", count(old.len()), named(&old));
    let remedy =
        "Write `apiVersion: external-secrets.io/v1` in their manifests; `external-secrets migrate manifests` does.";
    let finding = VERSIONS.warning(message, remedy, "docs/migrate.md");
    finding.about(ExternalSecret::KIND, &first.key.namespace, &first.key.name)
}

/// Whether what was applied last, by kubectl or by server-side apply, was of an older version.
fn is_applied_as_old(meta: &ObjectMeta) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Applied {
        api_version: String,
    }
    let is_old = |version: &str| version == ServedVersion::V1beta1.api_version();
    let applied = meta.annotations.as_ref().and_then(|annotations| annotations.get(LAST_APPLIED));
    let applied = applied.and_then(|text| serde_json::from_str::<Applied>(text).ok());
    applied.is_some_and(|applied| is_old(&applied.api_version))
        || meta.managed_fields.iter().flatten().any(|entry| {
            entry.operation.as_deref() == Some("Apply")
                && entry.subresource.is_none()
                && entry.api_version.as_deref().is_some_and(is_old)
        })
}
