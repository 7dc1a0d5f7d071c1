//! Checks whether PushSecrets are pushed, and on time, and whether ClusterPushSecrets reach their namespaces.

use std::collections::BTreeMap;

use super::finding::{Check, Finding};
use super::patient::Patient;
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::cli::person::Cluster;
use crate::cli::person::parents::ParentOverview;
use crate::cli::person::pushes::PushOverview;

const PUSHED: Check = Check::new("pushsecrets", "pushed");
const STALE: Check = Check::new("pushsecrets", "push-stale");
const PARENTS: Check = Check::new("pushsecrets", "push-namespaces");

/// The page about a PushSecret that is not Ready.
const SEE: &str = "docs/conditions.md#pushsecret";

/// How many objects a message names.
const NAMED: usize = 3;

/// Nothing where there are none.
pub(super) async fn look(patient: &Patient<'_>, cluster: &Cluster) -> Vec<Finding> {
    let mut findings = match cluster.push_secrets(patient.namespace, None).await {
        Ok(objects) => of_push_secrets(patient, &objects),
        Err(error) => vec![PUSHED.skipped("pushsecrets", &error)],
    };
    // They are of no namespace, and of no store alone.
    if patient.namespace.is_none() && patient.store.is_none() {
        match cluster.cluster_push_secrets(None).await {
            Ok(objects) => findings.extend(of_parents(&objects)),
            Err(error) => findings.push(PARENTS.skipped("clusterpushsecrets", &error)),
        }
    }
    findings
}

fn of_push_secrets(patient: &Patient<'_>, objects: &[PushSecret]) -> Vec<Finding> {
    let overviews = objects.iter().map(|object| PushOverview::of(object, patient.now));
    let is_wanted = |overview: &PushOverview| patient.store.is_none_or(|store| overview.stores.contains(store));
    let overviews: Vec<_> = overviews.filter(is_wanted).collect();
    if overviews.is_empty() {
        return Vec::new();
    }
    let ready = overviews.iter().filter(|overview| overview.state.is_ready()).count();
    let mut by_cause: BTreeMap<&str, Vec<&PushOverview>> = BTreeMap::new();
    let is_waiting = |overview: &PushOverview| overview.state.ready.is_none() || !overview.state.is_observed;
    for overview in overviews.iter().filter(|overview| !overview.state.is_ready() && !is_waiting(overview)) {
        by_cause.entry(overview.state.cause.as_deref().unwrap_or_default()).or_default().push(overview);
    }
    let mut findings = Vec::new();
    if ready > 0 || by_cause.is_empty() {
        findings.push(PUSHED.ok(format!("{ready} of {} PushSecrets are Ready", overviews.len())));
    }
    for (cause, failed) in by_cause {
        let Some(first) = failed.first() else { continue };
        let cause = if cause.is_empty() { "not Ready" } else { cause };
        let message = format!("{}: {cause}: {}", named(&failed), first.state.message);
        let remedy = format!("See `external-secrets why ps/{} -n {}`.", first.key.name, first.key.namespace);
        let finding = PUSHED.failed(message, &remedy, SEE).explained(first.state.explanation);
        findings.push(finding.about(PushSecret::KIND, &first.key.namespace, &first.key.name));
    }
    let late: Vec<_> = overviews.iter().filter(|overview| overview.is_stale || is_waiting(overview)).collect();
    findings.push(match late.first() {
        None => STALE.ok("none is overdue"),
        Some(first) => STALE
            .warning(
                format!("{}: overdue, or not processed yet", named(&late)),
                "See whether the controller runs, serves the class of their stores, and is not too busy.",
                "docs/runbook.md#externalsecretstale",
            )
            .about(PushSecret::KIND, &first.key.namespace, &first.key.name),
    });
    findings
}

/// How many there are, and the first of them by name.
fn named(overviews: &[&PushOverview]) -> String {
    let names: Vec<_> = overviews.iter().take(NAMED).map(|overview| overview.key.to_string()).collect();
    let more = overviews.len().saturating_sub(NAMED);
    let names = if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") };
    let count =
        if overviews.len() == 1 { "1 PushSecret".to_owned() } else { format!("{} PushSecrets", overviews.len()) };
    format!("{count} ({names})")
}

fn of_parents(objects: &[ClusterPushSecret]) -> Vec<Finding> {
    let overviews: Vec<_> = objects.iter().map(ParentOverview::of_push_secrets).collect();
    if overviews.is_empty() {
        return Vec::new();
    }
    let failed = |overview: &&ParentOverview| {
        !overview.failed.is_empty() || (overview.state.ready.is_some() && !overview.state.is_ready())
    };
    let failed: Vec<_> = overviews.iter().filter(failed).collect();
    let finding = |overview: &&ParentOverview| {
        let message = format!("{}: {}", overview.name, overview.says());
        let remedy = "Correct what the message names; where a PushSecret of that name is somebody else's, set another `pushSecretName`.";
        PARENTS.failed(message, remedy, "docs/push-secrets.md#in-many-namespaces").about(
            ClusterPushSecret::KIND,
            "",
            &overview.name,
        )
    };
    if failed.is_empty() {
        return vec![PARENTS.ok(format!("{} ClusterPushSecrets have all their PushSecrets", overviews.len()))];
    }
    failed.iter().map(finding).collect()
}
