//! What a field manager wrote of a Secret, according to `metadata.managedFields`.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use serde_json::Value;

use super::hash;
use crate::api::{ANNOTATION_DATA_HASH, LABEL_MANAGED};

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

/// The keys of the data that others than `manager` wrote last, by the names of these others. A key that `manager` wrote, too,
/// has the value that it wants.
#[must_use]
pub fn data_of_others(meta: &ObjectMeta, manager: &str) -> BTreeMap<String, BTreeSet<String>> {
    let ours = of(meta, manager).data;
    let mut others: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in meta.managed_fields.iter().flatten() {
        let Some(other) = entry.manager.as_deref().filter(|other| *other != manager) else { continue };
        let Some(fields) = entry.fields_v1.as_ref().map(|fields| &fields.0) else { continue };
        let keys: BTreeSet<_> = keys(&fields["f:data"]).filter(|key| !ours.contains(key)).collect();
        if !keys.is_empty() {
            others.entry(other.to_owned()).or_default().extend(keys);
        }
    }
    others
}

/// The keys of the data that `manager` wrote, or that somebody restored for it.
#[must_use]
pub fn own_data(meta: &ObjectMeta, manager: &str) -> BTreeSet<String> {
    let own = meta.managed_fields.iter().flatten().filter(|entry| is_of(entry, manager));
    own.filter_map(|entry| entry.fields_v1.as_ref()).flat_map(|fields| keys(&fields.0["f:data"])).collect()
}

/// Whether an entry says what `manager` wrote, or what somebody restored for it. A restored backup brings the values
/// together with the marks that every write of a target leaves; whoever changes a value later does not write the marks.
#[must_use]
pub(super) fn is_of(entry: &ManagedFieldsEntry, manager: &str) -> bool {
    let name = entry.manager.as_deref().unwrap_or_default();
    let is_of_another_external_secret = name.starts_with(hash::FIELD_MANAGERS);
    name == manager || (!is_of_another_external_secret && has_marks(entry))
}

fn has_marks(entry: &ManagedFieldsEntry) -> bool {
    let Some(fields) = entry.fields_v1.as_ref().map(|fields| &fields.0["f:metadata"]) else { return false };
    let has = |kind: &str, name: &str| fields[kind].get(format!("f:{name}")).is_some();
    has("f:labels", LABEL_MANAGED) || has("f:annotations", ANNOTATION_DATA_HASH)
}

fn keys(fields: &Value) -> impl Iterator<Item = String> {
    fields.as_object().into_iter().flatten().filter_map(|(key, _)| key.strip_prefix("f:").map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_wrote_last_is_told_by_their_names() {
        let entry = |manager: &str, keys: Value| json!({"manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": keys}});
        let meta: ObjectMeta = serde_json::from_value(json!({"managedFields": [
            entry("ours", json!({".": {}, "f:a": {}, "f:b": {}})),
            entry("kubectl-edit", json!({"f:b": {}, "f:c": {}})),
            entry("helm", json!({".": {}})),
        ]}))
        .unwrap();
        let others = data_of_others(&meta, "ours");
        assert_eq!(others, [("kubectl-edit".to_owned(), BTreeSet::from(["c".to_owned()]))].into());
    }
}
