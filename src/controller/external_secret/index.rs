//! Which ExternalSecrets to wake for a target, a store, or an object with templates.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Mutex;

use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::{ExternalSecretSpec, ManifestReference, SecretStoreRef};
use crate::controller::core::key::ObjectKey;
use crate::controller::generators::key::GeneratorKey;
use crate::controller::store_access::key::StoreKey;
use crate::sync::target::target_name;
use crate::validate::generator;

/// ExternalSecrets by the target that they write, the stores that they read, and the objects that their templates come
/// from.
#[derive(Debug, Default)]
pub(crate) struct Index(Mutex<Maps>);

#[derive(Debug, Default)]
struct Maps {
    /// A vector, because nearly every target has a single writer, for which a tree would be large.
    by_target: HashMap<TargetKey, Vec<ObjectKey>>,
    by_target_kind: HashMap<ManifestReference, BTreeSet<ObjectKey>>,
    by_store: HashMap<StoreKey, BTreeSet<ObjectKey>>,
    by_template_source: HashMap<TemplateSource, BTreeSet<ObjectKey>>,
    by_generator: HashMap<GeneratorKey, BTreeSet<ObjectKey>>,
    uses: HashMap<ObjectKey, Uses>,
}

/// What one ExternalSecret uses.
#[derive(Debug)]
struct Uses {
    target: TargetKey,
    stores: Vec<StoreKey>,
    template_sources: Vec<TemplateSource>,
    generators: Vec<GeneratorKey>,
}

/// An object that ExternalSecrets write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TargetKey {
    /// Its kind; `None` for a Secret.
    pub(crate) manifest: Option<ManifestReference>,
    pub(crate) object: ObjectKey,
}

/// An object whose keys hold templates (`target.template.templateFrom`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TemplateSource {
    pub(crate) kind: TemplateSourceKind,
    /// Its name, and its namespace, which is that of the ExternalSecret.
    pub(crate) object: ObjectKey,
}

/// The kinds of objects that hold templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum TemplateSourceKind {
    ConfigMap,
    Secret,
}

impl Index {
    /// Records what an ExternalSecret uses now.
    pub(crate) fn insert(&self, es: &ExternalSecret) {
        let key = ObjectKey::of(&es.metadata);
        let mut maps = self.lock();
        maps.remove(&key);
        let Ok(spec) = es.spec.get() else { return };
        let uses = Uses {
            target: TargetKey {
                manifest: spec.target.as_ref().and_then(|target| target.manifest.clone()),
                object: ObjectKey::new(&key.namespace, target_name(&es.metadata, spec)),
            },
            stores: stores_of(spec, &key.namespace),
            template_sources: template_sources_of(spec, &key.namespace),
            generators: generators_of(spec, &key.namespace),
        };
        maps.by_target.entry(uses.target.clone()).or_default().push(key.clone());
        if let Some(manifest) = &uses.target.manifest {
            maps.by_target_kind.entry(manifest.clone()).or_default().insert(key.clone());
        }
        for store in &uses.stores {
            maps.by_store.entry(store.clone()).or_default().insert(key.clone());
        }
        for source in &uses.template_sources {
            maps.by_template_source.entry(source.clone()).or_default().insert(key.clone());
        }
        for generator in &uses.generators {
            maps.by_generator.entry(generator.clone()).or_default().insert(key.clone());
        }
        maps.uses.insert(key, uses);
    }

    /// Forgets an ExternalSecret.
    pub(crate) fn remove(&self, key: &ObjectKey) {
        self.lock().remove(key);
    }

    /// The ExternalSecrets that write an object.
    #[must_use]
    pub(crate) fn writers_of(&self, target: &TargetKey) -> Vec<ObjectKey> {
        self.lock().by_target.get(target).into_iter().flatten().cloned().collect()
    }

    /// Whether any ExternalSecret of a namespace writes objects of a kind.
    #[must_use]
    pub(crate) fn is_written_in(&self, kind: &ManifestReference, namespace: &str) -> bool {
        let maps = self.lock();
        let writers = maps.by_target_kind.get(kind);
        let first = writers.and_then(|writers| writers.range(ObjectKey::new(namespace, "")..).next());
        first.is_some_and(|writer| writer.namespace == namespace)
    }

    /// The ExternalSecrets that read a store.
    #[must_use]
    pub(crate) fn readers_of(&self, store: &StoreKey) -> Vec<ObjectKey> {
        self.lock().by_store.get(store).into_iter().flatten().cloned().collect()
    }

    /// Whether any ExternalSecret uses a store.
    #[must_use]
    pub(crate) fn is_read(&self, store: &StoreKey) -> bool {
        self.lock().by_store.get(store).is_some_and(|readers| !readers.is_empty())
    }

    /// The ExternalSecrets with templates in an object.
    #[must_use]
    pub(crate) fn users_of(&self, source: &TemplateSource) -> Vec<ObjectKey> {
        self.lock().by_template_source.get(source).into_iter().flatten().cloned().collect()
    }

    /// The objects of a kind whose keys hold templates.
    #[must_use]
    pub(crate) fn template_sources(&self, kind: TemplateSourceKind) -> Vec<TemplateSource> {
        self.lock().by_template_source.keys().filter(|source| source.kind == kind).cloned().collect()
    }

    /// The ExternalSecrets that use a generator.
    #[must_use]
    pub(crate) fn users_of_generator(&self, generator: &GeneratorKey) -> Vec<ObjectKey> {
        self.lock().by_generator.get(generator).into_iter().flatten().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Maps> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Maps {
    fn remove(&mut self, key: &ObjectKey) {
        let Some(uses) = self.uses.remove(key) else { return };
        if let Some(writers) = self.by_target.get_mut(&uses.target) {
            writers.retain(|writer| writer != key);
            if writers.is_empty() {
                self.by_target.remove(&uses.target);
            }
        }
        if let Some(manifest) = &uses.target.manifest {
            remove_from(&mut self.by_target_kind, manifest, key);
        }
        for store in &uses.stores {
            remove_from(&mut self.by_store, store, key);
        }
        for source in &uses.template_sources {
            remove_from(&mut self.by_template_source, source, key);
        }
        for generator in &uses.generators {
            remove_from(&mut self.by_generator, generator, key);
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

/// The stores that a spec names, without duplicates.
#[must_use]
pub(crate) fn stores_of(spec: &ExternalSecretSpec, namespace: &str) -> Vec<StoreKey> {
    let of_data = spec.data.iter().filter_map(|entry| entry.source_ref.as_deref());
    let of_data_from = spec.data_from.iter().filter_map(|entry| entry.source_ref.as_deref());
    let sources = of_data.chain(of_data_from).filter_map(|source| source.store_ref.as_ref());
    let keys: BTreeSet<StoreKey> =
        spec.secret_store_ref.iter().chain(sources).filter_map(|reference| store_key(reference, namespace)).collect();
    keys.into_iter().collect()
}

/// The supported generators that a spec names, without duplicates.
#[must_use]
pub(crate) fn generators_of(spec: &ExternalSecretSpec, namespace: &str) -> Vec<GeneratorKey> {
    let sources = spec.data_from.iter().filter_map(|entry| entry.source_ref.as_deref());
    let references = sources.filter_map(|source| source.generator_ref.as_ref());
    let keys = references.filter_map(|reference| {
        let kind = generator::kind(reference).ok()?;
        Some(GeneratorKey::referenced(kind, namespace, &reference.name))
    });
    keys.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The objects from which a spec takes templates, without duplicates.
#[must_use]
pub(crate) fn template_sources_of(spec: &ExternalSecretSpec, namespace: &str) -> Vec<TemplateSource> {
    let template = spec.target.as_ref().and_then(|target| target.template.as_deref());
    let sources: BTreeSet<TemplateSource> = template
        .into_iter()
        .flat_map(|template| &template.template_from)
        .flat_map(|from| {
            let config_map = from.config_map.as_ref().map(|reference| (TemplateSourceKind::ConfigMap, reference));
            let secret = from.secret.as_ref().map(|reference| (TemplateSourceKind::Secret, reference));
            config_map.into_iter().chain(secret)
        })
        .map(|(kind, reference)| TemplateSource { kind, object: ObjectKey::new(namespace, &reference.name) })
        .collect();
    sources.into_iter().collect()
}

/// The store that a reference names, if any.
#[must_use]
pub(crate) fn store_key(reference: &SecretStoreRef, namespace: &str) -> Option<StoreKey> {
    let name = reference.name.as_deref().filter(|name| !name.is_empty())?;
    Some(StoreKey::referenced(reference.kind.unwrap_or_default(), namespace, name))
}
