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
    by_parent: HashMap<String, BTreeMap<Place, Child>>,
    known: HashMap<ObjectKey, Known>,
}

/// An ExternalSecret that a ClusterExternalSecret controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Child {
    /// Whether it is Ready; `None` if it has not reported on its current spec.
    pub(super) is_ready: Option<bool>,
}

/// The place of an ExternalSecret in the order: by namespace, and in each those that are being deleted last. A few of
/// either kind are found without looking at the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    namespace: String,
    is_leaving: bool,
    name: String,
}

impl Place {
    fn new(key: &ObjectKey, is_leaving: bool) -> Self {
        Self { namespace: key.namespace.clone(), is_leaving, name: key.name.clone() }
    }

    fn key(&self) -> ObjectKey {
        ObjectKey::new(&self.namespace, &self.name)
    }
}

/// What is known of one ExternalSecret.
#[derive(Debug)]
struct Known {
    parent: Option<String>,
    is_leaving: bool,
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
        let is_leaving = object.metadata.deletion_timestamp.is_some();
        let known = Known { parent: parent.clone(), is_leaving, fingerprint: fingerprint(object) };
        let before = self.known.get(&key);
        let is_substantial = before.is_none_or(|before| before.fingerprint != known.fingerprint);
        let place = before.and_then(|before| Some((before.parent.clone()?, Place::new(&key, before.is_leaving))));
        let was = place.as_ref().and_then(|(parent, place)| self.remove_child(parent, place));
        let before = place.map(|(parent, _)| parent);
        let mut change = Change { is_substantial, ..Change::default() };
        if let Some(parent) = &parent {
            let now = Child { is_ready: readiness(object) };
            self.by_parent.entry(parent.clone()).or_default().insert(Place::new(&key, is_leaving), now);
            if was != Some(now) || before.as_ref() != Some(parent) {
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
        let Known { parent, is_leaving, .. } = self.known.remove(key)?;
        let parent = parent?;
        self.remove_child(&parent, &Place::new(key, is_leaving));
        Some(parent)
    }

    /// Returns what it was, if it was there.
    fn remove_child(&mut self, parent: &str, place: &Place) -> Option<Child> {
        let children = self.by_parent.get_mut(parent)?;
        let removed = children.remove(place);
        if children.is_empty() {
            self.by_parent.remove(parent);
        }
        removed
    }

    /// The namespaces in which one ClusterExternalSecret has ExternalSecrets, sorted.
    pub(super) fn namespaces_of(&self, parent: &str) -> Vec<String> {
        let mut names: Vec<_> =
            self.by_parent.get(parent).into_iter().flatten().map(|(place, _)| place.namespace.as_str()).collect();
        names.dedup();
        names.into_iter().map(str::to_owned).collect()
    }

    /// An ExternalSecret, if a ClusterExternalSecret controls it.
    pub(super) fn get(&self, parent: &str, key: &ObjectKey) -> Option<Child> {
        let children = self.by_parent.get(parent)?;
        let at = |is_leaving| children.get(&Place::new(key, is_leaving)).copied();
        at(false).or_else(|| at(true))
    }

    /// How many ExternalSecrets one ClusterExternalSecret has in a namespace, up to `most`.
    pub(super) fn count_in(&self, parent: &str, namespace: &str, most: usize) -> usize {
        self.beginning_at(parent, namespace, false).take(most).count()
    }

    /// The first `most` ExternalSecrets of one ClusterExternalSecret in a namespace, and as many of those that are
    /// being deleted.
    pub(super) fn first_in(&self, parent: &str, namespace: &str, most: usize) -> Vec<ObjectKey> {
        let staying = self.beginning_at(parent, namespace, false).take_while(|place| !place.is_leaving);
        let leaving = self.beginning_at(parent, namespace, true);
        staying.take(most).chain(leaving.take(most)).map(Place::key).collect()
    }

    /// Those of a namespace, beginning with those that are not being deleted, or with those that are.
    fn beginning_at(&self, parent: &str, namespace: &str, is_leaving: bool) -> impl Iterator<Item = &Place> {
        let first = Place { namespace: namespace.to_owned(), is_leaving, name: String::new() };
        let children = self.by_parent.get(parent).into_iter();
        children
            .flat_map(move |children| children.range(first.clone()..))
            .map(|(place, _)| place)
            .take_while(move |place| place.namespace == namespace)
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
        assert_eq!(children.get("db", &ObjectKey::new("team-a", "db")), Some(Child { is_ready: Some(true) }));
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
        assert_eq!(children.get("db", &ObjectKey::new("team-a", "db")), None);
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
    fn few_of_a_namespace_are_found_among_many() {
        let mut children = Children::default();
        let leaving = |name: &str| {
            let mut object = object(name, Some("db"), &json!({}));
            object.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
            object
        };
        for name in ["a", "b", "c"] {
            children.applied(&object(name, Some("db"), &json!({})), true);
        }
        children.applied(&leaving("a"), true);
        children.applied(&leaving("d"), true);
        let names =
            |most| -> Vec<_> { children.first_in("db", "team-a", most).into_iter().map(|key| key.name).collect() };
        assert_eq!(names(9), ["b", "c", "a", "d"]);
        assert_eq!(names(1), ["b", "a"]);
        assert_eq!((children.count_in("db", "team-a", 9), children.count_in("db", "team-a", 2)), (4, 2));
        assert_eq!(children.namespaces_of("db"), ["team-a"]);
        assert_eq!(children.count_in("db", "team", 9) + children.count_in("db", "team-b", 9), 0);
        for name in ["a", "b", "c", "d"] {
            children.deleted(&ObjectKey::new("team-a", name));
        }
        assert!(children.by_parent.is_empty() && children.known.is_empty());
    }
}
