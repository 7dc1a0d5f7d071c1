//! What is remembered of objects, per UID: an object that is recreated under the same name starts with nothing.

use std::collections::HashMap;
use std::hash::Hash;

/// What is remembered of objects, by their keys `K`.
#[derive(Debug)]
pub(crate) struct Memos<K, M>(HashMap<K, Box<Entry<M>>>);

/// Boxed, because a table that has just grown is half empty.
#[derive(Debug)]
struct Entry<M> {
    uid: Box<str>,
    memo: M,
}

impl<K, M> Default for Memos<K, M> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash, M: Default> Memos<K, M> {
    /// What is remembered of the object that has this UID now. Forgets an earlier object of the same name.
    pub(crate) fn now(&mut self, key: &K, uid: Option<&str>) -> &mut M {
        let uid = uid.unwrap_or_default();
        let new = || Box::new(Entry { uid: uid.into(), memo: M::default() });
        let entry = self.0.entry(key.clone()).or_insert_with(new);
        if *entry.uid != *uid {
            *entry = new();
        }
        &mut entry.memo
    }

    /// What is remembered of the object with this UID.
    #[must_use]
    pub(crate) fn get(&self, key: &K, uid: Option<&str>) -> Option<&M> {
        let entry = self.0.get(key).filter(|entry| *entry.uid == *uid.unwrap_or_default());
        entry.map(|entry| &entry.memo)
    }

    /// The same, mutable.
    pub(crate) fn get_mut(&mut self, key: &K, uid: Option<&str>) -> Option<&mut M> {
        let entry = self.0.get_mut(key).filter(|entry| *entry.uid == *uid.unwrap_or_default());
        entry.map(|entry| &mut entry.memo)
    }

    /// What is remembered of the object that has this name now.
    #[must_use]
    pub(crate) fn named(&self, key: &K) -> Option<&M> {
        self.0.get(key).map(|entry| &entry.memo)
    }

    /// The same, mutable.
    pub(crate) fn named_mut(&mut self, key: &K) -> Option<&mut M> {
        self.0.get_mut(key).map(|entry| &mut entry.memo)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &M)> {
        self.0.iter().map(|(key, entry)| (key, &entry.memo))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut M> {
        self.0.values_mut().map(|entry| &mut entry.memo)
    }

    pub(crate) fn forget(&mut self, key: &K) {
        self.0.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_of_an_object_does_not_hold_for_the_next_one_of_its_name() {
        let mut memos: Memos<&str, u32> = Memos::default();
        *memos.now(&"a", Some("1")) = 7;
        assert_eq!((*memos.now(&"a", Some("1")), memos.get(&"a", Some("1"))), (7, Some(&7)));
        assert_eq!(*memos.now(&"a", Some("2")), 0);
        assert_eq!(memos.get(&"a", Some("1")), None, "a pass over the earlier object has nothing to remember any more");
        assert_eq!(memos.get_mut(&"a", Some("1")), None);
    }
}
