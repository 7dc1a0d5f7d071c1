//! What a field manager wrote of a Secret, according to `metadata.managedFields`.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

/// What one field manager wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagedFields {
    /// The labels' keys.
    pub labels: BTreeSet<String>,
    /// The annotations' keys.
    pub annotations: BTreeSet<String>,
    /// The keys of the data.
    pub data: BTreeSet<String>,
}

/// Reads what `manager` wrote, with any operation.
#[must_use]
pub fn of(meta: &ObjectMeta, manager: &str) -> ManagedFields {
    let mut found = ManagedFields::default();
    for entry in meta.managed_fields.iter().flatten() {
        if entry.manager.as_deref() != Some(manager) {
            continue;
        }
        let Some(fields) = entry.fields_v1.as_ref().map(|fields| &fields.0) else { continue };
        found.labels.extend(keys(&fields["f:metadata"]["f:labels"]));
        found.annotations.extend(keys(&fields["f:metadata"]["f:annotations"]));
        found.data.extend(keys(&fields["f:data"]));
    }
    found
}

fn keys(fields: &Value) -> impl Iterator<Item = String> {
    fields.as_object().into_iter().flatten().filter_map(|(key, _)| key.strip_prefix("f:").map(str::to_owned))
}
