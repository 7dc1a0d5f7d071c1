//! The kinds that are looked at, as their CRDs describe them.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;

use crate::api::{GROUP, crd, generators};

/// A kind that is served.
pub(super) struct Kind {
    group: String,
    pub(super) name: String,
    /// The version that is stored, as it stands in `apiVersion`.
    pub(super) api_version: String,
    /// The others.
    pub(super) old_versions: Vec<String>,
    pub(super) schema: JSONSchemaProps,
}

/// Whether a group is one whose kinds are looked at.
pub(super) fn is_ours(group: &str) -> bool {
    [GROUP, generators::GROUP].contains(&group)
}

/// The kind of a group and name, if it is served.
pub(super) fn served(group: &str, name: &str) -> Option<&'static Kind> {
    static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(kinds);
    KINDS.iter().find(|kind| kind.group == group && kind.name == name)
}

fn kinds() -> Vec<Kind> {
    let kinds = crd::all().into_iter().filter_map(|definition| {
        let spec = definition.spec;
        let group = spec.group;
        let (stored, others): (Vec<_>, Vec<_>) = spec.versions.into_iter().partition(|version| version.storage);
        let stored = stored.into_iter().next()?;
        Some(Kind {
            name: spec.names.kind,
            api_version: format!("{group}/{}", stored.name),
            old_versions: others.into_iter().map(|version| format!("{group}/{}", version.name)).collect(),
            schema: stored.schema?.open_api_v3_schema?,
            group,
        })
    });
    kinds.collect()
}
