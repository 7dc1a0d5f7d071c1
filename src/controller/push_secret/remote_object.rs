//! Objects in vaults, and the few bytes that are kept of each: a PushSecret of some hundred bytes may ask for a thousand.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

use crate::push::ObjectName;

/// An object in a vault.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RemoteObject {
    /// The vault.
    pub(crate) vault: String,
    /// The object.
    pub(crate) name: ObjectName,
}

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

#[cfg(test)]
mod tests {
    use super::*;

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
