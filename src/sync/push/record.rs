//! The records of written objects in the status of a PushSecret, and the patch that updates them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::api::v1::StoreKind;
use crate::api::v1alpha1::PushSecretStatus;
use crate::api::v1alpha1::push_secret::{PushSecretData, SyncedPushSecrets};

/// The key of an entry in the status, as ESO writes it: but where `secret` has the property `a`, which is not the object `secret/a`.
#[must_use]
pub fn key(remote_key: &str, property: &str) -> String {
    match (remote_key, property) {
        (_, "") => remote_key.to_owned(),
        ("secret" | "key" | "cert", _) => format!("{remote_key}//{property}"),
        _ => format!("{remote_key}/{property}"),
    }
}

/// The key of a store in the status.
#[must_use]
pub fn store_key(kind: StoreKind, name: &str) -> String {
    format!("{}/{name}", kind.name())
}

/// The store of a key in the status; `None` if it names none.
#[must_use]
pub fn store_of(key: &str) -> Option<(StoreKind, &str)> {
    let (kind, name) = key.split_once('/')?;
    let kinds = [StoreKind::SecretStore, StoreKind::ClusterSecretStore];
    let kind = kinds.into_iter().find(|known| known.name() == kind)?;
    (!name.is_empty()).then_some((kind, name))
}

/// The records with `added`; `None` if they are already among them.
#[must_use]
pub fn with(
    before: &SyncedPushSecrets,
    added: &BTreeMap<String, BTreeMap<String, PushSecretData>>,
) -> Option<SyncedPushSecrets> {
    let is_there = |store: &String, key: &String| before.get(store).is_some_and(|keys| keys.contains_key(key));
    let mut keys = added.iter().flat_map(|(store, keys)| keys.keys().map(move |key| (store, key)));
    if keys.all(|(store, key)| is_there(store, key)) {
        return None;
    }
    let mut after = before.clone();
    for (store, keys) in added {
        after.entry(store.clone()).or_default().extend(keys.clone());
    }
    Some(after)
}

/// The merge patch (RFC 7396) from one status to another. It names removed entries, which the API server would otherwise keep.
#[must_use]
pub fn patch(before: &PushSecretStatus, after: &PushSecretStatus) -> Value {
    difference(&json!(before), &json!(after)).unwrap_or_else(|| Value::Object(Map::new()))
}

fn difference(before: &Value, after: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return (before != after).then(|| after.clone());
    };
    let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let mut changed: Map<_, _> = gone.collect();
    for (key, value) in new {
        if let Some(value) = difference(old.get(key).unwrap_or(&Value::Null), value) {
            changed.insert(key.clone(), value);
        }
    }
    (!changed.is_empty()).then_some(Value::Object(changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str) -> PushSecretData {
        let mut data = PushSecretData::default();
        data.match_.remote_ref.remote_key = key.to_owned();
        data
    }

    fn status(entries: &[(&str, &str)]) -> PushSecretStatus {
        let mut status = PushSecretStatus::default();
        for (store, key) in entries {
            let keys = status.synced_push_secrets.entry((*store).to_owned()).or_default();
            keys.insert((*key).to_owned(), record(key));
        }
        status
    }

    #[test]
    fn what_is_gone_is_named_in_the_patch() {
        let before = status(&[("SecretStore/a", "x"), ("SecretStore/a", "y"), ("SecretStore/b", "z")]);
        let patch = patch(&before, &status(&[("SecretStore/a", "x"), ("SecretStore/a", "new")]));
        let stores = &patch["syncedPushSecrets"];
        assert_eq!(stores["SecretStore/b"], Value::Null);
        assert!(stores["SecretStore/b"].is_null() && stores.as_object().unwrap().contains_key("SecretStore/b"));
        let keys = stores["SecretStore/a"].as_object().unwrap();
        assert!(keys["y"].is_null() && !keys.contains_key("x") && keys["new"]["match"].is_object());
    }

    #[test]
    fn two_objects_have_two_keys() {
        assert_eq!(
            (key("a", ""), key("a", "b"), key("secret/a", "b")),
            ("a".into(), "a/b".into(), "secret/a/b".into())
        );
        assert_ne!(key("secret", "a"), key("secret/a", ""));
    }

    #[test]
    fn what_is_recorded_already_needs_no_write() {
        let before = status(&[("SecretStore/a", "x")]).synced_push_secrets;
        let of =
            |key: &str| BTreeMap::from([("SecretStore/a".to_owned(), BTreeMap::from([(key.to_owned(), record(key))]))]);
        assert!(with(&before, &of("x")).is_none());
        assert_eq!(with(&before, &of("y")).unwrap()["SecretStore/a"].len(), 2);
        assert_eq!(store_of("ClusterSecretStore/a"), Some((StoreKind::ClusterSecretStore, "a")));
        assert_eq!((store_of("Other/a"), store_of("SecretStore/"), store_of("a")), (None, None, None));
    }
}
