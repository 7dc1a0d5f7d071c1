//! How many PushSecrets hold each store.

use std::collections::{BTreeSet, HashMap};

use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::key::StoreKey;

/// How many PushSecrets hold each store, because they name it or have written to it.
#[derive(Debug, Default)]
pub(super) struct Holders {
    by_holder: HashMap<ObjectKey, BTreeSet<StoreKey>>,
    counts: HashMap<StoreKey, usize>,
}

impl Holders {
    /// Sets the stores that a PushSecret holds. Returns those that got their first holder or lost their last one; only their finalizers
    /// may have to change.
    pub(super) fn set(&mut self, holder: &ObjectKey, stores: BTreeSet<StoreKey>) -> Vec<StoreKey> {
        let before = self.by_holder.remove(holder).unwrap_or_default();
        let mut changed = Vec::new();
        for gone in before.difference(&stores) {
            let Some(count) = self.counts.get_mut(gone) else { continue };
            *count -= 1;
            if *count == 0 {
                self.counts.remove(gone);
                changed.push(gone.clone());
            }
        }
        for new in stores.difference(&before) {
            let count = self.counts.entry(new.clone()).or_default();
            *count += 1;
            if *count == 1 {
                changed.push(new.clone());
            }
        }
        if !stores.is_empty() {
            self.by_holder.insert(holder.clone(), stores);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v1::StoreKind;

    #[test]
    fn a_store_is_told_of_its_first_holder_and_of_its_last_and_nothing_is_kept_of_those_that_are_gone() {
        let store = StoreKey { kind: StoreKind::SecretStore, object: ObjectKey::new("a", "store") };
        let (one, two) = (ObjectKey::new("a", "one"), ObjectKey::new("a", "two"));
        let needs = || BTreeSet::from([store.clone()]);
        let mut holders = Holders::default();
        assert_eq!(holders.set(&one, needs()), std::slice::from_ref(&store));
        assert_eq!(holders.set(&two, needs()), []);
        assert_eq!(holders.set(&one, needs()), []);
        assert_eq!(holders.set(&one, BTreeSet::new()), []);
        assert_eq!(holders.set(&two, BTreeSet::new()), std::slice::from_ref(&store));
        assert!(holders.by_holder.is_empty() && holders.counts.is_empty());
    }
}
