//! One namespace of a ClusterExternalSecret.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::core::DynamicObject;
use serde_json::{Map, Value, json};

use super::read;
use crate::api::v1::external_secret::controlling_cluster_external_secret;
use crate::api::v1::{ClusterExternalSecret, ExternalSecret};
use crate::api::{FIELD_MANAGER, ServedVersion};
use crate::sync::cluster_external_secret::status::{self, Facts};
use crate::sync::cluster_external_secret::step::{Outcome, readiness};
use crate::sync::cluster_external_secret::{Decision, LastChild, Place, Situation, Step, Wanted, decide};
use crate::sync::plan::Deletion;

const NAMESPACE: &str = "team-a";
/// The most ExternalSecrets of an input.
const MOST: usize = 8;

/// Carries out what a ClusterExternalSecret decides for a namespace until nothing is left to do. The input is JSON:
/// `clusterExternalSecret`, `existing` (ExternalSecrets), and `place` (0 to 2).
///
/// # Panics
/// If that does not end, if it changes or deletes what the ClusterExternalSecret does not control, or if what it calls
/// provisioned is not as it must be.
pub fn steps(input: &[u8]) {
    let Some(input) = read(input) else { return };
    let Ok(mut parent) = serde_json::from_value::<ClusterExternalSecret>(input["clusterExternalSecret"].clone()) else {
        return;
    };
    if parent.metadata.name.as_deref().unwrap_or_default().is_empty() {
        return;
    }
    parent.metadata.uid.get_or_insert_with(|| "parent".to_owned());
    let Ok(spec) = parent.spec.get() else { return };
    let wanted = Wanted::of(&parent.metadata, spec, ServedVersion::V1);
    let place = match input["place"].as_u64() {
        Some(1) => Place::NotSelected,
        Some(2) => Place::Gone,
        _ => Place::Selected,
    };
    let mut cluster = Cluster::of(&input["existing"]);
    let most = cluster.objects.len() * 4 + 4;
    let (mut last, mut is_done) = (None, false);
    for _ in 0..most {
        let objects = cluster.shown();
        let Decision { step, outcome } = decision(&wanted, place, &objects, last.as_ref());
        if step == Step::None {
            report(&parent, &wanted, place, &objects, outcome, last.as_ref());
            is_done = true;
            break;
        }
        assert_ne!(place, Place::Gone, "nothing is written where there is no namespace");
        if let Some(stored) = cluster.carry_out(&step, &wanted) {
            last = wanted.last_write(&stored);
        }
    }
    assert!(is_done, "there is always more to do");
}

fn decision(wanted: &Wanted, place: Place, objects: &[ExternalSecret], last: Option<&LastChild>) -> Decision {
    let is_child =
        |object: &&ExternalSecret| controlling_cluster_external_secret(&object.metadata) == Some(wanted.owner_name());
    let children: Vec<_> = objects.iter().filter(is_child).collect();
    let named = objects.iter().find(|object| object.metadata.name.as_deref() == Some(wanted.name()));
    decide(Situation { namespace: NAMESPACE, place, wanted, named, children: &children, last })
}

/// Reports an outcome, and checks it.
fn report(
    parent: &ClusterExternalSecret,
    wanted: &Wanted,
    place: Place,
    objects: &[ExternalSecret],
    outcome: Outcome,
    last: Option<&LastChild>,
) {
    let named = objects.iter().find(|object| object.metadata.name.as_deref() == Some(wanted.name()));
    if let (Outcome::Provisioned, Some(named)) = (&outcome, named) {
        assert!(wanted.is_met_by(named, last), "what is provisioned is as it must be");
    }
    assert!(place == Place::Selected || outcome == Outcome::Absent);
    let not_ready: Vec<_> = objects.iter().filter(|object| readiness(object) != Some(true)).collect();
    let not_ready: Vec<_> = not_ready.iter().map(|_| NAMESPACE.to_owned()).collect();
    let outcomes = BTreeMap::from([(NAMESPACE.to_owned(), outcome)]);
    let before = parent.status.clone().unwrap_or_default();
    let facts = Facts {
        generation: parent.metadata.generation,
        refresh: None,
        name: Some(wanted.name()),
        outcomes: &outcomes,
        fault: None,
        is_pending: false,
        not_ready: &not_ready,
        children: objects.len(),
        now: Timestamp::UNIX_EPOCH,
    };
    let first = status::status(&facts, &before);
    let second = status::status(&facts, &first);
    assert!(!status::differs(&first, &second), "the same facts do not write a status twice");
}

/// The ExternalSecrets of a namespace, as an API server stores them.
struct Cluster {
    objects: BTreeMap<String, Value>,
    version: u64,
}

impl Cluster {
    fn of(existing: &Value) -> Self {
        let mut cluster = Self { objects: BTreeMap::new(), version: 0 };
        for object in existing.as_array().into_iter().flatten().take(MOST) {
            let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            // What cannot be read is not shown by the watch.
            if name.is_empty() || serde_json::from_value::<ExternalSecret>(object.clone()).is_err() {
                continue;
            }
            let mut object = object.clone();
            object["metadata"]["uid"] = json!(format!("uid-{name}"));
            cluster.store(name, object);
        }
        cluster
    }

    fn store(&mut self, name: String, mut object: Value) -> Option<ExternalSecret> {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        object["metadata"]["namespace"] = json!(NAMESPACE);
        let stored = serde_json::from_value(object.clone()).ok();
        self.objects.insert(name, object);
        stored
    }

    fn shown(&self) -> Vec<ExternalSecret> {
        self.objects.values().filter_map(|object| serde_json::from_value(object.clone()).ok()).collect()
    }

    /// Does a write, and returns what was stored if it wrote the wanted ExternalSecret.
    fn carry_out(&mut self, step: &Step, wanted: &Wanted) -> Option<ExternalSecret> {
        match step {
            Step::None => None,
            Step::Create(object) => {
                let name = name(object);
                assert!(!self.objects.contains_key(&name), "it exists");
                let mut new = serde_json::to_value(object).ok()?;
                new["metadata"]["uid"] = json!(format!("uid-{}", self.version));
                self.put(name, new, &Value::Null)
            }
            Step::Update(object) | Step::Release(object) => {
                let name = name(object);
                let before = self.objects.get(&name).cloned().unwrap_or_default();
                self.check(&name, wanted);
                assert_eq!(before["metadata"]["resourceVersion"].as_str(), object.metadata.resource_version.as_deref());
                let stored = self.put(name, serde_json::to_value(object).ok()?, &before);
                stored.filter(|_| matches!(step, Step::Update(_)))
            }
            Step::Delete(Deletion { name, uid, .. }, _) => {
                self.check(name, wanted);
                let object = self.objects.get_mut(name)?;
                assert_eq!(object["metadata"]["uid"].as_str(), uid.as_deref());
                if object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty()) {
                    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
                } else {
                    self.objects.remove(name);
                }
                None
            }
        }
    }

    /// Checks that an object may be written.
    fn check(&self, name: &str, wanted: &Wanted) {
        let object = self.objects.get(name).cloned().unwrap_or_default();
        let object = serde_json::from_value::<ExternalSecret>(object);
        let controller = object.as_ref().ok().and_then(|object| controlling_cluster_external_secret(&object.metadata));
        assert_eq!(controller, Some(wanted.owner_name()), "only what the ClusterExternalSecret controls is written");
    }

    /// Stores an object, with the fields that the controller has set in it.
    fn put(&mut self, name: String, mut object: Value, before: &Value) -> Option<ExternalSecret> {
        let owned = |field: &str| {
            let own = format!("/metadata/managedFields/0/fieldsV1/f:metadata/f:{field}");
            let own = before.pointer(&own).cloned().unwrap_or_default();
            let keys = object["metadata"][field].as_object().into_iter().flatten();
            let is_own = |(key, value): &(&String, &Value)| {
                own.get(format!("f:{key}")).is_some() || before["metadata"][field].get(key) != Some(value)
            };
            keys.filter(is_own).map(|(key, _)| (format!("f:{key}"), json!({}))).collect::<Map<_, _>>()
        };
        let fields = json!({"f:labels": owned("labels"), "f:annotations": owned("annotations")});
        object["metadata"]["managedFields"] =
            json!([{"manager": FIELD_MANAGER, "operation": "Update", "fieldsV1": {"f:metadata": fields}}]);
        if !before["status"].is_null() {
            object["status"] = before["status"].clone();
        }
        self.store(name, object)
    }
}

fn name(object: &DynamicObject) -> String {
    object.metadata.name.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::steps;

    fn child(name: &str, uid: &str, more: &Value) -> Value {
        let mut object = json!({
            "metadata": {"name": name, "ownerReferences": [{"apiVersion": "external-secrets.io/v1",
                "kind": "ClusterExternalSecret", "name": "db", "uid": uid, "controller": true}]},
            "spec": {"secretStoreRef": {"name": "own"}},
        });
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object
    }

    fn input(existing: &[Value], place: u8) -> Vec<u8> {
        let parent = json!({"metadata": {"name": "db", "uid": "u"}, "spec": {
            "externalSecretSpec": {"secretStoreRef": {"name": "vault"}, "target": {"name": "t"}},
            "externalSecretMetadata": {"labels": {"a": "b"}, "annotations": {"external-secrets.io/force-sync": "1"}},
        }});
        json!({"clusterExternalSecret": parent, "existing": existing, "place": place}).to_string().into_bytes()
    }

    #[test]
    fn forged_children_with_the_same_target_are_cleared_away() {
        let target = json!({"spec": {"target": {"name": "t"}}});
        let existing = [child("x", "u", &target), child("y", "forged", &target), child("db", "forged", &json!({}))];
        for place in 0..3 {
            steps(&input(&existing, place));
        }
    }

    proptest! {
        #[test]
        fn no_input_panics_or_goes_on_for_ever(
            names in proptest::collection::vec("(db|x|y|z)", 0..4),
            uid in "(u|forged)",
            finalizer in "(externalsecrets.external-secrets.io/externalsecret-cleanup|mine|)",
            target in "(t|)",
            place in 0_u8..3,
        ) {
            let existing = names.iter().map(|name| {
                let mut object = child(name, &uid, &json!({"spec": {"target": {"name": target}}}));
                if !finalizer.is_empty() {
                    object["metadata"]["finalizers"] = json!([finalizer]);
                }
                object
            });
            steps(&input(&existing.collect::<Vec<_>>(), place));
        }
    }
}
