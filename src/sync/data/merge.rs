//! `rewrite.merge`: combines values that are JSON objects into one set of properties.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use go_json::Escape;
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::decode::secret;
use super::json::{self, Json};
use super::{DataError, SecretData, SecretValue};
use crate::api::v1::external_secret::{MergeConflictPolicy, MergePriorityPolicy, MergeStrategy, RewriteMerge};
use crate::budget::Budget;

pub(super) fn apply(
    field: &str,
    merge: &RewriteMerge,
    mut set: SecretData,
    budget: &Budget,
) -> Result<SecretData, DataError> {
    let properties = merged(field, merge, &set, budget)?;
    match merge.strategy {
        MergeStrategy::Extract => Ok(properties.into_iter().map(|(name, value)| (name, value_of(&value))).collect()),
        MergeStrategy::Json => {
            if merge.into.is_empty() {
                return Err(DataError::MergeInto { field: format!("{field}.into") });
            }
            let object = json::print(&Json::Object(properties), Escape::Needed);
            set.insert(merge.into.clone(), secret(&object));
            Ok(set)
        }
    }
}

/// The properties of all values. Those of the keys in `priority` come last, so that they win.
fn merged(
    field: &str,
    merge: &RewriteMerge,
    set: &SecretData,
    budget: &Budget,
) -> Result<BTreeMap<String, Json>, DataError> {
    let first: HashSet<_> = merge.priority.iter().collect();
    let others = set.keys().filter(|key| !first.contains(key));
    let mut properties = BTreeMap::new();
    let mut conflicts = BTreeSet::new();
    for key in others.chain(&merge.priority) {
        let Some(value) = set.get(key) else {
            if merge.priority_policy == MergePriorityPolicy::IgnoreNotFound {
                continue;
            }
            return Err(DataError::MergePriority { field: format!("{field}.priority"), key: key.clone() });
        };
        let parsed = json::parse(value.expose_secret(), budget).map_err(|error| DataError::budget(field, error))?;
        let object = match parsed {
            Some(Json::Object(object)) => object,
            Some(Json::Null) => BTreeMap::new(),
            _ if value.expose_secret().starts_with("\u{feff}".as_bytes()) => {
                return Err(DataError::MergeByteOrderMark { field: field.to_owned(), key: key.clone() });
            }
            _ => return Err(DataError::MergeNotAnObject { field: field.to_owned(), key: key.clone() }),
        };
        for (name, property) in object {
            if properties.insert(name.clone(), property).is_some() {
                conflicts.insert(name);
            }
        }
    }
    if merge.conflict_policy == MergeConflictPolicy::Error && !conflicts.is_empty() {
        let properties = conflicts.into_iter().collect();
        return Err(DataError::MergeConflict { field: format!("{field}.conflictPolicy"), properties });
    }
    Ok(properties)
}

/// A property as the value of a key: a string without its quotes, `null` as an empty value, numbers in full, and
/// anything else as JSON.
fn value_of(property: &Json) -> SecretValue {
    match property {
        Json::Null => secret(b""),
        Json::String(text) => secret(text.as_bytes()),
        Json::Number(number) => secret(Zeroizing::new(number.to_string()).as_bytes()),
        Json::Bool(_) | Json::Array(_) | Json::Object(_) => secret(&json::print(property, Escape::Html)),
    }
}
