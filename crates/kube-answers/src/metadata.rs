//! Reads the metadata of objects.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, ObjectMeta, OwnerReference, Time};
use kube::Resource;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An object of which only the metadata is read. The API server is asked for nothing else.
pub struct MetadataOf<K> {
    /// The metadata; it has `managedFields` only if [`Objects`](crate::Objects) read it.
    pub metadata: ObjectMeta,
    kind: PhantomData<fn() -> K>,
}

impl<K> MetadataOf<K> {
    /// An object with this metadata.
    #[must_use]
    pub const fn new(metadata: ObjectMeta) -> Self {
        Self { metadata, kind: PhantomData }
    }
}

impl<K> Clone for MetadataOf<K> {
    fn clone(&self) -> Self {
        Self::new(self.metadata.clone())
    }
}

impl<K> fmt::Debug for MetadataOf<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MetadataOf").field(&self.metadata).finish()
    }
}

impl<'de, K> Deserialize<'de> for MetadataOf<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Object {
            #[serde(default, deserialize_with = "without_managed_fields")]
            metadata: ObjectMeta,
        }
        Ok(Self::new(Object::deserialize(deserializer)?.metadata))
    }
}

impl<K: Resource> Resource for MetadataOf<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn metadata_api() -> bool {
        true
    }
    fn kind(dyntype: &K::DynamicType) -> Cow<'_, str> {
        K::kind(dyntype)
    }
    fn group(dyntype: &K::DynamicType) -> Cow<'_, str> {
        K::group(dyntype)
    }
    fn version(dyntype: &K::DynamicType) -> Cow<'_, str> {
        K::version(dyntype)
    }
    fn api_version(dyntype: &K::DynamicType) -> Cow<'_, str> {
        K::api_version(dyntype)
    }
    fn plural(dyntype: &K::DynamicType) -> Cow<'_, str> {
        K::plural(dyntype)
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// Deserializes metadata without `managedFields`, which are most of it and are nested as deeply as the object.
pub fn without_managed_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    Ok(Metadata::deserialize(deserializer)?.into_meta(Vec::new()))
}

/// Deserializes metadata with `managedFields`. Their entries have no times, because nothing needs to know when a field
/// was written. An entry that cannot be read is left out.
pub fn with_managed_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct WithManagedFields {
        #[serde(default)]
        managed_fields: Option<Vec<Box<RawValue>>>,
    }
    let text = Box::<RawValue>::deserialize(deserializer)?;
    let metadata: Metadata = serde_json::from_str(text.get()).map_err(serde::de::Error::custom)?;
    let entries: Option<WithManagedFields> = serde_json::from_str(text.get()).ok();
    let entries = entries.and_then(|entries| entries.managed_fields).into_iter().flatten();
    let entries = entries.filter_map(|entry| serde_json::from_str::<Entry>(entry.get()).ok());
    Ok(metadata.into_meta(entries.map(Entry::into_entry).collect()))
}

/// Deserializes a time: `None` if it is invalid or out of range. Go's times end a day later than those of `jiff`.
pub fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    lenient(deserializer)
}

/// Deserializes a part that is `None` if it cannot be read.
pub fn lenient<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(text.get()).unwrap_or_default())
}

/// The metadata that is read.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: Option<String>,
    generate_name: Option<String>,
    namespace: Option<String>,
    self_link: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    #[serde(deserialize_with = "lenient")]
    generation: Option<i64>,
    #[serde(deserialize_with = "time")]
    creation_timestamp: Option<Time>,
    #[serde(deserialize_with = "moment")]
    deletion_timestamp: Option<Time>,
    #[serde(deserialize_with = "lenient")]
    deletion_grace_period_seconds: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
    finalizers: Option<Vec<String>>,
}

impl Metadata {
    fn into_meta(self, managed_fields: Vec<ManagedFieldsEntry>) -> ObjectMeta {
        ObjectMeta {
            name: self.name,
            generate_name: self.generate_name,
            namespace: self.namespace,
            self_link: self.self_link,
            uid: self.uid,
            resource_version: self.resource_version,
            generation: self.generation,
            creation_timestamp: self.creation_timestamp,
            deletion_timestamp: self.deletion_timestamp,
            deletion_grace_period_seconds: self.deletion_grace_period_seconds,
            labels: self.labels,
            annotations: self.annotations,
            owner_references: self.owner_references,
            finalizers: self.finalizers,
            managed_fields: (!managed_fields.is_empty()).then_some(managed_fields),
        }
    }
}

/// A time whose presence matters. One that cannot be read becomes the latest possible time.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    let text = Box::<RawValue>::deserialize(deserializer)?;
    let end = || Some(Time(k8s_openapi::jiff::Timestamp::MAX));
    Ok(serde_json::from_str(text.get()).unwrap_or_else(|_| end()))
}

/// An entry of `managedFields`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    manager: Option<String>,
    operation: Option<String>,
    api_version: Option<String>,
    fields_type: Option<String>,
    fields_v1: Option<FieldsV1>,
    subresource: Option<String>,
}

impl Entry {
    fn into_entry(self) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: self.manager,
            operation: self.operation,
            api_version: self.api_version,
            fields_type: self.fields_type,
            fields_v1: self.fields_v1,
            subresource: self.subresource,
            time: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Secret;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    struct Whole(#[serde(deserialize_with = "with_managed_fields")] ObjectMeta);

    #[test]
    fn metadata_is_read_whatever_the_unneeded_parts_contain() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(5000), "}".repeat(5000));
        for (field, value) in [
            ("managedFields", r#"[{"time": "9999-12-31T23:59:59Z"}]"#),
            ("managedFields", r#"[{"fieldsV1": {"f:\ud800": 1e999}}]"#),
            ("managedFields", "7"),
            ("managedFields", &deep),
            ("creationTimestamp", r#""9999-12-31T23:59:59Z""#),
            ("creationTimestamp", r#""yesterday""#),
            ("generation", "1e400"),
            ("deletionGracePeriodSeconds", r#""soon""#),
            ("selfLink", "null"),
            ("of another version", &deep),
        ] {
            let text = format!(r#"{{"metadata": {{"name": "a", {}: {value}}}, "data": {deep}}}"#, json!(field));
            let object: MetadataOf<Secret> = serde_json::from_str(&text).unwrap();
            assert_eq!(object.metadata.name.as_deref(), Some("a"), "{field}");
            assert_eq!(object.metadata.managed_fields, None, "{field}");
        }
    }

    #[test]
    fn an_object_is_being_deleted_whatever_the_time_is() {
        for time in ["2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "soon"] {
            let object: MetadataOf<Secret> =
                serde_json::from_value(json!({"metadata": {"deletionTimestamp": time}})).unwrap();
            assert!(object.metadata.deletion_timestamp.is_some(), "{time}");
        }
        let object: MetadataOf<Secret> =
            serde_json::from_value(json!({"metadata": {"deletionTimestamp": null}})).unwrap();
        assert_eq!(object.metadata.deletion_timestamp, None);
    }

    #[test]
    fn field_managers_are_known_without_the_times_of_their_writes() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(5000), "}".repeat(5000));
        let text = format!(
            r#"{{"managedFields": [
                {{"manager": "one", "time": "9999-12-31T23:59:59Z", "fieldsV1": {{"f:data": {{}}}}}},
                {{"manager": "two", "fieldsV1": {deep}}}, null, 7,
                {{"manager": "three", "time": 7}}
            ]}}"#
        );
        let Whole(meta) = serde_json::from_str(&text).unwrap();
        let managers: Vec<_> = meta.managed_fields.unwrap().into_iter().map(|entry| entry.manager.unwrap()).collect();
        assert_eq!(managers, ["one", "three"]);
    }
}
