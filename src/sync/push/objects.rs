//! Combines entries into objects: the entries of one object become one write.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::expand::Entry;
use super::names::shown;
use super::record;
use crate::api::v1alpha1::push_secret::PushSecretData;
use crate::push::{ObjectName, Payload, json};
use crate::sync::SecretData;

/// An object in a store, and its desired form.
pub struct WantedObject {
    /// The remote key, as written in the spec.
    pub remote_key: String,
    /// The key of the Secret, for messages.
    pub secret_key: String,
    /// The value to write.
    pub payload: Payload,
    /// The metadata of the object.
    pub metadata: Option<Value>,
    /// Its records in the status, by the keys of the status.
    pub records: BTreeMap<String, PushSecretData>,
    /// The entries that are ignored because a later one is for the same object.
    pub superseded: Option<String>,
}

/// The objects of entries. Entries with different properties become one JSON object; a single property is ignored, as in ESO. Of
/// entries that cannot be combined, the last one wins. `name` returns the object of a remote key.
///
/// # Errors
/// The error of `name` for a remote key that names no object.
pub fn objects<E>(
    entries: Vec<Entry>,
    name: impl Fn(&str) -> Result<ObjectName, E>,
) -> Result<BTreeMap<ObjectName, WantedObject>, E> {
    let mut groups: BTreeMap<ObjectName, Vec<Entry>> = BTreeMap::new();
    for entry in entries {
        groups.entry(name(&entry.remote_key)?).or_default().push(entry);
    }
    Ok(groups.into_iter().filter_map(|(name, group)| Some((name, joined(group)?))).collect())
}

/// Combines the entries of one object.
fn joined(group: Vec<Entry>) -> Option<WantedObject> {
    // Of equal properties, the last one wins.
    let mut by_property: BTreeMap<String, Entry> = BTreeMap::new();
    let mut superseded = None;
    let mut last_property = String::new();
    for entry in group {
        last_property.clone_from(&entry.property);
        if let Some(before) = by_property.insert(entry.property.clone(), entry) {
            superseded = Some(note(&before));
        }
    }
    // A value without a property is the whole object, so the last one wins.
    if by_property.len() > 1 && by_property.contains_key("") {
        if last_property.is_empty() {
            let keep = by_property.remove("")?;
            superseded = by_property.values().next().map(note);
            by_property = BTreeMap::from([(String::new(), keep)]);
        } else {
            superseded = by_property.remove("").as_ref().map(note);
        }
    }
    let mut entries = by_property.into_values();
    let first = entries.next()?;
    let mut rest = entries.peekable();
    let mut wanted = WantedObject {
        remote_key: first.remote_key.clone(),
        secret_key: first.secret_key.clone(),
        records: BTreeMap::from([(record::key(&first.remote_key, &first.property), first.record)]),
        metadata: first.metadata,
        payload: first.payload,
        superseded,
    };
    if rest.peek().is_none() {
        return Some(wanted);
    }
    let text = |payload: Payload| match payload {
        Payload::Value(value) => value,
        Payload::Map(values) => json::object(&values),
    };
    let mut properties = SecretData::new();
    properties.insert(first.property, text(wanted.payload));
    for entry in rest {
        wanted.records.insert(record::key(&entry.remote_key, &entry.property), entry.record);
        wanted.metadata = entry.metadata.or(wanted.metadata);
        properties.insert(entry.property, text(entry.payload));
    }
    wanted.secret_key = String::new();
    wanted.payload = Payload::Map(Arc::new(properties));
    Some(wanted)
}

fn note(entry: &Entry) -> String {
    let of = if entry.secret_key.is_empty() { "a whole Secret" } else { "the key" };
    format!("{of} {:?} for {:?}", shown(&entry.secret_key), shown(&entry.remote_key))
}
