//! What a PushSecret asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use serde::Deserialize as _;

use super::read;
use crate::api::v1::StoreKind;
use crate::api::v1alpha1::PushSecret;
use crate::push::ObjectName;
use crate::sync::push::expand::Expander;
use crate::sync::push::{Source, StoreFacts, due, minting, objects, record};
use crate::template::{Engine, Limits, MissingKeys, funcs};

/// Works out the objects that a PushSecret asks for. The input is JSON: `pushSecret` and `secret`.
///
/// # Panics
/// If the records of the objects differ from what was asked for.
pub fn wanted(input: &[u8]) {
    let Some(input) = read(input) else { return };
    let Ok(object) = PushSecret::deserialize(&input["pushSecret"]) else { return };
    let Ok(spec) = object.spec.get() else { return };
    let now = Timestamp::from_second(1_700_000_000).unwrap_or_default();
    let status = object.status.clone().unwrap_or_default();
    let _ = due::due(&object.metadata, spec, Some(&status), now);
    let _ = minting::decide(&object.metadata, spec, &status, now);
    let secret = Secret::deserialize(&input["secret"]).unwrap_or_default();
    let data = secret.data.unwrap_or_default().into_iter();
    let data = Arc::new(data.map(|(key, value)| (key, Arc::new(value.0.into()))).collect());
    let source = Source { name: "source".to_owned(), data };
    let engine = Engine::new(funcs::all())
        .with_limits(Limits { steps: 20_000, ..Limits::default() })
        .with_missing_keys(MissingKeys::NoValue);
    let labels = BTreeMap::new();
    let store = StoreFacts { kind: StoreKind::SecretStore, name: "vault", labels: &labels };
    let made = match Expander::new(spec, &engine).and_then(|mut expander| expander.entries(store, &source)) {
        Ok(made) => made,
        Err(error) => return drop(error.to_string()),
    };
    let keys: BTreeSet<_> = made.entries.iter().map(|entry| record::key(&entry.remote_key, &entry.property)).collect();
    let named = |remote_key: &str| Ok::<_, std::convert::Infallible>(ObjectName::new(remote_key));
    let Ok(objects) = objects(made.entries, named);
    let recorded = objects.values().flat_map(|object| object.records.keys().cloned());
    assert!(recorded.collect::<BTreeSet<_>>().is_subset(&keys), "a record is of what was asked for");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::wanted;

    proptest! {
        #[test]
        fn no_push_secret_panics(
            key in "(_U002f_|_U|a|é|\\.){0,4}",
            rewrite in "(\\(\\.\\*\\)|a|\\^)",
            property in "(p|)",
            strategy in "(None|ReverseUnicode)",
        ) {
            let remote = json!({"remoteKey": "r", "property": property});
            let input = json!({
                "secret": {"data": {(key.clone()): "YQ==", "b": "Yg=="}},
                "pushSecret": {"metadata": {"name": "p"}, "spec": {
                    "secretStoreRefs": [{"name": "vault"}],
                    "selector": {"secret": {"name": "s"}},
                    "data": [
                        {"match": {"secretKey": key, "remoteRef": remote}, "conversionStrategy": strategy},
                        {"match": {"remoteRef": remote}},
                    ],
                    "dataTo": [{"storeRef": {"name": "vault"}, "conversionStrategy": strategy,
                        "rewrite": [{"regexp": {"source": rewrite, "target": "$1x"}}]}],
                }},
            });
            wanted(input.to_string().as_bytes());
        }
    }
}
