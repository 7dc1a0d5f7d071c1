//! The ExternalSecrets that ClusterExternalSecrets would create in the namespaces among the manifests.

use std::collections::BTreeMap;

use crate::api::v1::{ClusterExternalSecret, ExternalSecret};
use crate::api::{Selection, ServedVersion};
use crate::cli::inputs::manifests::Manifests;
use crate::controller::cluster_external_secret::spec::fault;
use crate::sync::cluster_external_secret::Wanted;

/// What ClusterExternalSecrets would create.
#[derive(Default)]
pub(super) struct Made {
    pub(super) external_secrets: Vec<ExternalSecret>,
    /// Why a ClusterExternalSecret creates nothing.
    pub(super) problems: Vec<String>,
}

/// What all ClusterExternalSecrets among the manifests, or only the one with this name, would create.
pub(super) fn of(manifests: &Manifests, name: Option<&str>) -> Made {
    let mut made = Made::default();
    let is_wanted = |object: &&ClusterExternalSecret| name.is_none() || object.metadata.name.as_deref() == name;
    for object in manifests.cluster_external_secrets.iter().filter(is_wanted) {
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
    let mut namespaces: Vec<_> = manifests.namespaces.iter().collect();
    namespaces.sort_by_key(|(name, _)| *name);
    let is_selected = |name: &str, labels: Option<&BTreeMap<String, String>>| {
        let mut labels = labels.cloned().unwrap_or_default();
        // The API server sets this label.
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.to_owned());
        selection.selects(name, &labels)
    };
    let selected = namespaces.into_iter().filter(|(name, object)| is_selected(name, object.metadata.labels.as_ref()));
    let made: Vec<ExternalSecret> = selected
        .filter_map(|(name, _)| serde_json::from_value(serde_json::to_value(wanted.created(name)).ok()?).ok())
        .collect();
    if made.is_empty() {
        return Err("it selects none of the namespaces that are given; give the Namespaces as well".to_owned());
    }
    Ok(made)
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
