//! Labels and annotations for the objects that a ClusterExternalSecret or ClusterPushSecret creates, and which of those that
//! an object has were written for it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::FIELD_MANAGER;

/// Labels and annotations for the objects that a ClusterExternalSecret or ClusterPushSecret creates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChildMetadata {
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// The keys of the labels and annotations of an object that were last written for its owner, by ESO's controller or by this
/// one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenMetadata {
    /// Keys of labels.
    pub labels: BTreeSet<String>,
    /// Keys of annotations.
    pub annotations: BTreeSet<String>,
}

impl WrittenMetadata {
    /// Reads them from metadata with `managedFields`.
    #[must_use]
    pub fn of(meta: &ObjectMeta) -> Self {
        let mut written = Self::default();
        for entry in meta.managed_fields.iter().flatten() {
            let is_ours =
                entry.manager.as_deref() == Some(FIELD_MANAGER) && entry.operation.as_deref() == Some("Update");
            let Some(fields) = entry.fields_v1.as_ref().filter(|_| is_ours).map(|fields| &fields.0["f:metadata"])
            else {
                continue;
            };
            written.labels.extend(keys(fields["f:labels"].as_object()));
            written.annotations.extend(keys(fields["f:annotations"].as_object()));
        }
        written
    }
}

/// The keys of a map in `managedFields`.
fn keys(fields: Option<&Map<String, Value>>) -> impl Iterator<Item = String> {
    fields.into_iter().flatten().filter_map(|(key, _)| key.strip_prefix("f:").map(str::to_owned))
}

impl ChildMetadata {
    /// Whether an object has these labels and annotations, and none that was written before and is no longer wanted. What
    /// others added does not matter.
    #[must_use]
    pub fn is_met_by(&self, meta: &ObjectMeta, written: &WrittenMetadata) -> bool {
        is_met(&self.labels, &written.labels, meta.labels.as_ref())
            && is_met(&self.annotations, &written.annotations, meta.annotations.as_ref())
    }

    /// Gives these labels and annotations to an object, and removes those that were written before and are no longer wanted.
    /// What others added stays.
    pub fn apply(&self, meta: &mut ObjectMeta, written: &WrittenMetadata) {
        meta.labels = merged(&self.labels, &written.labels, meta.labels.take());
        meta.annotations = merged(&self.annotations, &written.annotations, meta.annotations.take());
    }

    /// Those labels and annotations of an object that are wanted or were written before.
    #[must_use]
    pub fn found_in(&self, meta: &ObjectMeta, written: &WrittenMetadata) -> Self {
        Self {
            labels: found(&self.labels, &written.labels, meta.labels.as_ref()),
            annotations: found(&self.annotations, &written.annotations, meta.annotations.as_ref()),
        }
    }
}

type Entries = BTreeMap<String, String>;

fn is_met(wanted: &Entries, written: &BTreeSet<String>, present: Option<&Entries>) -> bool {
    let value = |key: &String| present.and_then(|present| present.get(key));
    let is_left = |key: &String| !wanted.contains_key(key) && value(key).is_some();
    wanted.iter().all(|(key, wanted)| value(key) == Some(wanted)) && !written.iter().any(is_left)
}

fn merged(wanted: &Entries, written: &BTreeSet<String>, present: Option<Entries>) -> Option<Entries> {
    let mut entries = present.unwrap_or_default();
    entries.retain(|key, _| !written.contains(key));
    entries.extend(wanted.clone());
    Some(entries).filter(|entries| !entries.is_empty())
}

fn found(wanted: &Entries, written: &BTreeSet<String>, present: Option<&Entries>) -> Entries {
    let mut entries = present.cloned().unwrap_or_default();
    entries.retain(|key, _| wanted.contains_key(key) || written.contains(key));
    entries
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(labels: &Value, written: &[&str]) -> (ObjectMeta, WrittenMetadata) {
        let meta = serde_json::from_value(json!({ "labels": labels })).unwrap();
        let labels = written.iter().map(|key| (*key).to_owned()).collect();
        (meta, WrittenMetadata { labels, ..WrittenMetadata::default() })
    }

    #[test]
    fn what_was_written_and_is_no_longer_wanted_is_removed_and_what_others_added_stays() {
        let wanted: ChildMetadata = serde_json::from_value(json!({"labels": {"team": "a"}})).unwrap();
        for (labels, written, is_met) in [
            (json!({"team": "a"}), &["team"][..], true),
            (json!({"team": "a", "theirs": "1"}), &["team"], true),
            (json!({"team": "b"}), &["team"], false),
            (json!({"theirs": "1"}), &[], false),
            (json!({"team": "a", "old": "1"}), &["team", "old"], false),
            (json!({"team": "a"}), &["team", "old"], true),
        ] {
            let (mut meta, written) = metadata(&labels, written);
            assert_eq!(wanted.is_met_by(&meta, &written), is_met, "{labels}");
            wanted.apply(&mut meta, &written);
            assert!(wanted.is_met_by(&meta, &written), "{labels}");
            let left = meta.labels.unwrap();
            assert_eq!(left.contains_key("theirs"), labels.get("theirs").is_some(), "{labels}");
            assert!(!left.contains_key("old"), "{labels}");
        }
    }

    #[test]
    fn keys_that_another_manager_wrote_are_not_counted() {
        let managed = |manager: &str, operation: &str, key: &str| {
            json!({"manager": manager, "operation": operation,
                "fieldsV1": {"f:metadata": {"f:labels": {".": {}, format!("f:{key}"): {}}}}})
        };
        let fields = [
            managed(FIELD_MANAGER, "Update", "ours"),
            managed("kubectl", "Update", "theirs"),
            managed(FIELD_MANAGER, "Apply", "applied"),
        ];
        let meta = serde_json::from_value(json!({ "managedFields": fields })).unwrap();
        assert_eq!(WrittenMetadata::of(&meta).labels, BTreeSet::from(["ours".to_owned()]));
    }
}
