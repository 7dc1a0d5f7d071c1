//! A bounded map whose entries belong to namespaces. When it is full, the namespace with the most entries loses the one
//! that it has not used for longest. However many a namespace adds, it cannot push out those of another that has fewer.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often entries are looked for that nobody uses any more.
const BETWEEN_LOOKS: Duration = Duration::from_mins(1);

/// A bounded map whose entries belong to namespaces.
#[derive(Debug)]
pub(crate) struct FairMap<K, V> {
    most: usize,
    kept_unused: Duration,
    entries: HashMap<K, Entry<V>>,
    /// The keys of each namespace, by their last use.
    keys: HashMap<Arc<str>, BTreeMap<u64, K>>,
    /// The namespaces by the number of their entries.
    sizes: BTreeSet<(usize, Arc<str>)>,
    /// The number of uses so far.
    uses: u64,
    next_look: Option<Instant>,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    namespace: Arc<str>,
    use_: u64,
    used: Instant,
}

impl<K: Clone + Eq + Hash, V> FairMap<K, V> {
    /// Keeps at most so many entries, and each at least so long after its last use, unless there are too many.
    pub(crate) fn new(most: usize, kept_unused: Duration) -> Self {
        Self {
            most,
            kept_unused,
            entries: HashMap::new(),
            keys: HashMap::new(),
            sizes: BTreeSet::new(),
            uses: 0,
            next_look: None,
        }
    }

    /// The value of a key, which counts as a use.
    pub(crate) fn get<Q>(&mut self, key: &Q, now: Instant) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let entry = self.entries.get_mut(key)?;
        self.uses += 1;
        if let Some(keys) = self.keys.get_mut(&entry.namespace)
            && let Some(key) = keys.remove(&entry.use_)
        {
            keys.insert(self.uses, key);
        }
        (entry.use_, entry.used) = (self.uses, now);
        Some(&entry.value)
    }

    /// Sets the value of a key, which belongs to this namespace from now on.
    pub(crate) fn insert(&mut self, namespace: &Arc<str>, key: K, value: V, now: Instant) {
        self.remove(&key);
        self.forget_unused(now);
        self.uses += 1;
        let keys = self.keys.entry(Arc::clone(namespace)).or_default();
        keys.insert(self.uses, key.clone());
        let size = keys.len();
        self.resized(namespace, size - 1, size);
        self.entries.insert(key, Entry { value, namespace: Arc::clone(namespace), use_: self.uses, used: now });
        while self.entries.len() > self.most && self.drop_one() {}
    }

    /// Drops an entry, and returns its value.
    pub(crate) fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let Entry { value, namespace, use_, .. } = self.entries.remove(key)?;
        if let Some(keys) = self.keys.get_mut(&namespace) {
            keys.remove(&use_);
            let size = keys.len();
            if size == 0 {
                self.keys.remove(&namespace);
            }
            self.resized(&namespace, size + 1, size);
        }
        Some(value)
    }

    /// The number of entries.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn resized(&mut self, namespace: &Arc<str>, before: usize, after: usize) {
        self.sizes.remove(&(before, Arc::clone(namespace)));
        if after > 0 {
            self.sizes.insert((after, Arc::clone(namespace)));
        }
    }

    /// Drops the entry of the largest namespace that was not used for longest. Returns whether there was one.
    fn drop_one(&mut self) -> bool {
        let largest = self.sizes.last().and_then(|(_, namespace)| self.keys.get(namespace));
        let Some(key) = largest.and_then(|keys| keys.values().next()).cloned() else { return false };
        self.remove(&key);
        true
    }

    fn forget_unused(&mut self, now: Instant) {
        if self.next_look.is_some_and(|next| now < next) {
            return;
        }
        self.next_look = Some(now + BETWEEN_LOOKS);
        let unused =
            self.entries.iter().filter(|(_, entry)| now.saturating_duration_since(entry.used) > self.kept_unused);
        for key in unused.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn a_namespace_with_very_many_entries_does_not_push_out_those_of_others() {
        let (mut map, now) = (FairMap::new(100, HOUR), Instant::now());
        let (victim, attacker): (Arc<str>, Arc<str>) = ("victim".into(), "attacker".into());
        for number in 0..20 {
            map.insert(&victim, format!("victim-{number}"), number, now);
        }
        for number in 0..10_000 {
            map.insert(&attacker, format!("attacker-{number}"), number, now);
        }
        assert_eq!(map.len(), 100);
        assert!((0..20).all(|number| map.get(&format!("victim-{number}"), now) == Some(&number)));
        assert!(map.get("attacker-9999", now).is_some() && map.get("attacker-0", now).is_none());
    }

    #[test]
    fn what_a_namespace_uses_outlasts_what_it_does_not_use() {
        let (mut map, now) = (FairMap::new(3, HOUR), Instant::now());
        let one: Arc<str> = "one".into();
        for key in ["a", "b", "c"] {
            map.insert(&one, key, (), now);
        }
        assert!(map.get("a", now).is_some());
        map.insert(&one, "d", (), now);
        assert!(map.get("a", now).is_some() && map.get("b", now).is_none());
    }

    #[test]
    fn what_nobody_uses_is_forgotten() {
        let (mut map, now) = (FairMap::new(100, HOUR), Instant::now());
        let one: Arc<str> = "one".into();
        map.insert(&one, "used", (), now);
        map.insert(&one, "unused", (), now);
        let later = now + HOUR + Duration::from_secs(1);
        map.get("used", later);
        map.insert(&one, "new", (), later);
        assert_eq!((map.len(), map.get("unused", later)), (2, None));
    }

    proptest! {
        #[test]
        fn sizes_are_those_of_the_entries(steps in prop::collection::vec((0u8..4, 0u8..30, 0u8..3), 1..300)) {
            let (mut map, now) = (FairMap::new(10, HOUR), Instant::now());
            for (namespace, key, what) in steps {
                match what {
                    0 => drop(map.remove(&key)),
                    1 => drop(map.get(&key, now).copied()),
                    _ => map.insert(&namespace.to_string().into(), key, namespace, now),
                }
                prop_assert!(map.len() <= 10);
                let sizes: BTreeSet<_> = map.keys.iter().map(|(name, keys)| (keys.len(), Arc::clone(name))).collect();
                prop_assert_eq!(&sizes, &map.sizes);
                prop_assert_eq!(sizes.iter().map(|(size, _)| size).sum::<usize>(), map.len());
            }
        }
    }
}
