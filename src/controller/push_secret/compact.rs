//! Objects and versions in a few bytes. What is kept of a PushSecret must be small: one of some hundred bytes may ask for a thousand
//! objects, or select hundreds of Secrets.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::LazyLock;

use super::claims::RemoteObject;
use super::state::{SourceKind, Versions};
use crate::controller::core::key::ObjectVersion;

/// An object in a vault, as a hash under keys of this process, so that nobody can choose names with equal hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ObjectId(u64, u64);

impl ObjectId {
    pub(super) fn of(object: &RemoteObject) -> Self {
        static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);
        Self(KEYS[0].hash_one(object), KEYS[1].hash_one(object))
    }
}

/// A set of objects.
#[derive(Debug, Default)]
pub(super) struct ObjectIds(Box<[ObjectId]>);

impl<'a> FromIterator<&'a RemoteObject> for ObjectIds {
    fn from_iter<I: IntoIterator<Item = &'a RemoteObject>>(objects: I) -> Self {
        let mut ids: Vec<_> = objects.into_iter().map(ObjectId::of).collect();
        ids.sort_unstable();
        ids.dedup();
        Self(ids.into())
    }
}

impl ObjectIds {
    pub(super) fn contains(&self, object: ObjectId) -> bool {
        self.0.binary_search(&object).is_ok()
    }
}

/// The versions of the Secrets and ConfigMaps that were last read, as hashes of their names and versions, sorted.
#[derive(Debug, Default)]
pub(super) struct VersionsRead(Box<[(u64, u64)]>);

/// A hash under a key of this process.
fn hash(of: impl Hash) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(of)
}

fn version_hash(version: &ObjectVersion) -> u64 {
    hash((&version.uid, &version.resource_version))
}

impl From<&Versions> for VersionsRead {
    fn from(versions: &Versions) -> Self {
        let of = |((kind, name), version): (&(SourceKind, String), &ObjectVersion)| {
            (hash((kind, name.as_str())), version_hash(version))
        };
        let mut all: Vec<_> = versions.iter().map(of).collect();
        all.sort_unstable();
        Self(all.into())
    }
}

/// A Secret or ConfigMap, and its version now; `None` if it was deleted.
#[derive(Clone, Copy)]
pub(super) struct Current {
    place: u64,
    version: Option<u64>,
}

impl Current {
    pub(super) fn of(kind: SourceKind, name: &str, version: Option<&ObjectVersion>) -> Self {
        Self { place: hash((kind, name)), version: version.map(version_hash) }
    }
}

impl VersionsRead {
    fn get(&self, place: u64) -> Option<u64> {
        self.0.binary_search_by_key(&place, |(place, _)| *place).ok().map(|at| self.0[at].1)
    }

    /// Whether this object was read, in any version.
    pub(super) fn has(&self, current: Current) -> bool {
        self.get(current.place).is_some()
    }

    /// Whether this object was read in this version, or did not exist then and does not exist now.
    pub(super) fn is_current(&self, current: Current) -> bool {
        self.get(current.place) == current.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::ObjectName;

    #[test]
    fn objects_are_told_apart_by_vault_and_name_and_not_by_spelling() {
        let object = |vault: &str, name: ObjectName| RemoteObject { vault: vault.to_owned(), name };
        let all: ObjectIds =
            [object("v", ObjectName::new("secret/a")), object("v", ObjectName::new("secret/b"))].iter().collect();
        let has = |vault, name| all.contains(ObjectId::of(&object(vault, name)));
        assert!(has("v", ObjectName::new("secret/a").written("A")));
        assert!(!has("w", ObjectName::new("secret/a")));
        assert!(!has("v", ObjectName::new("key/a")));
    }

    #[test]
    fn a_version_that_was_read_is_current_and_another_is_not() {
        let version = |version: &str| ObjectVersion { uid: "u".to_owned(), resource_version: version.to_owned() };
        let place = (SourceKind::Secret, "a".to_owned());
        let read = VersionsRead::from(&Versions::from([(place, version("1"))]));
        let current = |name, now: Option<&ObjectVersion>| Current::of(SourceKind::Secret, name, now);
        assert!(read.is_current(current("a", Some(&version("1")))));
        assert!(!read.is_current(current("a", Some(&version("2")))) && !read.is_current(current("a", None)));
        assert!(read.has(current("a", None)) && !read.has(current("b", None)));
        assert!(read.is_current(current("b", None)), "it did not exist before either");
        assert!(!read.has(Current::of(SourceKind::ConfigMap, "a", None)));
    }

    #[test]
    fn what_is_kept_of_many_objects_is_small() {
        assert!(size_of::<ObjectId>() <= 16);
        let objects: Vec<_> = (0..1000)
            .map(|number| RemoteObject {
                vault: "v".repeat(60),
                name: ObjectName::new(format!("secret/{number:0100}")),
            })
            .collect();
        let ids: ObjectIds = objects.iter().collect();
        assert_eq!(size_of_val(&*ids.0), 16_000);
    }
}
