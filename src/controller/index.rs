//! Which ExternalSecrets to wake for a Secret or a store.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Mutex;

use super::key::{ObjectKey, StoreKey};
use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::{ExternalSecretSpec, SecretStoreRef};
use crate::sync::target::target_name;

/// ExternalSecrets by the Secret that they write and by the stores that they read.
#[derive(Debug, Default)]
pub struct Index(Mutex<Maps>);

#[derive(Debug, Default)]
struct Maps {
    by_target: HashMap<ObjectKey, BTreeSet<ObjectKey>>,
    by_store: HashMap<StoreKey, BTreeSet<ObjectKey>>,
    uses: HashMap<ObjectKey, (ObjectKey, Vec<StoreKey>)>,
}

impl Index {
    /// Notes what an ExternalSecret uses now.
    pub fn insert(&self, es: &ExternalSecret) {
        let key = ObjectKey::of(&es.metadata);
        let mut maps = self.lock();
        maps.remove(&key);
        let Ok(spec) = es.spec.get() else { return };
        let target = ObjectKey::new(&key.namespace, target_name(&es.metadata, spec));
        let stores = stores_of(spec, &key.namespace);
        maps.by_target.entry(target.clone()).or_default().insert(key.clone());
        for store in &stores {
            maps.by_store.entry(store.clone()).or_default().insert(key.clone());
        }
        maps.uses.insert(key, (target, stores));
    }

    /// Forgets an ExternalSecret.
    pub fn remove(&self, key: &ObjectKey) {
        self.lock().remove(key);
    }

    /// The ExternalSecrets that write a Secret.
    #[must_use]
    pub fn writers_of(&self, secret: &ObjectKey) -> Vec<ObjectKey> {
        self.lock().by_target.get(secret).into_iter().flatten().cloned().collect()
    }

    /// The ExternalSecrets that read a store.
    #[must_use]
    pub fn readers_of(&self, store: &StoreKey) -> Vec<ObjectKey> {
        self.lock().by_store.get(store).into_iter().flatten().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Maps> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Maps {
    fn remove(&mut self, key: &ObjectKey) {
        let Some((target, stores)) = self.uses.remove(key) else { return };
        remove_from(&mut self.by_target, &target, key);
        for store in &stores {
            remove_from(&mut self.by_store, store, key);
        }
    }
}

fn remove_from<K: Hash + Eq>(map: &mut HashMap<K, BTreeSet<ObjectKey>>, at: &K, key: &ObjectKey) {
    if let Some(keys) = map.get_mut(at) {
        keys.remove(key);
        if keys.is_empty() {
            map.remove(at);
        }
    }
}

/// All stores that a spec names, each once.
#[must_use]
pub fn stores_of(spec: &ExternalSecretSpec, namespace: &str) -> Vec<StoreKey> {
    let of_data = spec.data.iter().filter_map(|entry| entry.source_ref.as_ref());
    let of_data_from = spec.data_from.iter().filter_map(|entry| entry.source_ref.as_ref());
    let sources = of_data.chain(of_data_from).filter_map(|source| source.store_ref.as_ref());
    let keys: BTreeSet<StoreKey> =
        spec.secret_store_ref.iter().chain(sources).filter_map(|reference| store_key(reference, namespace)).collect();
    keys.into_iter().collect()
}

/// The store that a reference names, if it names one.
#[must_use]
pub fn store_key(reference: &SecretStoreRef, namespace: &str) -> Option<StoreKey> {
    let name = reference.name.as_deref().filter(|name| !name.is_empty())?;
    Some(StoreKey::referenced(reference.kind.unwrap_or_default(), namespace, name))
}
