//! Which ExternalSecrets to examine, and in which form: those of the cluster as they are, those of manifests as they
//! would be after they were applied.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::error::Error;
use crate::api::v1::ExternalSecret;
use crate::cli::inputs::Inputs;
use crate::cli::inputs::cluster::{Cluster, Crds};
use crate::cli::inputs::manifests::Manifests;
use crate::controller::core::api_call::ApiError;
use crate::controller::core::key::ObjectKey;
use crate::controller::external_secret::cluster_view::ClusterView as _;
use crate::controller::external_secret::index::{TemplateSourceKind, template_sources_of};
use crate::sync::managed_fields;

/// Where `kubectl apply` stores the manifest that it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The annotation that requests a refresh.
pub(super) const FORCE_SYNC: &str = "external-secrets.io/force-sync";

/// Which ExternalSecrets to examine.
pub(super) struct Which<'a> {
    pub(super) names: &'a [String],
    /// The namespace; `None` for all.
    pub(super) namespace: Option<&'a str>,
    pub(super) selector: Option<&'a str>,
    /// Whether to examine those of the manifests.
    pub(super) is_given: bool,
    /// Whether to assume that a refresh was requested.
    pub(super) is_forced: bool,
}

impl Which<'_> {
    /// Whether the plan is about everything in the cluster.
    pub(super) const fn is_whole_cluster(&self) -> bool {
        !self.is_given && self.namespace.is_none() && self.names.is_empty() && self.selector.is_none()
    }
}

/// An ExternalSecret as the controller would see it.
pub(super) struct Subject {
    pub(super) object: ExternalSecret,
    /// Whether a manifest changes an object that its templates come from.
    pub(super) has_new_templates: bool,
}

/// The ExternalSecrets to examine, sorted by namespace and name. Names that do not exist are left out.
pub(super) async fn subjects(which: &Which<'_>, inputs: &Inputs, cluster: &Cluster) -> Result<Vec<Subject>, Error> {
    let mut objects =
        if which.is_given { given(which, inputs, cluster).await? } else { present(which, cluster).await? };
    objects.sort_by_key(|object| ObjectKey::of(&object.metadata));
    let mut subjects = Vec::with_capacity(objects.len());
    for mut object in objects {
        if which.is_forced {
            object.metadata.annotations.get_or_insert_default().insert(FORCE_SYNC.to_owned(), "planned".to_owned());
        }
        let has_new_templates = has_new_templates(&object, inputs, cluster).await.map_err(Error::Cluster)?;
        subjects.push(Subject { object, has_new_templates });
    }
    Ok(subjects)
}

/// Those of the cluster.
async fn present(which: &Which<'_>, cluster: &Cluster) -> Result<Vec<ExternalSecret>, Error> {
    if cluster.crds == Crds::Missing {
        return Err(Error::NoCrds);
    }
    if which.names.is_empty() {
        return cluster.external_secrets(which.namespace, which.selector).await.map_err(Error::Cluster);
    }
    let mut objects = Vec::with_capacity(which.names.len());
    let names: BTreeSet<&String> = which.names.iter().collect();
    for name in names {
        let key = ObjectKey::new(which.namespace.unwrap_or_default(), name);
        objects.extend(cluster.external_secret(&key).await.map_err(Error::Cluster)?);
    }
    Ok(objects)
}

/// Those of the manifests, as they would be after they were applied.
async fn given(which: &Which<'_>, inputs: &Inputs, cluster: &Cluster) -> Result<Vec<ExternalSecret>, Error> {
    let Manifests { external_secrets: all, cluster_external_secrets, push_secrets, cluster_push_secrets, .. } =
        &inputs.manifests;
    let of_external_secrets = || {
        let parents = cluster_external_secrets.iter().map(|object| &object.metadata);
        all.iter().map(|object| &object.metadata).chain(parents)
    };
    let of_push_secrets = || {
        let parents = cluster_push_secrets.iter().map(|object| &object.metadata);
        push_secrets.iter().map(|object| &object.metadata).chain(parents)
    };
    let names = || of_external_secrets().chain(of_push_secrets());
    let is_named = |name: &String| names().any(|meta| meta.name.as_ref() == Some(name));
    if let Some(name) = which.names.iter().find(|name| !is_named(name)) {
        return Err(Error::NotGiven(format!(" of the name {name:?}")));
    }
    if names().next().is_none() {
        return Err(Error::NotGiven(String::new()));
    }
    let is_wanted = |object: &&ExternalSecret| {
        which.names.is_empty() || object.metadata.name.as_ref().is_some_and(|name| which.names.contains(name))
    };
    let mut objects = Vec::new();
    for object in all.iter().filter(is_wanted) {
        let live = cluster.external_secret(&ObjectKey::of(&object.metadata)).await.map_err(Error::Cluster)?;
        objects.push(applied(object, live));
    }
    Ok(objects)
}

/// A manifest as it would be after it was applied over `live`. Identity, status, and labels and annotations from other
/// sources stay.
fn applied(given: &ExternalSecret, live: Option<ExternalSecret>) -> ExternalSecret {
    let Some(live) = live else { return ExternalSecret { status: None, ..given.clone() } };
    let spec = |object: &ExternalSecret| object.spec.get().ok().and_then(|spec| serde_json::to_value(spec).ok());
    let same_spec = spec(given).is_some() && spec(given) == spec(&live);
    let mut meta = merged_metadata(&given.metadata, live.metadata);
    if !same_spec {
        meta.generation = meta.generation.map(|generation| generation + 1);
    }
    ExternalSecret { metadata: meta, spec: given.spec.clone(), status: live.status, written: None }
}

/// The metadata of an object after a manifest was applied over it.
pub(super) fn merged_metadata(given: &ObjectMeta, live: ObjectMeta) -> ObjectMeta {
    let before = applied_before(&live);
    ObjectMeta {
        labels: merged(live.labels.clone(), &before.labels, given.labels.as_ref()),
        annotations: merged(live.annotations.clone(), &before.annotations, given.annotations.as_ref()),
        ..live
    }
}

/// The keys of labels and annotations that an earlier manifest set.
#[derive(Default)]
struct AppliedBefore {
    labels: BTreeSet<String>,
    annotations: BTreeSet<String>,
}

/// What an earlier manifest set, according to the annotation of `kubectl apply`, or to the only field manager that
/// applied the object.
fn applied_before(meta: &ObjectMeta) -> AppliedBefore {
    let noted = meta.annotations.as_ref().and_then(|annotations| annotations.get(LAST_APPLIED));
    if let Some(manifest) = noted.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        let keys = |field: &str| {
            let entries = manifest["metadata"][field].as_object();
            entries.into_iter().flatten().map(|(key, _)| key.clone()).collect()
        };
        return AppliedBefore { labels: keys("labels"), annotations: keys("annotations") };
    }
    let managers: BTreeSet<&str> = meta
        .managed_fields
        .iter()
        .flatten()
        .filter(|entry| entry.operation.as_deref() == Some("Apply"))
        .filter_map(|entry| entry.manager.as_deref())
        .collect();
    match managers.iter().next() {
        Some(manager) if managers.len() == 1 => {
            let fields = managed_fields::of(meta, manager);
            AppliedBefore { labels: fields.labels, annotations: fields.annotations }
        }
        _ => AppliedBefore::default(),
    }
}

fn merged(
    live: Option<BTreeMap<String, String>>,
    before: &BTreeSet<String>,
    given: Option<&BTreeMap<String, String>>,
) -> Option<BTreeMap<String, String>> {
    let mut merged = live.unwrap_or_default();
    merged.retain(|key, _| !before.contains(key));
    merged.extend(given.cloned().unwrap_or_default());
    Some(merged).filter(|merged| !merged.is_empty())
}

/// Whether a manifest changes a ConfigMap or Secret that templates come from.
async fn has_new_templates(object: &ExternalSecret, inputs: &Inputs, cluster: &Cluster) -> Result<bool, ApiError> {
    let Ok(spec) = object.spec.get() else { return Ok(false) };
    for source in template_sources_of(spec, object.metadata.namespace.as_deref().unwrap_or_default()) {
        let key = &source.object;
        let is_new = match source.kind {
            TemplateSourceKind::ConfigMap => match inputs.manifests.config_map(key) {
                Some(given) => cluster.config_map(key).await?.is_none_or(|present| present.data != given.data),
                None => false,
            },
            TemplateSourceKind::Secret => match inputs.manifests.secret(key) {
                Some(given) => cluster.secret(key).await?.is_none_or(|present| present.data != given.data),
                None => false,
            },
        };
        if is_new {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> ExternalSecret {
        serde_json::from_value(value).unwrap()
    }

    fn live(annotations: &Value) -> ExternalSecret {
        object(json!({
            "metadata": {"name": "a", "uid": "u", "generation": 3, "labels": {"old": "1", "theirs": "2", "team": "b"},
                "annotations": annotations},
            "spec": {"refreshInterval": "1h0m0s"},
            "status": {"syncedResourceVersion": "3-x"},
        }))
    }

    #[test]
    fn a_manifest_keeps_what_others_added_and_loses_what_it_gave_before() {
        let noted = json!({"metadata": {"labels": {"old": "1", "team": "a"}}}).to_string();
        let given =
            object(json!({"metadata": {"name": "a", "labels": {"team": "b"}}, "spec": {"refreshInterval": "1h"}}));
        let applied = applied(&given, Some(live(&json!({LAST_APPLIED: noted}))));
        assert_eq!(json!(applied.metadata.labels), json!({"theirs": "2", "team": "b"}));
        assert_eq!(applied.metadata.uid.as_deref(), Some("u"));
        assert_eq!(applied.metadata.generation, Some(3), "the spec is the same");
        assert!(applied.status.is_some());
    }

    #[test]
    fn a_changed_spec_is_a_new_generation() {
        let given = object(json!({"metadata": {"name": "a"}, "spec": {"refreshInterval": "2h"}}));
        let applied = applied(&given, Some(live(&json!({}))));
        assert_eq!(applied.metadata.generation, Some(4));
        assert_eq!(applied.metadata.labels.unwrap().len(), 3, "nobody knows what an earlier manifest gave");
    }

    #[test]
    fn the_labels_of_the_one_who_applied_it_go_with_the_manifest() {
        let mut live = live(&json!({}));
        let entry = json!([{"manager": "argocd", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:labels": {"f:old": {}, "f:team": {}}}}}]);
        live.metadata.managed_fields = serde_json::from_value(entry).unwrap();
        let given = object(json!({"metadata": {"name": "a", "labels": {"team": "b"}}, "spec": {}}));
        assert_eq!(json!(applied(&given, Some(live)).metadata.labels), json!({"theirs": "2", "team": "b"}));
    }
}
