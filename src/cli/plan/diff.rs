//! The changes of a Secret, field by field.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use serde_json::Value;

use crate::api::ANNOTATION_DATA_HASH;
use crate::cli::redaction::{Metadata, Redactor, Shown};
use crate::sync::target::Owner;

/// A changed field. Without `before` it is added, without `after` it is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The field, such as `data`.
    pub(super) field: &'static str,
    /// The key in the field, if the field has keys.
    pub(super) key: Option<String>,
    /// The current value.
    pub(super) before: Option<Shown>,
    /// The new value.
    pub(super) after: Option<Shown>,
}

/// The changes that turn `existing`, if there is one, into `desired`.
pub(super) fn changes(
    existing: Option<&Secret>,
    desired: &Secret,
    owner: Owner<'_>,
    redactor: &Redactor,
) -> Vec<Change> {
    let nothing = Secret::default();
    let before = existing.unwrap_or(&nothing);
    let text = |value: &str| Shown::Text(value.to_owned());
    let mut changes = Vec::new();

    // The API server's default.
    let type_ = |secret: &Secret| secret.type_.clone().unwrap_or_else(|| "Opaque".to_owned());
    let (old, new) = (existing.map(type_), type_(desired));
    changes.extend(single("type", old.as_deref().map(text), Some(text(&new))));
    let immutable = |secret: &Secret| secret.immutable.map(|value| text(&value.to_string()));
    changes.extend(single("immutable", immutable(before), immutable(desired)));

    changes.extend(of_metadata(&before.metadata, &desired.metadata, owner, redactor));
    let (old, new) = (before.data.clone().unwrap_or_default(), desired.data.clone().unwrap_or_default());
    let (old, new) = (Bytes::from(old), Bytes::from(new));
    let data: Vec<_> = entries("data", &old.0, &new.0, |_, value| redactor.value(value)).collect();
    with_content(changes, data)
}

/// The same for objects that are not Secrets.
pub(super) fn object_changes(
    existing: Option<&DynamicObject>,
    desired: &DynamicObject,
    owner: Owner<'_>,
    redactor: &Redactor,
) -> Vec<Change> {
    let nothing = ObjectMeta::default();
    let changes = of_metadata(existing.map_or(&nothing, |object| &object.metadata), &desired.metadata, owner, redactor);
    let mut content = Vec::new();
    for field in ["spec", "data", OTHER_FIELDS] {
        let (before, after) =
            (existing.map(|object| leaves(object, field)).unwrap_or_default(), leaves(desired, field));
        content.extend(entries(field, &before, &after, |_, value| redactor.value(value)));
    }
    with_content(changes, content)
}

/// Stands for all fields of an object except `spec` and `data`.
const OTHER_FIELDS: &str = "fields";

/// The scalars of a field, by their paths in it.
fn leaves(object: &DynamicObject, field: &str) -> BTreeMap<String, zeroize::Zeroizing<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for (name, value) in object.data.as_object().into_iter().flatten() {
        if name == field {
            collect(value, String::new(), &mut found);
        } else if field == OTHER_FIELDS && !["spec", "data", "status"].contains(&name.as_str()) {
            collect(value, name.clone(), &mut found);
        }
    }
    found
}

fn collect(value: &Value, path: String, found: &mut BTreeMap<String, zeroize::Zeroizing<Vec<u8>>>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(value, path, found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, value) in items.iter().enumerate() {
                collect(value, format!("{path}[{index}]"), found);
            }
        }
        Value::String(text) => {
            found.insert(path, text.as_bytes().to_vec().into());
        }
        other => {
            found.insert(path, other.to_string().into_bytes().into());
        }
    }
}

/// The changes of metadata and content. The content's hash is left out if the content is shown to change.
fn with_content(mut changes: Vec<Change>, content: Vec<Change>) -> Vec<Change> {
    if !content.is_empty() {
        changes.retain(|change| change.key.as_deref() != Some(ANNOTATION_DATA_HASH));
    }
    changes.extend(content);
    changes
}

/// The changes of metadata.
fn of_metadata(before: &ObjectMeta, after: &ObjectMeta, owner: Owner<'_>, redactor: &Redactor) -> Vec<Change> {
    let mut changes = Vec::new();
    let shown = |_: &str, value: &String| Shown::Text(value.clone());
    changes.extend(entries("ownerReferences", &owners(before), &owners(after), shown));
    changes.extend(entries("finalizers", &finalizers(before), &finalizers(after), shown));
    let labels = |meta: &ObjectMeta| meta.labels.clone().unwrap_or_default();
    let show = |key: &str, value: &String| redactor.metadata(Metadata::Labels, key, value, owner);
    changes.extend(entries("labels", &labels(before), &labels(after), show));
    let annotations = |meta: &ObjectMeta| meta.annotations.clone().unwrap_or_default();
    let show = |key: &str, value: &String| redactor.metadata(Metadata::Annotations, key, value, owner);
    changes.extend(entries("annotations", &annotations(before), &annotations(after), show));
    changes
}

/// The data of a Secret, wiped when dropped.
struct Bytes(BTreeMap<String, zeroize::Zeroizing<Vec<u8>>>);

impl From<BTreeMap<String, k8s_openapi::ByteString>> for Bytes {
    fn from(data: BTreeMap<String, k8s_openapi::ByteString>) -> Self {
        Self(data.into_iter().map(|(key, value)| (key, value.0.into())).collect())
    }
}

fn single(field: &'static str, before: Option<Shown>, after: Option<Shown>) -> Option<Change> {
    (before != after).then_some(Change { field, key: None, before, after })
}

/// The entries that differ between two maps, by key.
fn entries<'a, V: PartialEq>(
    field: &'static str,
    before: &'a BTreeMap<String, V>,
    after: &'a BTreeMap<String, V>,
    show: impl Fn(&str, &V) -> Shown + 'a,
) -> impl Iterator<Item = Change> + 'a {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter().filter(|key| before.get(*key) != after.get(*key)).map(move |key| {
        let show = |value| show(key, value);
        Change { field, key: Some(key.clone()), before: before.get(key).map(show), after: after.get(key).map(show) }
    })
}

/// The owners, by kind and name.
fn owners(meta: &ObjectMeta) -> BTreeMap<String, String> {
    let owner = |owner: &k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference| {
        let uid = if owner.uid.is_empty() { "not made yet" } else { &owner.uid };
        let role = if owner.controller == Some(true) { ", controller" } else { "" };
        (format!("{}/{}", owner.kind, owner.name), format!("{uid}{role}"))
    };
    meta.owner_references.iter().flatten().map(owner).collect()
}

fn finalizers(meta: &ObjectMeta) -> BTreeMap<String, String> {
    meta.finalizers.iter().flatten().map(|name| (name.clone(), String::new())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::ServedVersion;
    use crate::api::v1::ExternalSecretSpec;
    use crate::cli::redaction::Values;

    fn found(before: Option<Value>, after: Value, values: Values) -> Vec<Change> {
        let (meta, spec) = (ObjectMeta::default(), ExternalSecretSpec::default());
        let owner = Owner::new(&meta, &spec, ServedVersion::V1);
        let before: Option<Secret> = before.map(|before| serde_json::from_value(before).unwrap());
        let after: Secret = serde_json::from_value(after).unwrap();
        changes(before.as_ref(), &after, owner, &Redactor::new(values))
    }

    /// Each as `field key: before -> after`.
    fn lines(changes: &[Change]) -> Vec<String> {
        let shown = |shown: &Option<Shown>| shown.as_ref().map_or_else(|| "nothing".to_owned(), Shown::in_line);
        changes
            .iter()
            .map(|change| {
                let key = change.key.as_deref().map(|key| format!(" {key}")).unwrap_or_default();
                format!("{}{key}: {} -> {}", change.field, shown(&change.before), shown(&change.after))
            })
            .collect()
    }

    #[test]
    fn of_a_new_secret_all_is_added() {
        let after = json!({"metadata": {"labels": {"reconcile.external-secrets.io/managed": "true"}, "finalizers": ["a/b"],
            "ownerReferences": [{"apiVersion": "v1", "kind": "ExternalSecret", "name": "e", "uid": "", "controller": true}]},
            "data": {"a": "YQ=="}});
        assert_eq!(
            lines(&found(None, after, Values::Shown)),
            [
                "type: nothing -> \"Opaque\"",
                "ownerReferences ExternalSecret/e: nothing -> \"not made yet, controller\"",
                "finalizers a/b: nothing -> \"\"",
                "labels reconcile.external-secrets.io/managed: nothing -> \"true\"",
                "data a: nothing -> \"a\"",
            ]
        );
    }

    #[test]
    fn only_differences_from_the_old_secret_are_shown() {
        let before = json!({"type": "Opaque", "metadata": {"labels": {"same": "1", "gone": "2"}},
            "data": {"same": "MQ==", "gone": "Mg==", "changed": "Mw=="}});
        let after = json!({"type": "Opaque", "immutable": true, "metadata": {"labels": {"same": "1"}},
            "data": {"same": "MQ==", "changed": "NA==", "new": "NQ=="}});
        assert_eq!(
            lines(&found(Some(before), after, Values::Shown)),
            [
                "immutable: nothing -> \"true\"",
                "labels gone: \"2\" -> nothing",
                "data changed: \"3\" -> \"4\"",
                "data gone: \"2\" -> nothing",
                "data new: nothing -> \"5\"",
            ]
        );
    }

    #[test]
    fn each_value_of_another_object_is_shown_by_its_path() {
        let (meta, spec) = (ObjectMeta::default(), ExternalSecretSpec::default());
        let owner = Owner::new(&meta, &spec, ServedVersion::V1);
        let object = |fields: Value| serde_json::from_value::<DynamicObject>(fields).unwrap();
        let before = object(json!({"metadata": {}, "spec": {"a": {"b": "1"}, "list": [1, 2]}, "status": {"x": 1}}));
        let after = object(json!({"metadata": {"annotations": {ANNOTATION_DATA_HASH: "h"}},
            "spec": {"a": {"b": "2"}, "list": [1]}, "rules": ["r"], "status": {"x": 1}}));
        let changes = object_changes(Some(&before), &after, owner, &Redactor::new(Values::Shown));
        let expected =
            ["spec a.b: \"1\" -> \"2\"", "spec list[1]: \"2\" -> nothing", "fields rules[0]: nothing -> \"r\""];
        assert_eq!(lines(&changes), expected);
        let redacted = lines(&object_changes(None, &after, owner, &Redactor::new(Values::Redacted))).concat();
        assert!(redacted.contains("spec a.b: nothing -> (1 byte, hash "), "{redacted}");
    }

    #[test]
    fn the_hash_of_the_data_is_shown_only_if_the_data_is_unchanged() {
        let secret = |data: &str, hash: &str| json!({"type": "Opaque", "metadata": {"annotations": {ANNOTATION_DATA_HASH: hash}}, "data": {"a": data}});
        let keys = |before, after| {
            let changes = found(Some(before), after, Values::Redacted);
            changes.into_iter().filter_map(|change| change.key).collect::<Vec<_>>()
        };
        assert_eq!(keys(secret("YQ==", "1"), secret("Yg==", "2")), ["a"]);
        assert_eq!(keys(secret("YQ==", "1"), secret("YQ==", "2")), [ANNOTATION_DATA_HASH]);
    }

    #[test]
    fn equal_values_on_both_sides_have_one_hash_and_no_value_is_shown() {
        let before = json!({"type": "Opaque", "metadata": {}, "data": {"old": "aHVudGVyMg=="}});
        let after = json!({"type": "Opaque", "metadata": {"annotations": {"made": "hunter2"}}, "data": {"new": "aHVudGVyMg=="}});
        let changes = found(Some(before), after, Values::Redacted);
        let (new, old) = (&changes[1], &changes[2]);
        assert_eq!((new.key.as_deref(), old.key.as_deref()), (Some("new"), Some("old")));
        assert_eq!(new.after, old.before);
        assert!(!lines(&changes).concat().contains("hunter2"), "{changes:?}");
    }
}
