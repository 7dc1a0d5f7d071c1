//! The ExternalSecrets that ClusterExternalSecrets control, and those of others that occupy a name they want.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::controlling_cluster_external_secret;
use crate::controller::core::key::ObjectKey;
use crate::sync::cluster_external_secret::step::readiness;

/// The ExternalSecrets that ClusterExternalSecrets control, with whether each is Ready, and all that have a wanted
/// name.
#[derive(Debug, Default)]
pub(super) struct Children {
    by_parent: HashMap<String, BTreeMap<ObjectKey, Option<bool>>>,
    known: HashMap<ObjectKey, Known>,
}

/// What is known of one ExternalSecret.
#[derive(Debug)]
struct Known {
    parent: Option<String>,
    fingerprint: u64,
}

/// What a change of an ExternalSecret affects.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// The ClusterExternalSecrets that controlled it before or do now, if more than its status has changed.
    pub(super) parents: Vec<String>,
    /// The one whose ExternalSecret became Ready or ceased to be.
    pub(super) readiness_of: Option<String>,
    /// Whether more than its status has changed.
    pub(super) is_substantial: bool,
}

impl Children {
    /// An ExternalSecret was added or changed. `is_wanted` says whether a ClusterExternalSecret wants its name.
    pub(super) fn applied(&mut self, object: &ExternalSecret, is_wanted: bool) -> Change {
        let key = ObjectKey::of(&object.metadata);
        let parent = controlling_cluster_external_secret(&object.metadata).map(str::to_owned);
        if parent.is_none() && !is_wanted && !self.known.contains_key(&key) {
            return Change::default();
        }
        let known = Known { parent: parent.clone(), fingerprint: fingerprint(object) };
        let before = self.known.get(&key);
        let is_substantial = before.is_none_or(|before| before.fingerprint != known.fingerprint);
        let before = before.and_then(|before| before.parent.clone());
        if let Some(before) = before.as_ref().filter(|before| Some(*before) != parent.as_ref()) {
            self.remove_child(before, &key);
        }
        let mut change = Change { is_substantial, ..Change::default() };
        if let Some(parent) = &parent {
            let now = readiness(object);
            let children = self.by_parent.entry(parent.clone()).or_default();
            if children.insert(key.clone(), now) != Some(now) {
                change.readiness_of = Some(parent.clone());
            }
        }
        if is_substantial {
            change.parents = before.into_iter().chain(parent).collect();
            change.parents.dedup();
        }
        self.known.insert(key, known);
        change
    }

    /// An ExternalSecret was deleted. Returns the ClusterExternalSecret that controlled it.
    pub(super) fn deleted(&mut self, key: &ObjectKey) -> Option<String> {
        let parent = self.known.remove(key)?.parent?;
        self.remove_child(&parent, key);
        Some(parent)
    }

    fn remove_child(&mut self, parent: &str, key: &ObjectKey) {
        if let Some(children) = self.by_parent.get_mut(parent) {
            children.remove(key);
            if children.is_empty() {
                self.by_parent.remove(parent);
            }
        }
    }

    /// The ExternalSecrets of one ClusterExternalSecret, sorted by namespace, and whether each is Ready.
    pub(super) fn of(&self, parent: &str) -> impl Iterator<Item = (&ObjectKey, Option<bool>)> {
        self.by_parent.get(parent).into_iter().flatten().map(|(key, readiness)| (key, *readiness))
    }

    /// The ExternalSecrets of one ClusterExternalSecret in a namespace.
    pub(super) fn in_namespace<'a>(
        &'a self,
        parent: &str,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a ObjectKey> + use<'a> {
        let children = self.by_parent.get(parent).into_iter();
        children
            .flat_map(move |children| children.range(ObjectKey::new(namespace, "")..))
            .map(|(key, _)| key)
            .take_while(move |key| key.namespace == namespace)
    }
}

/// A hash of the parts of an ExternalSecret that must match what is wanted. Its status is not one of them.
fn fingerprint(object: &ExternalSecret) -> u64 {
    let meta = &object.metadata;
    let mut hasher = DefaultHasher::new();
    (&meta.uid, meta.generation, &meta.labels, &meta.annotations, &meta.finalizers).hash(&mut hasher);
    meta.deletion_timestamp.is_some().hash(&mut hasher);
    for owner in meta.owner_references.iter().flatten() {
        (&owner.api_version, &owner.kind, &owner.name, &owner.uid).hash(&mut hasher);
        (owner.controller, owner.block_owner_deletion).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(name: &str, parent: Option<&str>, more: &Value) -> ExternalSecret {
        let mut object = json!({"metadata": {"namespace": "team-a", "name": name, "uid": name, "generation": 1}});
        if let Some(parent) = parent {
            object["metadata"]["ownerReferences"] = json!([{"apiVersion": "external-secrets.io/v1",
                "kind": "ClusterExternalSecret", "name": parent, "uid": "u", "controller": true}]);
        }
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_status_means_nothing_but_where_it_says_ready_for_the_first_time() {
        let mut children = Children::default();
        assert_eq!(children.applied(&object("db", Some("db"), &json!({})), true).parents, ["db"]);
        let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        let change = children.applied(&object("db", Some("db"), &ready), true);
        assert_eq!((change.parents.len(), change.readiness_of.as_deref()), (0, Some("db")));
        let refreshed = json!({"status": {"refreshTime": "2026-01-01T00:00:00Z", "conditions": [{"type": "Ready", "status": "True"}]}});
        let change = children.applied(&object("db", Some("db"), &refreshed), true);
        assert_eq!((change.parents.len(), change.readiness_of, change.is_substantial), (0, None, false));
    }

    #[test]
    fn a_child_that_leaves_is_reported_to_its_former_owner() {
        let mut children = Children::default();
        children.applied(&object("db", Some("db"), &json!({})), true);
        let change = children.applied(&object("db", None, &json!({})), true);
        assert_eq!(change.parents, ["db"]);
        assert_eq!(children.of("db").count(), 0);
        let change = children.applied(&object("db", Some("other"), &json!({})), true);
        assert_eq!(change.parents, ["other"]);
        assert_eq!(children.deleted(&ObjectKey::new("team-a", "db")).as_deref(), Some("other"));
        assert!(children.by_parent.is_empty() && children.known.is_empty());
    }

    #[test]
    fn nothing_is_kept_of_one_that_nobody_wants() {
        let mut children = Children::default();
        assert!(!children.applied(&object("own", None, &json!({})), false).is_substantial);
        assert!(children.known.is_empty());
        assert!(children.applied(&object("db", None, &json!({})), true).is_substantial, "it is in the way");
    }

    #[test]
    fn those_of_a_namespace_are_found() {
        let mut children = Children::default();
        for name in ["a", "b"] {
            children.applied(&object(name, Some("db"), &json!({})), true);
        }
        let names: Vec<_> = children.in_namespace("db", "team-a").map(|key| key.name.clone()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(children.in_namespace("db", "team").count() + children.in_namespace("db", "team-b").count(), 0);
    }
}
