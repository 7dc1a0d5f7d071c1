//! What ClusterExternalSecrets and ClusterPushSecrets would create in the namespaces among the manifests.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::v1::{ClusterExternalSecret, ExternalSecret};
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::api::{Selection, ServedVersion};
use crate::cli::inputs::manifests::Manifests;
use crate::controller::cluster_external_secret::spec::fault;
use crate::controller::cluster_push_secret::preview::Template;
use crate::sync::cluster_external_secret::Wanted;

/// What they would create.
#[derive(Default)]
pub(super) struct Made {
    pub(super) external_secrets: Vec<ExternalSecret>,
    pub(super) push_secrets: Vec<PushSecret>,
    /// Why one creates nothing.
    pub(super) problems: Vec<String>,
}

/// What all of them among the manifests, or only those with this name, would create.
pub(super) fn of(manifests: &Manifests, name: Option<&str>) -> Made {
    let mut made = Made::default();
    let is_wanted = |meta: &ObjectMeta| name.is_none() || meta.name.as_deref() == name;
    for object in manifests.cluster_push_secrets.iter().filter(|object| is_wanted(&object.metadata)) {
        match push_secrets(object, manifests) {
            Ok(children) => made.push_secrets.extend(children),
            Err(problem) => {
                let name = object.metadata.name.as_deref().unwrap_or_default();
                made.problems.push(format!("ClusterPushSecret {name:?}: {problem}"));
            }
        }
    }
    for object in manifests.cluster_external_secrets.iter().filter(|object| is_wanted(&object.metadata)) {
        match children(object, manifests) {
            Ok(children) => made.external_secrets.extend(children),
            Err(problem) => {
                let name = object.metadata.name.as_deref().unwrap_or_default();
                made.problems.push(format!("ClusterExternalSecret {name:?}: {problem}"));
            }
        }
    }
    made
}

fn children(object: &ClusterExternalSecret, manifests: &Manifests) -> Result<Vec<ExternalSecret>, String> {
    let spec = object.spec.get().map_err(ToString::to_string)?;
    if let Some(fault) = fault(spec) {
        return Err(fault.to_string());
    }
    let selection = Selection::of(spec).map_err(|error| error.to_string())?;
    let wanted = Wanted::of(&object.metadata, spec, ServedVersion::V1);
    let selected = namespaces(manifests).into_iter().filter(|(name, labels)| selection.selects(name, labels));
    let made: Vec<ExternalSecret> = selected
        .filter_map(|(name, _)| serde_json::from_value(serde_json::to_value(wanted.created(&name)).ok()?).ok())
        .collect();
    if made.is_empty() { Err(NONE_SELECTED.to_owned()) } else { Ok(made) }
}

const NONE_SELECTED: &str = "it selects none of the namespaces that are given; give the Namespaces as well";

/// The namespaces that are given, by name, with their labels.
fn namespaces(manifests: &Manifests) -> BTreeMap<String, BTreeMap<String, String>> {
    let labels_of = |(name, object): (&String, &Namespace)| {
        let mut labels = object.metadata.labels.clone().unwrap_or_default();
        // The API server sets this label.
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.clone());
        (name.clone(), labels)
    };
    manifests.namespaces.iter().map(labels_of).collect()
}

fn push_secrets(object: &ClusterPushSecret, manifests: &Manifests) -> Result<Vec<PushSecret>, String> {
    let template = Template::of(object)?;
    let selected = namespaces(manifests).into_iter().filter(|(name, labels)| template.selects(name, labels));
    let made: Vec<PushSecret> = selected.filter_map(|(name, _)| template.object(&name)).collect();
    if made.is_empty() { Err(NONE_SELECTED.to_owned()) } else { Ok(made) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = r"
apiVersion: external-secrets.io/v1
kind: ClusterExternalSecret
metadata: {name: db}
spec:
  namespaceSelectors: [{matchLabels: {team: a}}, {matchLabels: {kubernetes.io/metadata.name: by-name}}]
  externalSecretSpec:
    secretStoreRef: {name: vault, kind: ClusterSecretStore}
    data: [{secretKey: a, remoteRef: {key: a}}]
";

    fn namespace(name: &str, team: &str) -> String {
        format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{team: {team}}}}}\n")
    }

    #[test]
    fn each_namespace_that_is_given_and_selected_has_one() {
        let text = [PARENT, &namespace("one", "a"), &namespace("two", "b"), &namespace("by-name", "c")].concat();
        let made = of(&Manifests::of_text(&text, "default").unwrap(), None);
        let places = made.external_secrets.iter().map(|object| object.metadata.namespace.clone().unwrap());
        assert_eq!(places.collect::<Vec<_>>(), ["by-name", "one"]);
        assert!(made.external_secrets[0].spec.get().is_ok());
    }

    #[test]
    fn missing_namespaces_are_reported() {
        let made = of(&Manifests::of_text(PARENT, "default").unwrap(), Some("db"));
        let problem = "ClusterExternalSecret \"db\": it selects none of the namespaces that are given; give the Namespaces as well";
        assert_eq!(made.problems, [problem]);
    }
}
